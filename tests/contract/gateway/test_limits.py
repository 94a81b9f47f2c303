"""Limits of clients, routes and targets: who waits, who is rejected and how, and what counts."""

import asyncio
import json
import math
import time
from collections.abc import Mapping
from typing import Any

import pytest
from tests.contract.gateway.test_safeguards import SAFEGUARDS, calling, sensible
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import (
    KEY,
    Gateway,
    Seen,
    chunk,
    drop,
    gateway,
    head,
    limited,
    stream,
    upstream,
    whole,
)
from tests.support.processes.waiting import until_async

from claude_gateway.contract.client import Client, Priority
from claude_gateway.contract.limits import Limits
from claude_gateway.contract.target import Target
from claude_gateway.names import LITELLM_SOCKET
from claude_gateway_proxy.gateway.admission.admission import Admission
from claude_gateway_proxy.gateway.admission.limits import RateLimits
from claude_gateway_proxy.gateway.admission.queue import Patience

_OTHER = "cgw_another-key"


def _answer(**usage: int) -> bytes:
    return json.dumps({"type": "message", "usage": usage}).encode()


_OK = whole(_answer(input_tokens=5, output_tokens=7))


def _dev(priority: Priority = Priority.INTERACTIVE, **limits: int) -> dict[str, Client]:
    return {KEY: Client(name="ns/dev", limits=Limits(**limits) if limits else None, priority=priority)}


async def _status(gw: Gateway, model: str = "c", **more: Any) -> int:
    return (await _ask(gw, model, **more))[0]


async def _ask(
    gw: Gateway, model: str = "c", *, path: str = "/v1/messages", key: str = KEY, **more: Any
) -> tuple[int, Mapping[str, str], bytes]:
    headers = {"authorization": f"Bearer {key}"}
    async with await gw.post(path, {"model": model, "messages": [], **more}, headers=headers) as response:
        return response.status, response.headers, await response.read()


class _Held:
    """An upstream's answers that begin at once and end when the test says so."""

    def __init__(self) -> None:
        self.free = asyncio.Event()
        self.asked = 0

    async def __call__(self, _: Seen, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        body = b'{"type":"message"}'
        writer.write(head(kind="application/json") + chunk(body[:5]))
        await self.free.wait()
        writer.write(chunk(body[5:]) + chunk(b""))


async def _until(condition: Any, what: str) -> None:
    async def ask() -> bool:
        return bool(condition())

    await until_async(ask, what=what)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/messages", ("error", "type", "rate_limit_error")),
        ("/v1/chat/completions", ("error", "code", "rate_limit_exceeded")),
        ("/v1/responses", ("error", "type", "rate_limit_error")),
    ],
)
async def test_what_is_over_the_limit_is_rejected_in_its_format(path: str, kind: tuple[str, str, str]) -> None:
    async with (
        upstream(_OK) as up,
        gateway(
            route("c", targets=[target(base_url=up.url)]),
            clients=_dev(requests_per_minute=2),
            admission=limited(seconds=0),
        ) as gw,
    ):
        assert [await _status(gw) for _ in range(2)] == [200, 200]
        status, headers, body = await _ask(gw, path=path, input="x")
        records = await gw.records(3)
        metrics = gw.metrics.text().decode()
    assert (status, headers["retry-after"], headers["x-should-retry"]) == (429, "30", "true")
    assert json.loads(body)[kind[0]][kind[1]] == kind[2]
    message = "the client 'ns/dev' may use 2 requests per minute; try again in 30 s"
    assert json.loads(body)["error"]["message"] == message
    assert (records[2]["outcome"], records[2]["error"], records[2]["attempts"]) == ("refused", message, 0)
    assert 'claude_gateway_limited_total{client="ns/dev",limit="client_requests",route="ns/c"} 1.0' in metrics
    assert len(up.seen) == 2


async def test_a_request_over_the_limit_waits_and_is_answered() -> None:
    held = _Held()
    async with (
        upstream(held) as up,
        gateway(route("c", targets=[target(base_url=up.url)], limits=Limits(concurrent=1))) as gw,
    ):
        first = asyncio.create_task(_status(gw))
        await _until(lambda: held.asked == 1, "the first request")
        second = asyncio.create_task(_status(gw))
        await _until(lambda: gw.app.in_flight == 2, "the second request")
        held.free.set()
        assert (await first, await second) == (200, 200)
        records = await gw.records(2)
        metrics = gw.metrics.text().decode()
    assert "queued_ms" not in records[0]
    assert records[1]["queued_ms"] > 0
    assert 'claude_gateway_queue_wait_seconds_count{route="ns/c"} 1.0' in metrics


