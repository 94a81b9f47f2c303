"""Over sockets: sessions stay at their target while others spread, and move when it is full or fails."""

import asyncio
import json
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import pytest
from aiohttp import ClientPayloadError
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import (
    Gateway,
    Reply,
    Seen,
    Upstream,
    chunk,
    events,
    gateway,
    head,
    stream,
    upstream,
    whole,
)

from claude_gateway.contract.route import Affinity
from claude_gateway.contract.target import Target
from claude_gateway_proxy.gateway.routing.budget import PER_SECOND, SHARE, WINDOW_SECONDS
from claude_gateway_proxy.gateway.routing.order import FACTOR, LEAST

_BODY: Final = {"model": "c", "max_tokens": 9, "messages": []}
_ANSWER: Final = b'{"id":"msg_1","content":[],"usage":{"input_tokens":5,"output_tokens":7}}'
_ERROR: Final = b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}'
_GOOD: Final = whole(_ANSWER)
_BUSY: Final = whole(_ERROR, status="529 Overloaded")
_EVENTS: Final = events("message_start", "content_block_start", "message_delta", "message_stop")


@asynccontextmanager
async def _upstreams(*replies: Reply) -> AsyncIterator[list[Upstream]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(upstream(reply)) for reply in replies]


def _targets(upstreams: Sequence[Upstream], **more: Any) -> list[Target]:
    # What a session's place depends on must not change with the port.
    return [
        target(base_url=up.url, id=f"ns/c/{number}.0", credential=f"ns/{number}.0", **more)
        for number, up in enumerate(upstreams)
    ]


async def _ask(gw: Gateway, session: str, *, agent: str = "", stream: bool = False) -> tuple[int, bytes]:
    headers = {"x-claude-code-session-id": session, **({"x-claude-code-agent-id": agent} if agent else {})}
    answer = await gw.post("/v1/messages", {**_BODY, "stream": stream}, headers=headers)
    return answer.status, await answer.read()


async def test_a_session_stays_at_its_target_for_fifty_turns_while_others_spread() -> None:
    async with _upstreams(_GOOD, _GOOD, _GOOD) as ups, gateway(route("c", targets=_targets(ups))) as gw:
        for turn in range(50):
            assert (await _ask(gw, "ours"))[0] == 200
            assert (await _ask(gw, f"other-{turn}"))[0] == 200
        records = await gw.records(100)
    of_ours = Counter(record["target"] for record in records if record["session"] == "ours")
    of_others = Counter(record["target"] for record in records if record["session"] != "ours")
    assert list(of_ours.values()) == [50]
    assert len(of_others) == 3


@pytest.mark.parametrize(
    ("affinity", "spread"), [(Affinity.SESSION, 1), (Affinity.CLIENT, 1), (Affinity.AGENT, 3), (Affinity.NONE, 3)]
)
async def test_what_stays_together_is_what_the_route_says(affinity: Affinity, spread: int) -> None:
    async with (
        _upstreams(_GOOD, _GOOD, _GOOD) as ups,
        gateway(route("c", targets=_targets(ups), affinity=affinity)) as gw,
    ):
        for number in range(60):
            await _ask(gw, "ours", agent=f"agent-{number}")
    assert sum(bool(up.seen) for up in ups) == spread


async def test_two_gateways_send_a_session_to_the_same_target() -> None:
    async with _upstreams(_GOOD, _GOOD, _GOOD) as ups:
        there = route("c", targets=_targets(ups))
        async with gateway(there) as one, gateway(there) as other:
            for number in range(20):
                await _ask(one, str(number))
                await _ask(other, str(number))
            found = [[(record["session"], record["target"]) for record in await gw.records(20)] for gw in (one, other)]
    assert found[0] == found[1]
    assert len({place for _, place in found[0]}) > 1


async def test_two_hundred_requests_of_one_session_overflow_and_no_target_exceeds_its_limit() -> None:
    running: Counter[int] = Counter()
    most: Counter[int] = Counter()
    all_there = asyncio.Event()

    def waiting(number: int) -> Reply:
        async def reply(seen: Seen, writer: asyncio.StreamWriter) -> None:
            running[number] += 1
            most[number] = max(most[number], running[number])
            if running.total() == 200:
                all_there.set()
            await all_there.wait()
            running[number] -= 1
            await _GOOD(seen, writer)

        return reply

    async with _upstreams(*map(waiting, range(3))) as ups, gateway(route("c", targets=_targets(ups))) as gw:
        answers = await asyncio.gather(*(_ask(gw, "ours", agent=str(n)) for n in range(200)))
        assert {status for status, _ in answers} == {200}
        await gw.idle()
        for up in ups:
            up.replies[:] = [_GOOD]
        for _ in range(LEAST):
            await _ask(gw, "ours")
        records = await gw.records(200 + LEAST)
    assert most.total() == 200
    assert max(most.values()) <= max(LEAST, math.ceil(FACTOR * 200 / 3))
    # When nothing else is in flight, the session is at its target again.
    by_target = Counter(record["target"] for record in records[:200])
    (home,) = {record["target"] for record in records[200:]}
    assert by_target[home] == max(by_target.values())


