"""The exchange with a lane that it has never seen: candidates, failover, and who judges tool calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from multidict import CIMultiDict
from tests.support.builders import bundles, calls
from tests.support.processes.inprocess import events, hang, stream, upstream, whole
from yarl import URL

from claude_gateway.contract.route import Timeouts
from claude_gateway.contract.target import Format, Target, Wire
from claude_gateway_proxy.gateway.admission.admission import Admission
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_proxy.gateway.exchange import Choose, Exchange
from claude_gateway_proxy.gateway.identities.clouds import Identities
from claude_gateway_proxy.gateway.lanes.dispatch import Dispatch
from claude_gateway_proxy.gateway.lanes.lane import Sending
from claude_gateway_proxy.gateway.lanes.relay.lane import RelayLane
from claude_gateway_proxy.gateway.routing.choice import Candidate, Choice, LaneName, Why
from claude_gateway_proxy.gateway.telemetry.record import FailedTry, UpstreamError
from claude_gateway_proxy.gateway.upstream.session import Upstreams
from claude_gateway_proxy.masking import NOTHING
from claude_gateway_proxy.unreachable import Obstacle

ANSWER = events("message_start", "content_block_delta")
CLOSING = b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n'


class ThirdLane:
    """A lane that posts every body to one address; what it opened is in ``opened``."""

    name = "third"

    def __init__(self, url: str, *, supports_safeguards: bool = False) -> None:
        self.supports_safeguards = supports_safeguards
        self.opened: list[str] = []
        self.closed = False
        self._url = URL(url)

    def open(self, call: Call, target: Target, *, upstreams: Upstreams) -> Sending:
        self.opened.append(target.id)
        response = upstreams.send(self._url, headers=CIMultiDict(), body=call.body.raw)
        return Sending(response, wire=Wire.ANTHROPIC, mask=NOTHING)

    async def close(self) -> None:
        self.closed = True


class Caller:
    """The client's end of ASGI: stays, and keeps what it gets."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""

    async def receive(self) -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError("the event is never set")

    async def send(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")


def _call(*targets: Target, timeouts: Timeouts | None = None, **more: object) -> Call:
    route = bundles.route("m", targets=targets, timeouts=timeouts or Timeouts())
    return calls.call(route, stream=True, **more)  # type: ignore[arg-type]


def _target(name: str, url: str = "http://127.0.0.1:1") -> Target:
    return Target(id=name, provider="anthropic", model="*", wire=Wire.ANTHROPIC, formats=tuple(Format), base_url=url)


def _always(*candidates: Candidate) -> Choose:
    return lambda call, _: Choice(call.route, rule=None, candidates=candidates, why=Why.PRIORITY)


@asynccontextmanager
async def _exchange(*candidates: Candidate, lane: ThirdLane) -> AsyncIterator[Exchange]:
    exchange = Exchange(
        (lane, RelayLane(Dispatch(Identities()))), admission=Admission(), ping_seconds=0, choose=_always(*candidates)
    )
    try:
        yield exchange
    finally:
        await exchange.close()


async def test_a_candidate_names_its_lane_and_the_record_says_which() -> None:
    async with upstream(stream(*ANSWER, CLOSING)) as there:
        lane, target, caller = ThirdLane(there.url), _target("t"), Caller()
        async with _exchange(Candidate(target, lane="third"), lane=lane) as exchange:
            call = _call(target)
            await exchange.answer(call, caller.receive, caller.send)
    assert (caller.status, caller.body) == (200, b"".join([*ANSWER, CLOSING]))
    assert (lane.opened, lane.closed) == (["t"], True)
    record = call.record
    assert (record.lane, record.target, record.provider, record.attempts) == ("third", "t", "anthropic", 1)
    assert there.seen[0].body == call.body.raw


@pytest.mark.parametrize(("supports", "judged"), [(True, False), (False, True)])
async def test_the_lane_says_whether_tool_calls_are_judged_behind_it(supports: bool, judged: bool) -> None:
    async with upstream(stream(*ANSWER, CLOSING)) as there:
        lane, target, caller = ThirdLane(there.url, supports_safeguards=supports), _target("t"), Caller()
        async with _exchange(Candidate(target, lane="third"), lane=lane) as exchange:
            call = _call(target, safeguards=[{"type": "dangerous_tool_use", "classifier_context": {}}])
            await exchange.answer(call, caller.receive, caller.send)
    assert (b'"safeguard_results"' in caller.body) is judged
    if not judged:
        assert caller.body == b"".join([*ANSWER, CLOSING])


async def test_a_request_fails_over_from_one_lane_to_another() -> None:
    async with upstream(whole(b"busy", status="529 Overloaded")) as busy, upstream(stream(*ANSWER, CLOSING)) as good:
        lane, caller = ThirdLane(busy.url), Caller()
        first, second = _target("first"), _target("second", good.url)
        candidates = (Candidate(first, lane="third"), Candidate(second, lane=LaneName.RELAY))
        async with _exchange(*candidates, lane=lane) as exchange:
            call = _call(first, second)
            await exchange.answer(call, caller.receive, caller.send)
    assert (caller.status, caller.body) == (200, b"".join([*ANSWER, CLOSING]))
    record = call.record
    assert (record.lane, record.target, record.attempts) == ("relay", "second", 2)
    assert record.upstream_errors == [FailedTry("first", "anthropic", UpstreamError.OVERLOADED)]


async def test_the_client_learns_why_nobody_could_be_reached() -> None:
    lane, target, caller = ThirdLane("http://127.0.0.1:1"), _target("t"), Caller()
    async with _exchange(Candidate(target, lane="third"), lane=lane) as exchange:
        call = _call(target)
        with pytest.raises(Failure) as raised:
            await exchange.answer(call, caller.receive, caller.send)
    assert (raised.value.status, raised.value.code) == (502, "upstream_unreachable")
    assert raised.value.message.endswith("could be reached: it refused the connection")
    assert caller.status == 0
    assert (call.record.outcome, call.record.upstream_errors) == (
        "upstream_error",
        [FailedTry("t", "anthropic", UpstreamError.CONNECT, Obstacle.REFUSED)],
    )


async def test_an_end_by_the_total_time_is_counted_against_the_target_that_was_tried() -> None:
    async with upstream(hang) as silent:
        lane, target, caller = ThirdLane(silent.url), _target("t"), Caller()
        async with _exchange(Candidate(target, lane="third"), lane=lane) as exchange:
            call = _call(target, timeouts=Timeouts(total=0.05))
            with pytest.raises(Failure) as raised:
                await exchange.answer(call, caller.receive, caller.send)
    assert raised.value.status == 504
    assert (call.record.outcome, call.record.upstream_errors) == (
        "timeout",
        [FailedTry("t", "anthropic", UpstreamError.STALLED)],
    )