async def test_a_client_that_leaves_while_it_waits_is_forgotten() -> None:
    held = _Held()
    async with (
        upstream(held) as up,
        gateway(route("c", targets=[target(base_url=up.url)]), clients=_dev(concurrent=1)) as gw,
    ):
        first = asyncio.create_task(_status(gw))
        await _until(lambda: held.asked == 1, "the first request")
        second = asyncio.create_task(_status(gw))
        await _until(lambda: gw.app.in_flight == 2, "the second request")
        second.cancel()
        await _until(lambda: gw.app.in_flight == 1, "the second request to be forgotten")
        third = asyncio.create_task(_status(gw))
        held.free.set()
        assert (await first, await third) == (200, 200)
        records = await gw.records(3)
    assert [record["status"] for record in records] == [499, 200, 200]
    assert held.asked == 2


@pytest.mark.parametrize("reply", [drop, whole(b"{}", status="400 Bad Request")], ids=["broken", "rejected"])
async def test_a_slot_is_free_however_its_request_ended(reply: Any) -> None:
    async with (
        upstream(reply, reply, _OK) as up,
        gateway(
            route("c", targets=[target(base_url=up.url)]), clients=_dev(concurrent=1), admission=limited(seconds=0)
        ) as gw,
    ):
        assert [await _status(gw) for _ in range(3)][2] == 200


async def test_one_at_a_time_and_the_others_are_rejected_or_served_in_turn() -> None:
    held = _Held()
    async with (
        upstream(held) as up,
        gateway(
            route("c", targets=[target(base_url=up.url)]), clients=_dev(concurrent=1), admission=limited(seconds=0.05)
        ) as gw,
    ):
        first = asyncio.create_task(_ask(gw))
        await _until(lambda: held.asked == 1, "the first request")
        status, headers, body = await _ask(gw)
        held.free.set()
        assert (await first)[0] == 200
    assert (status, headers["retry-after"]) == (429, "1")
    assert b"the client 'ns/dev' may have 1 request in flight at one time" in body


async def test_input_tokens_are_estimated_and_then_corrected() -> None:
    async with (
        upstream(whole(_answer(input_tokens=10, cache_creation_input_tokens=20, cache_read_input_tokens=5000))) as up,
        gateway(
            route("c", targets=[target(base_url=up.url)]),
            clients=_dev(input_tokens_per_minute=1000),
            admission=limited(seconds=0),
        ) as gw,
    ):
        text = "word " * 500  # about 840 tokens by the estimate, and 30 by the upstream's count
        assert [await _status(gw, system=text) for _ in range(4)] == [200] * 4
        gone = await asyncio.gather(*(_status(gw, system=text) for _ in range(2)))
    assert sorted(gone) == [200, 429]


async def test_output_tokens_are_paid_off_before_the_next_request() -> None:
    async with (
        upstream(whole(_answer(input_tokens=1, output_tokens=3000))) as up,
        gateway(
            route("c", targets=[target(base_url=up.url)]),
            clients=_dev(output_tokens_per_minute=1000),
            admission=limited(seconds=0),
        ) as gw,
    ):
        began = time.monotonic()
        assert await _status(gw) == 200
        status, headers, _ = await _ask(gw)
        passed = math.floor(time.monotonic() - began)
        counted = await _status(gw, path="/v1/messages/count_tokens")
    assert (status, 121 - int(headers["retry-after"]) in range(passed + 2)) == (429, True)
    assert counted == 200


async def test_a_request_that_was_never_answered_costs_no_tokens() -> None:
    async with (
        upstream(drop, _OK) as up,
        gateway(
            route("c", targets=[target(base_url=up.url)]),
            clients=_dev(input_tokens_per_minute=1000),
            admission=limited(seconds=0),
        ) as gw,
    ):
        text = "word " * 500
        assert [await _status(gw, system=text) for _ in range(2)] == [502, 200]


async def test_limits_of_a_route_count_all_its_clients_and_those_of_a_client_its_own() -> None:
    clients = {**_dev(requests_per_minute=2), _OTHER: Client(name="ns/other")}
    async with (
        upstream(_OK) as up,
        gateway(
            route("c", targets=[target(base_url=up.url)], limits=Limits(requests_per_minute=4)),
            route("free", targets=[target(base_url=up.url)]),
            clients=clients,
            admission=limited(seconds=0),
        ) as gw,
    ):
        assert [await _status(gw) for _ in range(3)] == [200, 200, 429]
        assert [await _status(gw, key=_OTHER) for _ in range(3)] == [200, 200, 429]
        assert await _status(gw, "free", key=_OTHER) == 200
        assert await _status(gw, "free") == 429


