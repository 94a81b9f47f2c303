"""A request that is too long for one target is tried at a target with a larger window, on every lane."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import (
    Gateway,
    Reply,
    Upstream,
    drop,
    events,
    gateway,
    limited,
    stream,
    upstream,
    whole,
)

from claude_gateway.contract.limits import Limits
from claude_gateway.contract.target import Format, Target, Translation, Wire
from claude_gateway.names import LITELLM_SOCKET
from claude_gateway_proxy.gateway.routing.budget import PER_SECOND, WINDOW_SECONDS
from claude_gateway_proxy.gateway.routing.health import FAILURES

_BODY: Final[dict[str, Any]] = {"model": "c", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
_ANSWER: Final = b'{"id":"msg_1","content":[],"usage":{"input_tokens":5,"output_tokens":7}}'
_GOOD: Final = whole(_ANSWER)
_EVENTS: Final = b"".join(events("message_start", "content_block_start", "message_delta", "message_stop"))
_WORDS: Final = "prompt is too long: 5000 tokens > 4096 maximum"
_VLLM: Final = "Input length (5000) exceeds model's maximum context length (4096)."
_NO_NUMBERS: Final = "Input is too long for requested model."
_BUSY: Final = whole(b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}', status="529 Overloaded")


def _error(words: str, **more: object) -> bytes:
    return json.dumps({"type": "error", "error": {"type": "invalid_request_error", "message": words, **more}}).encode()


def _too_long(words: str = _WORDS, status: str = "400 Bad", **more: object) -> Reply:
    return whole(_error(words, **more), status=status)


def _in_stream(*before: str, words: str = _VLLM) -> Reply:
    return stream(b"".join(events(*before)) + b"event: error\ndata: " + _error(words) + b"\n\n")


@asynccontextmanager
async def _targets(
    *replies: Reply, windows: Sequence[int | None], **more: Any
) -> AsyncIterator[tuple[Gateway, list[Upstream]]]:
    """Run a gateway whose route asks the upstreams in their order; each has one of the windows."""
    async with AsyncExitStack() as stack:
        ups = [await stack.enter_async_context(upstream(reply)) for reply in replies]
        there = [_target(up, at, tokens, **more) for at, (up, tokens) in enumerate(zip(ups, windows, strict=True))]
        yield await stack.enter_async_context(gateway(route("c", targets=there))), ups


def _target(up: Upstream, at: int, tokens: int | None, **more: Any) -> Target:
    return target(base_url=up.url, id=f"ns/c/{at}.00000000", priority=at, context_window=tokens, **more)


async def _status(gw: Gateway) -> int:
    answer = await gw.post("/v1/messages", _BODY)
    await answer.read()
    return answer.status


@pytest.mark.parametrize("status", ["400 Bad", "413 Too Large", "422 Unprocessable"])
@pytest.mark.parametrize("words", [_WORDS, _VLLM, _NO_NUMBERS])
@pytest.mark.parametrize("windows", [(4096, 200_000), (4096, None), (None, 200_000), (None, None)])
async def test_the_next_target_that_takes_more_answers(
    windows: tuple[int | None, int | None], words: str, status: str
) -> None:
    async with _targets(_too_long(words, status), _GOOD, windows=windows) as (gw, ups):
        answer = await gw.post("/v1/messages", _BODY)
        assert (answer.status, await answer.read()) == (200, _ANSWER)
        (record,) = await gw.records()
    assert (record["outcome"], record["attempts"], record["target"]) == ("ok", 2, "ns/c/1.00000000")
    assert [len(up.seen) for up in ups] == [1, 1]


@pytest.mark.parametrize(
    ("words", "windows"),
    [
        (_WORDS, (4096, 4096)),
        (_WORDS, (4096, 2048)),
        # What the upstream says of its window counts, not what was believed.
        (_WORDS, (None, 4096)),
        (_WORDS, (1_000, 4000)),
        (_NO_NUMBERS, (4096, 4096)),
    ],
)
async def test_a_target_that_takes_no_more_is_not_asked(words: str, windows: tuple[int | None, int]) -> None:
    async with _targets(_too_long(words), _GOOD, windows=windows) as (gw, ups):
        answer = await gw.post("/v1/messages", _BODY)
        said = (await answer.json())["error"]["message"]
    assert (answer.status, said.startswith("prompt is too long: ")) == (400, True)
    assert ups[1].seen == []


async def test_a_stated_window_that_is_too_large_hides_no_target() -> None:
    async with _targets(_too_long(), _GOOD, windows=(1_000_000, 200_000)) as (gw, _):
        assert await _status(gw) == 200


async def test_the_turn_is_of_those_that_take_as_many_tokens_as_were_counted() -> None:
    async with _targets(_too_long(), _GOOD, _GOOD, windows=(4096, 4500, 200_000)) as (gw, ups):
        assert await _status(gw) == 200
        assert [len(up.seen) for up in ups] == [1, 0, 1]
    # Tokenizers differ: where none is large enough for the count, the largest decides.
    async with _targets(_too_long(), _GOOD, _GOOD, windows=(4096, 4500, 4700)) as (gw, ups):
        assert await _status(gw) == 200
        assert [len(up.seen) for up in ups] == [1, 0, 1]


async def test_the_same_model_at_the_same_place_is_not_asked_again() -> None:
    async with upstream(_too_long(), _GOOD) as up:
        there = route("c", targets=[_target(up, 0, None), _target(up, 1, None)])
        async with gateway(there) as gw:
            assert await _status(gw) == 400
        assert len(up.seen) == 1


async def test_if_none_takes_it_the_client_gets_the_largest_window_in_the_words_at_which_it_compacts() -> None:
    larger = _too_long("Input length (5100) exceeds model's maximum context length (5000).")
    for replies in ((_too_long(), larger), (larger, _too_long())):
        async with _targets(*replies, windows=(None, None)) as (gw, ups):
            answer = await gw.post("/v1/messages", _BODY)
            said = (await answer.json())["error"]
            (record,) = await gw.records()
        assert (answer.status, said["type"]) == (400, "invalid_request_error")
        assert said["message"] == "prompt is too long: 5100 tokens > 5000 maximum"
        assert (record["outcome"], record["attempts"]) == ("client_error", 2)
        assert [len(up.seen) for up in ups] == [1, 1]


@pytest.mark.parametrize("windows", [(4096, 200_000, 200_000), (4096, None, None)])
async def test_a_busy_target_that_may_take_it_is_worth_a_retry(windows: tuple[int | None, ...]) -> None:
    for replies in ((_too_long(), _BUSY, drop), (_too_long(), drop, _BUSY)):
        async with _targets(*replies, windows=windows) as (gw, ups):
            assert await _status(gw) == 529
        assert [len(up.seen) for up in ups] == [1, 1, 1]


@pytest.mark.parametrize(("first", "status"), [(200_000, 529), (None, 529), (4096, 400)])
async def test_a_busy_target_before_it_counts_only_if_it_may_take_it(first: int | None, status: int) -> None:
    async with _targets(_BUSY, _too_long(), windows=(first, 4096)) as (gw, _):
        assert await _status(gw) == status


@pytest.mark.parametrize("broken", [drop, _too_long("tools: bad", "401 Unauthorized"), _too_long("temperature: 2 > 1")])
async def test_a_larger_target_that_is_broken_leaves_the_words_at_which_the_client_compacts(broken: Reply) -> None:
    async with _targets(_too_long(_VLLM), broken, windows=(4096, None)) as (gw, ups):
        answer = await gw.post("/v1/messages", _BODY)
        assert (answer.status, (await answer.json())["error"]["message"]) == (400, _WORDS)
        assert len(ups[1].seen) == 1


async def test_it_is_neither_the_targets_fault_nor_an_outage() -> None:
    """More requests than the retry budget has tries: nothing is ejected, and all are answered."""
    number = PER_SECOND * WINDOW_SECONDS * 2
    assert number > FAILURES
    async with _targets(_too_long(), _GOOD, windows=(4096, None)) as (gw, ups):
        for _ in range(number):
            assert await _status(gw) == 200
        assert [len(up.seen) for up in ups] == [number, number]
        assert gw.exchange.ledger.ejected() == ()


async def test_a_larger_target_without_room_may_take_it_later() -> None:
    one = Limits(requests_per_minute=1)
    async with upstream(_too_long()) as small, upstream(_GOOD) as large:
        there = route("c", targets=[_target(small, 0, 4096), _target(large, 1, None, limits=one)])
        async with gateway(there, admission=limited(seconds=0)) as gw:
            assert [await _status(gw) for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("before", [(), ("message_start",), ("message_start", "ping")])
@pytest.mark.parametrize("words", [_WORDS, _VLLM])
async def test_within_a_stream_before_the_model_said_anything(before: tuple[str, ...], words: str) -> None:
    body = {**_BODY, "stream": True}
    async with _targets(_in_stream(*before, words=words), stream(_EVENTS), windows=(4096, None)) as (gw, _):
        answer = await gw.post("/v1/messages", body)
        assert (answer.status, await answer.read()) == (200, _EVENTS)
    async with _targets(_in_stream(*before, words=words), stream(_EVENTS), windows=(4096, 4096)) as (gw, _):
        answer = await gw.post("/v1/messages", body)
        assert (answer.status, (await answer.json())["error"]["message"]) == (400, _WORDS)


async def test_within_the_stream_of_the_only_target_the_words_are_those_at_which_claude_code_compacts() -> None:
    body = {**_BODY, "stream": True}
    async with _targets(_in_stream("message_start"), windows=(None,)) as (gw, _):
        answer = await gw.post("/v1/messages", body)
        assert (answer.status, (await answer.json())["error"]["message"]) == (400, _WORDS)
    async with _targets(_in_stream(words=_WORDS), windows=(None,)) as (gw, _):
        answer = await gw.post("/v1/messages", body)
        assert (answer.status, await answer.read()) == (200, b"event: error\ndata: " + _error(_WORDS) + b"\n\n")


_CHAT_ANSWER: Final = b'{"choices":[{"index":0,"message":{"content":"Hello"},"finish_reason":"stop"}]}'
_FAILED: Final = {"error": {"code": "context_length_exceeded", "message": "Your input exceeds the context window."}}
_OPENAI: Final = json.dumps({"error": {"code": "context_length_exceeded", "message": "too long"}}).encode()


@pytest.mark.parametrize(
    ("path", "format", "reply"),
    [
        ("/v1/chat/completions", Format.CHAT, whole(_OPENAI, status="400 Bad")),
        ("/v1/responses", Format.RESPONSES, whole(_OPENAI, status="400 Bad")),
        (
            "/v1/responses",
            Format.RESPONSES,
            stream(
                b'event: response.created\ndata: {"type":"response.created","response":{"error":null}}\n\n'
                b"event: response.failed\ndata: "
                + json.dumps({"type": "response.failed", "response": _FAILED}).encode()
                + b"\n\n"
            ),
        ),
    ],
    ids=["chat", "responses", "response.failed"],
)
async def test_openais_formats(path: str, format: Format, reply: Reply) -> None:
    body = {"model": "c", "messages": [{"role": "user", "content": "hi"}], "input": "hi"}
    more: dict[str, Any] = {"wire": Wire.OPENAI, "formats": (format,)}
    async with _targets(reply, _GOOD, windows=(4096, None), **more) as (gw, _):
        answer = await gw.post(path, body)
        assert (answer.status, await answer.read()) == (200, _ANSWER)
    async with _targets(reply, _GOOD, windows=(4096, 4096), **more) as (gw, _):
        answer = await gw.post(path, body)
        assert (answer.status, (await answer.json())["error"]["code"]) == (400, "context_length_exceeded")


@pytest.mark.parametrize("asked", [False, True], ids=["whole", "streamed"])
async def test_on_the_codec_lane(asked: bool) -> None:
    translated = Translation(codec=(Format.MESSAGES,))
    said = "This model's maximum prompt length is 4096 but the request contains 5000 tokens."
    refused = whole(json.dumps({"error": {"message": said}}).encode(), status="400 Bad")
    chat = whole(_CHAT_ANSWER)
    if asked:
        chat = stream(
            b'data: {"choices":[{"index":0,"delta":{"content":"Hello"}}]}\n\n'
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
        )
    async with upstream(refused) as small, upstream(chat) as large:
        more: dict[str, Any] = {"wire": Wire.OPENAI, "formats": (), "translation": translated}
        there = [_target(up, at, tokens, **more) for at, (up, tokens) in enumerate([(small, 4096), (large, None)])]
        async with gateway(route("c", targets=there)) as gw:
            answer = await gw.post("/v1/messages", {**_BODY, "stream": asked})
            assert (answer.status, b"Hello" in await answer.read()) == (200, True)
            (record,) = await gw.records()
    assert (record["lane"], record["attempts"]) == ("codec", 2)


async def test_between_lanes() -> None:
    """The LiteLLM worker has the words already, and a relayed Claude takes more."""
    async with upstream(_GOOD) as large:
        small = Target(id="ns/c/0.00000000", provider="gemini", model="gemini-x", formats=())
        there = route("c", targets=[small, _target(large, 1, None)])
        async with gateway(there) as gw, upstream(_too_long(), path=gw.run_dir / LITELLM_SOCKET) as worker:
            answer = await gw.post("/v1/messages", _BODY)
            assert (answer.status, await answer.read()) == (200, _ANSWER)
            (record,) = await gw.records()
            assert len(worker.seen) == 1
    assert (record["lane"], record["attempts"]) == ("relay", 2)
