"""Which failures are retried at another target, and what the caller gets when all targets fail."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import ClientError, ClientResponse
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import (
    Reply,
    Seen,
    Upstream,
    chunk,
    drop,
    events,
    gateway,
    head,
    stream,
    upstream,
    whole,
)

from claude_gateway.contract.bundle import secret_entry
from claude_gateway.contract.route import Route
from claude_gateway.contract.target import Target, Wire
from claude_gateway.names import LITELLM_SOCKET
from claude_gateway_proxy.gateway.routing.health import FAILURES

_BODY = {"model": "c", "max_tokens": 9, "messages": []}
_ANSWER = b'{"id":"msg_1","content":[],"usage":{"input_tokens":5,"output_tokens":7}}'
_ERROR = b'{"type": "error", "error": {"type": "some_error", "message": "upstream says so"}}'
_GOOD = whole(_ANSWER)
_EVENTS = events("message_start", "content_block_start", "message_delta", "message_stop")


def _failing(status: str, body: bytes = _ERROR, *, kind: str = "application/json", headers: str = "") -> Reply:
    return whole(body, status=status, headers=f"content-type: {kind}\r\n{headers}")


def _two(first: Upstream, second: Upstream) -> Route:
    """A route that asks ``first``, and ``second`` when ``first`` failed."""
    return route("c", targets=[_target(first.url, 0), _target(second.url, 1)])


def _target(url: str, priority: int, **more: Any) -> Target:
    return target(base_url=url, id=f"ns/c/{priority}.00000000", priority=priority, **more)


async def _cut(_: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n" + _ANSWER)
    writer.close()


async def _empty_stream(_: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(head())
    writer.close()


async def _nonsense(_: Seen, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("failing", "kind"),
    [
        (_failing("401 Unauthorized"), "credential"),
        (_failing("403 Forbidden"), "credential"),
        (_failing("408 Request Timeout"), "status"),
        (_failing("429 Too Many Requests"), "rate_limited"),
        (_failing("500 Internal Server Error"), "status"),
        (_failing("502 Bad Gateway", b"<html>", kind="text/html"), "status"),
        (_failing("503 Service Unavailable"), "overloaded"),
        (_failing("529 Overloaded"), "overloaded"),
        (_failing("302 Found", headers="location: http://127.0.0.1:1/\r\n"), "redirect"),
        (_failing("999 Odd"), "broken"),
        (_failing("200 OK", b"\n<!DOCTYPE html>", kind="text/html"), "broken"),
        (_failing("200 OK", b'{"error": {"code": 429, "message": "slow down"}}'), "rate_limited"),
        (_failing("200 OK", b'[{ "error": {"code": 503, "message": "x", "status": "UNAVAILABLE"}}]'), "overloaded"),
        (_failing("200 OK", b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}'), "overloaded"),
        (drop, "connect (closed)"),
        (_cut, "broken"),
        (_nonsense, "connect (plain_http)"),
    ],
)
async def test_the_next_target_answers(failing: Reply, kind: str) -> None:
    async with upstream(failing) as bad, upstream(_GOOD) as good, gateway(_two(bad, good)) as gw:
        answer = await gw.post("/v1/messages", _BODY)
        assert (answer.status, await answer.read()) == (200, _ANSWER)
        (record,) = await gw.records()
    assert (record["outcome"], record["attempts"], record["target"]) == ("ok", 2, "ns/c/1.00000000")
    assert record["upstream_errors"] == [f"ns/c/0.00000000: {kind}"]
    assert len(good.seen) == 1


@pytest.mark.parametrize("status", ["400 Bad Request", "404 Not Found", "413 Too Large", "422 Unprocessable Entity"])
async def test_a_fault_of_the_request_is_answered_at_once_in_the_upstreams_words(status: str) -> None:
    async with upstream(_failing(status)) as bad, upstream(_GOOD) as good, gateway(_two(bad, good)) as gw:
        answer = await gw.post("/v1/messages", _BODY)
        assert (answer.status, await answer.read()) == (int(status[:3]), _ERROR)
        (record,) = await gw.records()
    assert good.seen == []
    assert (record["outcome"], record["attempts"]) == ("client_error", 1)


@pytest.mark.parametrize("status", ["429 Too Many Requests", "529 Overloaded", "503 Unavailable", "500 Error"])
async def test_the_last_failure_is_the_answer_with_its_own_headers(status: str) -> None:
    last = _failing(status, headers="retry-after: 7\r\nx-should-retry: true\r\nrequest-id: req_up\r\n")
    async with upstream(drop) as first, upstream(last) as second, gateway(_two(first, second)) as gw:
        answer = await gw.post("/v1/messages", _BODY)
        assert (answer.status, await answer.read()) == (int(status[:3]), _ERROR)
        (record,) = await gw.records()
    headers = answer.headers
    assert (headers["retry-after"], headers["x-should-retry"], headers["request-id"]) == ("7", "true", "req_up")
    assert (record["outcome"], record["attempts"]) == ("upstream_error", 2)


@pytest.mark.parametrize("busy", ["429 Too Many Requests", "529 Overloaded"])
@pytest.mark.parametrize("failing", [_failing("401 Unauthorized"), drop, _failing("500 Error"), _nonsense])
async def test_a_broken_target_after_a_busy_one_leaves_the_busy_ones_answer(busy: str, failing: Reply) -> None:
    busy_reply = _failing(busy, headers="retry-after-ms: 1500\r\n")
    async with upstream(busy_reply) as first, upstream(failing) as second, gateway(_two(first, second)) as gw:
        answer = await gw.post("/v1/messages", _BODY)
        assert (answer.status, await answer.read()) == (int(busy[:3]), _ERROR)
        assert answer.headers["retry-after-ms"] == "1500"
        (record,) = await gw.records()
    assert (record["outcome"], record["attempts"]) == ("upstream_error", 2)


async def test_a_fault_of_the_request_is_told_even_after_a_busy_target() -> None:
    busy, bad = _failing("529 Overloaded"), _failing("400 Bad Request", b'{"type":"error","error":{"type":"x"}}')
    async with upstream(busy) as first, upstream(bad) as second, gateway(_two(first, second)) as gw:
        answer = await gw.post("/v1/messages", _BODY)
        assert (answer.status, await answer.read()) == (400, b'{"type":"error","error":{"type":"x"}}')


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
@pytest.mark.parametrize("keyless", [True, False])
async def test_a_refused_credential_of_ours_is_never_the_callers_fault(status: str, keyless: bool) -> None:
    entry = secret_entry("ns.key", b"sk-secret")
    more = {} if keyless else {"secret": entry}
    async with AsyncExitStack() as stack:
        bad = await stack.enter_async_context(upstream(_failing(status, b'{"error":{"message":"no: sk-secret"}}')))
        there = route("c", targets=[_target(bad.url, 0, **more)])
        gw = await stack.enter_async_context(gateway(there, secrets={entry: b"sk-secret"}))
        answer = await gw.post("/v1/messages", _BODY)
        text = await answer.text()
    assert answer.status == 502
    assert json.loads(text)["error"]["type"] == "api_error"
    assert "credential" in text
    assert "sk-secret" not in text


async def test_no_connection_to_any_target_is_a_502_in_the_callers_format() -> None:
    nobody = "http://127.0.0.1:1"
    async with gateway(route("c", targets=[target(wire=Wire.OPENAI, base_url=nobody)])) as gw:
        answer = await gw.post("/v1/chat/completions", {"model": "c", "messages": []})
        assert answer.status == 502
        assert (await answer.json())["error"]["code"] == "upstream_unreachable"
        (record,) = await gw.records()
    assert record["outcome"] == "upstream_error"
    assert [error.partition(": ")[2] for error in record["upstream_errors"]] == ["connect (refused)"]


@pytest.mark.parametrize(("status", "type_"), [("503 Unavailable", "api_error"), ("404 Not Found", "not_found_error")])
@pytest.mark.parametrize("body", [b"<html>nginx</html>", b"", b'"text"', b"<!-- -->" * 200_000])
@pytest.mark.parametrize("after", ["3", "Wed, 21 Oct 2026 07:28:00 GMT"])
async def test_an_error_page_becomes_an_envelope(status: str, type_: str, body: bytes, after: str) -> None:
    page = _failing(status, body, kind="text/html", headers=f"retry-after: {after}\r\n")
    async with upstream(page) as bad, gateway(route("c", targets=[_target(bad.url, 0)])) as gw:
        answer = await gw.post("/v1/messages", _BODY)
        content = await answer.json()
    assert (answer.status, content["error"]["type"], answer.headers["retry-after"]) == (int(status[:3]), type_, after)
    assert answer.headers["content-type"] == "application/json"
    assert content["request_id"] == answer.headers["request-id"]


async def test_a_redirect_is_not_followed() -> None:
    async with upstream(_GOOD) as elsewhere:
        there = _failing("307 Temporary Redirect", headers=f"location: {elsewhere.url}/v1/messages\r\n")
        async with upstream(there) as bad, gateway(route("c", targets=[_target(bad.url, 0)])) as gw:
            answer = await gw.post("/v1/messages", _BODY)
            assert answer.status == 502
            assert "redirect" in await answer.text()
    assert elsewhere.seen == []


@pytest.mark.parametrize("failing", [drop, _empty_stream, _failing("529 Overloaded")])
async def test_a_stream_that_has_not_begun_fails_over(failing: Reply) -> None:
    async with upstream(failing) as bad, upstream(stream(*_EVENTS)) as good, gateway(_two(bad, good)) as gw:
        answer = await gw.post("/v1/messages", {**_BODY, "stream": True})
        assert (answer.status, await answer.read()) == (200, b"".join(_EVENTS))


@pytest.mark.parametrize("before", [(), _EVENTS[:1], (*_EVENTS[:1], *events("ping"))])
async def test_an_overload_within_a_stream_fails_over_before_the_model_said_anything(before: Sequence[bytes]) -> None:
    error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n'
    overloaded = stream(*before, error)
    async with upstream(overloaded) as bad, upstream(stream(*_EVENTS)) as good, gateway(_two(bad, good)) as gw:
        answer = await gw.post("/v1/messages", {**_BODY, "stream": True})
        assert await answer.read() == b"".join(_EVENTS)
        (record,) = await gw.records()
    assert record["upstream_errors"] == ["ns/c/0.00000000: overloaded"]
    assert record["outcome"] == "ok"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (b'data: {"object":"error","message":"out of memory","code":503}\n\n', "overloaded"),
        (b'data: {"choices":[{"delta":{},"finish_reason":"error"}], "error": {"code": 502}}\n\n', "status"),
        (b'data: {"error": {"status": "RESOURCE_EXHAUSTED", "message": "slow down"}}\n\n', "rate_limited"),
        (b"event: error\ndata: upstream connect error\n\n", "status"),
        (b'event: error\ndata: {"type":"error","error":{"type":"authentication_error"}}\n\n', "credential"),
    ],
)
async def test_an_error_in_any_vendors_shape_at_the_start_of_a_stream_fails_over(error: bytes, kind: str) -> None:
    async with upstream(stream(error)) as bad, upstream(stream(*_EVENTS)) as good, gateway(_two(bad, good)) as gw:
        answer = await gw.post("/v1/messages", {**_BODY, "stream": True})
        assert (answer.status, await answer.read()) == (200, b"".join(_EVENTS))
        (record,) = await gw.records()
    assert record["upstream_errors"] == [f"ns/c/0.00000000: {kind}"]


async def test_nothing_is_tried_again_once_the_client_has_a_byte() -> None:
    async def dropped(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(head() + chunk(_EVENTS[0]) + chunk(_EVENTS[1]))
        await writer.drain()
        writer.close()

    async with upstream(dropped) as bad, upstream(stream(*_EVENTS)) as good, gateway(_two(bad, good)) as gw:
        answer = await gw.post("/v1/messages", {**_BODY, "stream": True})
        got = bytearray()
        with pytest.raises(OSError, match=r"not.*complete"):
            await _read_into(got, answer)
        answer.close()
        (record,) = await gw.records()
    assert got == _EVENTS[0] + _EVENTS[1]
    assert good.seen == []
    assert (record["outcome"], record["status"]) == ("upstream_error", 200)
    assert record["upstream_errors"] == ["ns/c/0.00000000: broken"]


async def _read_into(got: bytearray, answer: ClientResponse) -> None:
    try:
        while data := await answer.content.readany():
            got += data
    except ClientError as error:
        raise OSError(str(error)) from None


async def test_a_target_that_is_down_is_not_tried_first_by_every_request() -> None:
    async with upstream(_failing("500 Error")) as bad, upstream(_GOOD) as good, gateway(_two(bad, good)) as gw:
        for _ in range(10):
            assert await (await gw.post("/v1/messages", _BODY)).read() == _ANSWER
        records = await gw.records(10)
    assert len(bad.seen) == FAILURES
    assert [record["attempts"] for record in records] == [2] * FAILURES + [1] * (10 - FAILURES)


async def test_a_target_that_says_when_to_come_back_is_left_alone_until_then() -> None:
    busy = _failing("429 Too Many Requests", headers="retry-after: 60\r\n")
    async with upstream(busy) as bad, upstream(_GOOD) as good, gateway(_two(bad, good)) as gw:
        for _ in range(3):
            assert await (await gw.post("/v1/messages", _BODY)).read() == _ANSWER
    assert len(bad.seen) == 1


async def test_an_ejected_target_is_still_the_last_resort() -> None:
    async with upstream(_failing("500 Error"), _GOOD) as first, upstream(_failing("500 Error")) as second:
        first.replies[:] = [*[_failing("500 Error")] * FAILURES, _GOOD]
        async with gateway(_two(first, second)) as gw:
            for _ in range(FAILURES):
                assert await (await gw.post("/v1/messages", _BODY)).read() == _ERROR
            assert await (await gw.post("/v1/messages", _BODY)).read() == _ANSWER


async def test_targets_of_one_priority_share_the_sessions() -> None:
    async with upstream(_GOOD) as first, upstream(_GOOD) as second:
        pair = [target(base_url=up.url, id=f"ns/c/{n}.0", weight=9 - 8 * n) for n, up in enumerate((first, second))]
        async with gateway(route("c", targets=pair)) as gw:
            for number in range(60):
                session = {"x-claude-code-session-id": str(number)}
                assert await (await gw.post("/v1/messages", _BODY, headers=session)).read() == _ANSWER
    assert len(first.seen) + len(second.seen) == 60
    assert len(first.seen) > len(second.seen) > 0


async def test_the_litellm_lane_is_told_target_and_model_and_keeps_the_clients_headers_out() -> None:
    answer_body = b'{"id":"x","usage":{"prompt_tokens":4}}'
    there = target(wire=Wire.OPENAI, base_url="http://127.0.0.1:1", formats=(), id="ns/c/0.1", model="gemini-pro")
    async with gateway(route("c", targets=[there])) as gw:
        async with upstream(whole(answer_body), path=gw.run_dir / LITELLM_SOCKET) as worker:
            sent = {"x-claude-gateway-target": "ns/other/0.1", "x-api-key": "client", "anthropic-beta": "b"}
            answer = await gw.post("/v1/chat/completions", {"model": "c", "messages": []}, headers=sent)
            assert (answer.status, await answer.read()) == (200, answer_body)
            (record,) = await gw.records()
        assert (record["lane"], record["input_tokens"]) == ("litellm", 4)
    seen = worker.seen[0]
    assert seen.target == "/v1/chat/completions"
    assert json.loads(seen.body) == {"model": "c", "messages": []}
    assert seen.header("x-claude-gateway-target") == "ns/c/0.1"
    assert seen.header("x-claude-gateway-model") == "gemini-pro"
    assert seen.header("x-api-key") is None
    assert seen.header("authorization") is None


async def test_without_a_litellm_worker_the_relay_target_answers() -> None:
    async with upstream(_GOOD) as good:
        lost = target(base_url="http://127.0.0.1:1", formats=(), id="ns/c/0.1")
        async with gateway(route("c", targets=[lost, _target(good.url, 1)])) as gw:
            answer = await gw.post("/v1/messages", _BODY)
            assert (answer.status, await answer.read()) == (200, _ANSWER)


async def test_without_a_litellm_worker_the_error_says_so() -> None:
    lost = target(base_url="http://127.0.0.1:1", formats=(), id="ns/c/0.1")
    async with gateway(route("c", targets=[lost])) as gw:
        answer = await gw.post("/v1/messages", _BODY)
        assert (answer.status, answer.headers["retry-after"]) == (503, "2")
        assert "LiteLLM worker is not running" in await answer.text()


async def test_a_model_name_that_fits_no_header_is_refused() -> None:
    lost = target(base_url="http://127.0.0.1:1", formats=(), id="ns/c/0.1", model="*")
    async with gateway(route("*", targets=[lost])) as gw:
        answer = await gw.post("/v1/messages", {**_BODY, "model": "modèle"})
        assert answer.status == 400
        assert "ASCII" in await answer.text()
