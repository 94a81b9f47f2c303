"""A 429 that names its reset, in any form and on every lane: the target is ejected until then, and clients learn it."""

import json
import time
from collections.abc import Mapping
from typing import Any, Final

import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import Gateway, Reply, gateway, stream, upstream, whole

from claude_gateway.contract.target import Format, Target, Translation, Wire
from claude_gateway.names import LITELLM_SOCKET

_BODY: Final[dict[str, Any]] = {"model": "c", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
_SAID: Final = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
_GOOGLE: Final = {
    "error": {
        "code": 429,
        "message": "Quota exceeded.",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "200s"}],
    }
}
_WORDS: Final = {"error": {"message": "Rate limit reached. Please try again in 3m20s."}}
_FORMS: Final[dict[str, tuple[Mapping[str, Any], str]]] = {
    "reset": (_SAID, "x-ratelimit-remaining-tokens: 0\r\nx-ratelimit-reset-tokens: 3m20s\r\n"),
    "only a reset": (_SAID, "x-ratelimit-reset-tokens: 200\r\n"),
    "RetryInfo": (_GOOGLE, ""),
    "words": (_WORDS, ""),
    "retry-after": (_WORDS, "retry-after: 200\r\n"),
}


def _limited(form: str) -> Reply:
    body, headers = _FORMS[form]
    kind = "content-type: application/json\r\n"
    return whole(json.dumps(body).encode(), status="429 Too Many Requests", headers=f"{kind}{headers}")


def _target(lane: str, url: str, at: int) -> Target:
    ident = f"ns/c/{at}.00000000"
    if lane == "relay":
        return target(base_url=url, id=ident, priority=at)
    if lane == "codec":
        translated = Translation(codec=(Format.MESSAGES,))
        return target(wire=Wire.OPENAI, base_url=url, id=ident, formats=(), translation=translated, priority=at)
    return Target(id=ident, provider="gemini", model=f"gemini-{at}", formats=(), priority=at)


def _ejected(gw: Gateway) -> dict[str, float]:
    """Seconds until ejected targets are tried again."""
    return {each.target: each.until - time.time() for each in gw.exchange.ledger.ejected()}


async def _ask(gw: Gateway) -> tuple[int, str | None]:
    answer = await gw.post("/v1/messages", _BODY)
    await answer.read()
    return answer.status, answer.headers.get("retry-after")


@pytest.mark.parametrize("form", _FORMS)
@pytest.mark.parametrize("lane", ["relay", "codec", "litellm"])
async def test_all_targets_are_out(lane: str, form: str) -> None:
    async with upstream(_limited(form)) as up:
        there = route("c", targets=[_target(lane, f"{up.url}/{at}", at) for at in range(2)])
        async with gateway(there) as gw, upstream(_limited(form), path=gw.run_dir / LITELLM_SOCKET) as worker:
            assert await _ask(gw) == (429, "200")
            left = _ejected(gw)
            assert len(worker.seen if lane == "litellm" else up.seen) == 2
    assert sorted(left) == ["ns/c/0.00000000", "ns/c/1.00000000"]
    assert all(100 < seconds <= 200 for seconds in left.values())


async def test_the_other_target_serves_until_then() -> None:
    good = whole(b'{"id":"msg_1","content":[],"usage":{"input_tokens":5,"output_tokens":7}}')
    async with upstream(_limited("RetryInfo")) as out, upstream(good) as well:
        there = route("c", targets=[_target("relay", out.url, 0), _target("relay", well.url, 1)])
        async with gateway(there) as gw:
            assert [await _ask(gw) for _ in range(3)] == [(200, None)] * 3
        assert (len(out.seen), len(well.seen)) == (1, 3)


async def test_an_error_event_before_the_answer_says_when() -> None:
    words = {"type": "error", "error": {"type": "rate_limit_error", "message": "Please try again in 200s."}}
    said = stream(b"event: error\ndata: " + json.dumps(words).encode() + b"\n\n")
    async with upstream(said) as first, upstream(_limited("words")) as second:
        there = route("c", targets=[_target("relay", each.url, at) for at, each in enumerate((first, second))])
        async with gateway(there) as gw:
            assert await _ask(gw) == (429, "200")
            assert len(_ejected(gw)) == 2


@pytest.mark.parametrize(
    ("name", "value"), [("retry-after-ms", "1500"), ("anthropic-ratelimit-unified-reset", "4102444800")]
)
async def test_headers_that_clients_read_themselves_stay_alone(name: str, value: str) -> None:
    body = json.dumps(_WORDS).encode()
    said = whole(body, status="429 Too Many Requests", headers=f"{name}: {value}\r\n")
    async with upstream(said) as up, gateway(route("c", targets=[_target("relay", up.url, 0)])) as gw:
        answer = await gw.post("/v1/messages", _BODY)
        await answer.read()
    assert (answer.headers.get("retry-after"), answer.headers[name]) == (None, value)
