"""Counts of tokens: the target's own, or an honest no; an estimate only where the route allows it."""

from typing import Any

import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import Gateway, Reply, Upstream, drop, gateway, upstream, whole

from claude_gateway.contract.route import Route
from claude_gateway.names import LITELLM_SOCKET
from claude_gateway_proxy.gateway.body import estimate

_BODY = b'{"model":"c", "messages":[{"role":"user","content":"how many are these?"}]}'
_COUNT = b'{"input_tokens": 12345}'
_NO = b'{"type":"error","error":{"type":"not_supported_error","message":"it cannot count"}}'


def _refusal(status: str, headers: str = "") -> Reply:
    return whole(_NO, status=status, headers=f"content-type: application/json\r\n{headers}")


def _estimating(up: Upstream, **more: Any) -> Route:
    return route("c", targets=[target(base_url=up.url, id="ns/c/0.1", **more)], estimate_tokens=True)


async def _ask(gw: Gateway, body: bytes = _BODY) -> tuple[int, str | None, bytes]:
    answer = await gw.post("/v1/messages/count_tokens?beta=true", body)
    return answer.status, answer.headers.get("x-token-count"), await answer.read()


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_target_that_counts_is_asked(allowed: bool) -> None:
    async with upstream(whole(_COUNT)) as up:
        there = route("c", targets=[target(base_url=up.url, model="*")], estimate_tokens=allowed)
        async with gateway(there) as gw:
            assert await _ask(gw) == (200, None, _COUNT)
    assert (up.seen[0].target, up.seen[0].body) == ("/v1/messages/count_tokens?beta=true", _BODY)


@pytest.mark.parametrize("status", ["501 Not Implemented", "404 Not Found", "405 Method Not Allowed"])
async def test_a_target_that_cannot_count_says_so(status: str) -> None:
    refusal = _refusal(status, "x-should-retry: false\r\n")
    async with upstream(refusal) as up, gateway(route("c", targets=[target(base_url=up.url)])) as gw:
        answer = await gw.post("/v1/messages/count_tokens", _BODY)
        assert (answer.status, await answer.read()) == (int(status[:3]), _NO)
        assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("status", ["501 Not Implemented", "404 Not Found", "405 Method Not Allowed"])
@pytest.mark.parametrize("lane", ["relay", "litellm"])
async def test_then_an_estimate_is_given_where_the_route_allows_it(status: str, lane: str) -> None:
    more: dict[str, Any] = {} if lane == "relay" else {"formats": ()}
    async with (
        upstream(_refusal(status)) as up,
        gateway(_estimating(up, **more)) as gw,
        upstream(_refusal(status), path=gw.run_dir / LITELLM_SOCKET),
    ):
        found = b'{"input_tokens":%d}' % estimate.tokens(_BODY)
        assert await _ask(gw) == (200, "estimate", found)
        large = _BODY.replace(b"how many", b"how many, " * 100_000)
        assert await _ask(gw, large) == (200, "estimate", b'{"input_tokens":%d}' % estimate.tokens(large))
        records = await gw.records(2)
    assert {(record["status"], record["outcome"], record["lane"]) for record in records} == {(200, "ok", lane)}


@pytest.mark.parametrize("failing", [_refusal("529 Overloaded"), _refusal("400 Bad Request"), drop])
async def test_an_upstream_in_trouble_is_no_reason_to_guess(failing: Reply) -> None:
    async with upstream(failing) as up, gateway(_estimating(up)) as gw:
        status, mark, _ = await _ask(gw)
    assert status >= 400
    assert mark is None


async def test_an_answer_is_never_an_estimate() -> None:
    async with upstream(_refusal("404 Not Found")) as up, gateway(_estimating(up)) as gw:
        answer = await gw.post("/v1/messages", _BODY)
        assert (answer.status, await answer.read()) == (404, _NO)
