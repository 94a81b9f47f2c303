"""A LiteLLM worker that is late, dies and comes back, and what it reports of upstreams that give no answer."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import aiohttp
import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import Gateway, drop, gateway, upstream, whole
from tests.support.processes.waiting import until_async

from claude_gateway.contract.bundle import secret_entry
from claude_gateway.contract.route import Route
from claude_gateway.contract.target import Target, Wire
from claude_gateway.names import LITELLM_SOCKET
from claude_gateway_proxy.gateway.upstream import worker as connection
from claude_gateway_proxy.unreachable import Obstacle

ENTRY = secret_entry("target", b"sk-own-secret")
ANSWER = b'{"type":"message","usage":{"input_tokens":1,"output_tokens":1}}'
TRANSLATED = target(wire=Wire.OPENAI, base_url="http://127.0.0.1:1")
FORWARDED = target(base_url="http://127.0.0.1:1", forward_client_token=True)
BODY = {"model": "m", "max_tokens": 1}


async def _ask(gw: Gateway, path: str = "/v1/messages") -> tuple[int, Mapping[str, str], str]:
    """Status, headers and body of a request's answer."""
    async with await gw.post(path, BODY) as answer:
        return answer.status, answer.headers, await answer.text()


async def _until(ask: Callable[[], bool]) -> None:
    async def asked() -> bool:
        return ask()

    await until_async(asked)


async def _ready(url: str, client: aiohttp.ClientSession) -> int:
    async with client.get(f"{url}/readyz") as answer:
        return answer.status


@pytest.mark.parametrize("there", [TRANSLATED, target(base_url="http://127.0.0.1:1")])
async def test_readiness_waits_for_the_worker_once(there: Target) -> None:
    async with gateway(route("m", targets=[there])) as gw:
        assert await _ready(gw.url, gw.client) == 503
        async with upstream(whole(ANSWER), path=gw.run_dir / LITELLM_SOCKET):
            assert await _ready(gw.url, gw.client) == 200
        (gw.run_dir / LITELLM_SOCKET).unlink(missing_ok=True)
        assert await _ready(gw.url, gw.client) == 200, "a worker that restarts does not end readiness"


@pytest.mark.parametrize("routes", [[], [route("m", targets=[FORWARDED])]])
async def test_readiness_does_not_wait_for_a_worker_that_no_target_needs(routes: list[Route]) -> None:
    async with gateway(*routes) as gw:
        assert await _ready(gw.url, gw.client) == 200


async def _late(path: Path) -> None:
    async with upstream(whole(ANSWER), path=path):
        await asyncio.Event().wait()


async def test_requests_wait_for_a_worker_that_starts() -> None:
    async with gateway(route("m", targets=[TRANSLATED])) as gw:
        requests = [asyncio.create_task(_ask(gw)) for _ in range(5)]
        await _until(lambda: gw.app.in_flight == len(requests))
        starting = asyncio.create_task(_late(gw.run_dir / LITELLM_SOCKET))
        assert {(await request)[0] for request in requests} == {200}
        starting.cancel()


async def test_a_worker_that_stays_away_is_a_503_with_the_time_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "WAIT_SECONDS", 0.3)
    async with gateway(route("m", targets=[TRANSLATED])) as gw:
        status, headers, body = await _ask(gw)
        assert (status, headers["retry-after"]) == (503, "2")
        assert "LiteLLM worker is not running" in body
        (line,) = await gw.records()
    assert line["upstream_errors"] == [f"{TRANSLATED.id}: connect (worker)"]


async def test_a_kept_connection_of_a_worker_that_died_is_replaced() -> None:
    async with gateway(route("m", targets=[TRANSLATED])) as gw:
        path = gw.run_dir / LITELLM_SOCKET
        async with upstream(whole(ANSWER), drop, path=path) as first:
            assert (await _ask(gw))[0] == 200
            answering = asyncio.create_task(_ask(gw))
            await _until(lambda: len(first.seen) == 2)
        path.unlink(missing_ok=True)
        async with upstream(whole(ANSWER), path=path) as second:
            assert (await answering)[0] == 200
    assert len(second.seen) == 1


async def test_a_request_that_the_worker_dies_of_is_sent_twice_at_most() -> None:
    async with (
        gateway(route("m", targets=[TRANSLATED])) as gw,
        upstream(drop, path=gw.run_dir / LITELLM_SOCKET) as worker,
    ):
        status, headers, _ = await _ask(gw)
        assert (status, headers["retry-after"]) == (503, "2")
        assert len(worker.seen) == 2