async def test_a_session_moves_once_when_its_target_is_ejected_and_does_not_move_back() -> None:
    async with _upstreams(_GOOD, _GOOD, _GOOD) as ups, gateway(route("c", targets=_targets(ups))) as gw:
        await _ask(gw, "ours")
        home = (await gw.records(1))[0]["target"]
        at_home = ups[int(home.removeprefix("ns/c/")[0])]
        at_home.replies[:] = [
            whole(_ERROR, status="429 Too Many Requests", headers="retry-after: 1\r\n"),
            _GOOD,
        ]
        for _ in range(5):
            assert await _ask(gw, "ours") == (200, _ANSWER)
        await asyncio.sleep(1.05)
        for number in range(30):
            assert await _ask(gw, "ours") == (200, _ANSWER)
            assert await _ask(gw, f"new-{number}") == (200, _ANSWER)
        records = await gw.records(66)
    ours = [record["target"] for record in records if record["session"] == "ours"]
    assert ours[0] == home
    assert len(set(ours[1:])) == 1
    assert home not in ours[1:]
    # It is well again: others go there.
    assert home in {record["target"] for record in records if record["session"].startswith("new-")}


async def test_a_target_that_is_killed_under_load_fails_over_unseen() -> None:
    asked, killed = asyncio.Event(), asyncio.Event()

    async def dies(_: Seen, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await killed.wait()
        writer.close()

    async def slow(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.02)
        await stream(*_EVENTS)(seen, writer)

    async with _upstreams(dies, slow, slow) as ups, gateway(route("c", targets=_targets(ups))) as gw:
        asking = [asyncio.create_task(_ask(gw, f"session-{n}", stream=True)) for n in range(120)]
        await asked.wait()
        killed.set()
        answers = await asyncio.gather(*asking)
        records = await gw.records(120)
    assert set(answers) == {(200, b"".join(_EVENTS))}
    assert sum(record["attempts"] == 2 for record in records) == len(ups[0].seen) > 0


@pytest.mark.parametrize(
    "failing",
    [
        _BUSY,
        stream(_EVENTS[0], b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n'),
        stream(_EVENTS[0]),
    ],
)
async def test_what_fails_during_the_handshake_is_not_seen_by_the_session(failing: Reply) -> None:
    async with _upstreams(failing, stream(*_EVENTS)) as ups, gateway(route("c", targets=_targets(ups))) as gw:
        for number in range(12):
            assert await _ask(gw, str(number), stream=True) == (200, b"".join(_EVENTS))
    assert len(ups[0].seen) > 0


async def test_no_request_is_sent_twice_after_content() -> None:
    async def breaks_off(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(head() + chunk(_EVENTS[0]) + chunk(_EVENTS[1]))
        await writer.drain()
        writer.close()

    async with (
        _upstreams(breaks_off, breaks_off, breaks_off) as ups,
        gateway(route("c", targets=_targets(ups))) as gw,
    ):
        for number in range(12):
            with pytest.raises(ClientPayloadError):
                await _ask(gw, str(number), stream=True)
    assert sum(len(up.seen) for up in ups) == 12


async def test_in_a_total_outage_the_upstreams_see_no_more_than_the_budget() -> None:
    requests, began = 400, time.monotonic()
    async with _upstreams(_BUSY, _BUSY, _BUSY) as ups, gateway(route("c", targets=_targets(ups))) as gw:
        for begin in range(0, requests, 20):
            answers = await asyncio.gather(*(_ask(gw, str(n)) for n in range(begin, begin + 20)))
            assert set(answers) == {(529, _ERROR)}
    windows = 1 + math.ceil((time.monotonic() - began) / WINDOW_SECONDS)
    sent = sum(len(up.seen) for up in ups)
    assert requests < sent <= requests * (1 + SHARE) + PER_SECOND * WINDOW_SECONDS * windows


async def test_a_limit_of_one_model_leaves_the_others_of_its_target() -> None:
    async def limited(seen: Seen, writer: asyncio.StreamWriter) -> None:
        reply = (
            _GOOD
            if json.loads(seen.body)["model"] != "opus"
            else whole(_ERROR, status="429 Too Many Requests", headers="retry-after: 60\r\n")
        )
        await reply(seen, writer)

    async with _upstreams(limited, _GOOD) as ups:
        first, second = _targets(ups, model="*")
        there = route("*", targets=[first, second.model_copy(update={"priority": 1})])
        async with gateway(there) as gw:
            for model in ("opus", "sonnet", "opus", "sonnet"):
                answer = await gw.post("/v1/messages", {**_BODY, "model": model})
                assert await answer.read() == _ANSWER
    assert [json.loads(seen.body)["model"] for seen in ups[0].seen] == ["opus", "sonnet", "sonnet"]
    assert [json.loads(seen.body)["model"] for seen in ups[1].seen] == ["opus", "opus"]


async def test_a_limit_that_is_used_up_ejects_its_target_until_it_is_reset() -> None:
    exhausted = whole(
        _ERROR,
        status="429 Too Many Requests",
        headers="anthropic-ratelimit-requests-remaining: 0\r\n"
        "anthropic-ratelimit-requests-reset: 2100-01-01T00:00:00Z\r\n",
    )
    async with _upstreams(exhausted, _GOOD) as ups:
        first, second = _targets(ups)
        async with gateway(route("c", targets=[first, second.model_copy(update={"priority": 1})])) as gw:
            for _ in range(4):
                assert await _ask(gw, "ours") == (200, _ANSWER)
            (ejected,) = gw.exchange.ledger.ejected_for_long()
    assert len(ups[0].seen) == 1
    assert (ejected.target, ejected.reason) == ("ns/c/0.0", "rate_limited")