async def test_each_pod_has_its_share_which_follows_their_number() -> None:
    pods = 4
    limits = RateLimits(pods=lambda: pods)
    admission = Admission([limits], targets=limits, patience=Patience(seconds=0))
    async with (
        upstream(_OK) as up,
        gateway(
            route("c", targets=[target(base_url=up.url)]), clients=_dev(requests_per_minute=6), admission=admission
        ) as gw,
    ):
        assert [await _status(gw) for _ in range(3)] == [200, 200, 429]
        pods = 2
        assert [await _status(gw) for _ in range(2)] == [200, 429]
        pods = 1
        _, _, body = await _ask(gw)
        assert [await _status(gw) for _ in range(3)] == [200, 200, 429]
    assert json.loads(body)["type"] == "message"


async def test_a_full_target_is_passed_over_and_a_request_for_full_ones_waits_for_the_first() -> None:
    held = _Held()
    one = Limits(concurrent=1)
    async with upstream(held) as first, upstream(held) as second:
        first_target = target(base_url=first.url, limits=one, priority=0)
        second_target = target(base_url=second.url, limits=one, priority=1).model_copy(update={"id": "ns/c/1.0"})
        async with gateway(route("c", targets=[first_target, second_target])) as gw:
            tasks = [asyncio.create_task(_status(gw)) for _ in range(2)]
            await _until(lambda: held.asked == 2, "both targets to be asked")
            assert (len(first.seen), len(second.seen)) == (1, 1)
            third = asyncio.create_task(_status(gw))
            await _until(lambda: gw.app.in_flight == 3, "the third request")
            held.free.set()
            assert [await task for task in (*tasks, third)] == [200] * 3
            metrics = gw.metrics.text().decode()
    assert (len(first.seen), len(second.seen)) == (2, 1)
    assert "claude_gateway_limited_total{" not in metrics
    assert "claude_gateway_failovers_total{" not in metrics


async def test_a_failure_is_answered_where_the_other_target_is_full() -> None:
    async with upstream(whole(b"{}", status="500 Oops")) as broken, upstream(_OK) as full:
        first = target(base_url=broken.url, priority=0)
        limits = Limits(requests_per_minute=1)
        second = target(base_url=full.url, priority=1, limits=limits).model_copy(update={"id": "ns/c/1.0"})
        async with gateway(route("c", targets=[first, second]), admission=limited(seconds=0)) as gw:
            assert [await _status(gw) for _ in range(2)] == [200, 500]


async def test_full_targets_reject_with_the_wait_for_the_first() -> None:
    async with upstream(_OK) as up:
        limits = Limits(requests_per_minute=1)
        targets = [
            target(base_url=up.url, priority=number, limits=limits).model_copy(update={"id": f"ns/c/{number}.0"})
            for number in range(2)
        ]
        async with gateway(route("c", targets=targets), admission=limited(seconds=0)) as gw:
            assert [await _status(gw) for _ in range(2)] == [200, 200]
            status, headers, body = await _ask(gw)
            metrics = gw.metrics.text().decode()
    assert (status, headers["retry-after"]) == (429, "60")
    assert b"a target of the route 'ns/c' may use 1 request per minute" in body
    assert 'limit="target_requests"' in metrics


async def test_a_judge_needs_no_slot_of_the_request_that_it_judges() -> None:
    translated = Target(id="ns/c/0.0", provider="openai", model="gpt-5", limits=Limits(concurrent=1))
    body: dict[str, Any] = {"stream": True, "safeguards": SAFEGUARDS}
    async with upstream(sensible) as judge:
        routes = (
            route("c", targets=[translated], safeguards_model="j"),
            route("j", targets=[target(base_url=judge.url)], limits=Limits(concurrent=1)),
        )
        clients = _dev(concurrent=1, requests_per_minute=1)
        async with (
            gateway(*routes, clients=clients, admission=limited(seconds=0)) as gw,
            upstream(stream(*calling("rm x")), path=gw.run_dir / LITELLM_SOCKET),
        ):
            assert await _status(gw, **body) == 200
            records = await gw.records(2)
    assert records[-1]["safeguards"] == {"flagged": 1}