async def test_a_worker_that_dies_later_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_STALE_SECONDS", -1.0)
    async with (
        gateway(route("m", targets=[TRANSLATED])) as gw,
        upstream(drop, path=gw.run_dir / LITELLM_SOCKET) as worker,
    ):
        assert (await _ask(gw))[0] == 503
        assert len(worker.seen) == 1


async def test_the_end_of_the_gateway_ends_the_wait() -> None:
    async with gateway(route("m", targets=[TRANSLATED])) as gw:
        waiting = asyncio.create_task(_ask(gw))
        await _until(lambda: gw.app.in_flight == 1)
    with pytest.raises(aiohttp.ClientError):
        await waiting


@pytest.mark.parametrize(
    ("obstacle", "words", "kind"),
    [
        (Obstacle.REFUSED, "it refused the connection", "connect"),
        (Obstacle.CERTIFICATE, "certificate is not trusted", "connect"),
        (Obstacle.ADDRESS, "may not call", "address"),
        (Obstacle.BROKEN, "closed the connection before", "broken"),
    ],
)
async def test_what_the_worker_found_in_the_way_is_counted_as_on_the_relay(
    obstacle: Obstacle, words: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    names = f"x-claude-gateway-obstacle: {obstacle.value}\r\nx-claude-gateway-detail: the details\r\n"
    reply = whole(b"{}", status="502 Bad Gateway", headers=names)
    async with (
        gateway(route("m", targets=[TRANSLATED])) as gw,
        upstream(reply, path=gw.run_dir / LITELLM_SOCKET),
    ):
        assert (await _ask(gw, "/v1/chat/completions"))[0] == 502, "the relay lane, with nobody behind it"
        status, headers, body = await _ask(gw)
        assert (status, words in body) == (502, True)
        assert not [name for name in headers if name.startswith("x-claude-gateway-")]
        _, line = await gw.records(2)
        metrics = gw.metrics.text().decode()
    assert line["upstream_errors"] == [f"{TRANSLATED.id}: {kind} ({obstacle.value})"]
    assert f'kind="{kind}",provider="hosted_vllm",reason="{obstacle.value}",route="ns/m"' in metrics
    entry = [record for record in caplog.records if record.getMessage() == "upstream_unreachable"][-1]
    assert (entry.__dict__["fields"]["reason"], entry.__dict__["fields"]["error"]) == (obstacle.value, "the details")


async def test_the_log_has_an_upstreams_status_and_words_without_keys(caplog: pytest.LogCaptureFixture) -> None:
    said = b'{"error":{"message":"the key sk-own-secret\\n is dead"}}'
    async with upstream(whole(said, status="401 Unauthorized")) as there:
        found = target(base_url=there.url, secret=ENTRY)
        async with gateway(route("m", targets=[found]), secrets={ENTRY: b"sk-own-secret"}) as gw:
            assert (await _ask(gw))[0] == 502
    (entry,) = [record for record in caplog.records if record.getMessage() == "upstream_refused"]
    fields = entry.__dict__["fields"]
    assert (fields["status"], fields["message"]) == (401, "the key [key] is dead")


async def test_words_about_the_request_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    said = b'{"error":{"message":"what is: my secret plan"}}'
    async with (
        upstream(whole(said, status="400 Bad Request")) as there,
        gateway(route("m", targets=[target(base_url=there.url)])) as gw,
    ):
        assert (await _ask(gw))[0] == 400
    (entry,) = [record for record in caplog.records if record.getMessage() == "upstream_refused"]
    assert (entry.__dict__["fields"]["status"], entry.__dict__["fields"]["message"]) == (400, "")


@pytest.mark.parametrize(
    "page",
    [
        b"<html>The plain HTTP request was sent to HTTPS port</html>",
        b"Client sent an HTTP request to an HTTPS server.\n",
    ],
)
async def test_plain_http_on_a_port_for_tls_is_no_error_of_the_request(page: bytes) -> None:
    reply = whole(page, status="400 Bad Request", headers="content-type: text/html\r\n")
    async with upstream(reply) as there, gateway(route("m", targets=[target(base_url=there.url)])) as gw:
        status, _, body = await _ask(gw)
        assert status == 502
        assert "does not speak plain HTTP" in body


async def test_a_connection_that_ends_at_plain_http_hints_at_tls(caplog: pytest.LogCaptureFixture) -> None:
    async with upstream(drop) as there, gateway(route("m", targets=[target(base_url=there.url)])) as gw:
        assert (await _ask(gw))[0] == 502
    (entry,) = [record for record in caplog.records if record.getMessage() == "upstream_unreachable"]
    fields = entry.__dict__["fields"]
    assert fields["reason"] == "closed"
    assert "may expect https" in fields["error"]
