"""Budgets over sockets: what is spent is counted on every lane, and a spent budget blocks, warns or routes."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import Gateway, Reply, Seen, events, gateway, stream, upstream, whole
from tests.support.processes.waiting import until_async

from claude_gateway.contract.allotment import ALLOTMENT_JSON, Allotment
from claude_gateway.contract.budget import Action, Budget, Period, window
from claude_gateway.contract.route import Mirror
from claude_gateway.contract.target import OwnPrices, Target
from claude_gateway.names import LITELLM_SOCKET
from claude_gateway_proxy.gateway.admission.admission import Admission
from claude_gateway_proxy.gateway.admission.budgets import Budgets
from claude_gateway_proxy.gateway.admission.counters.memory import MemoryCounters
from claude_gateway_proxy.gateway.admission.shares import Shares
from claude_gateway_proxy.gateway.admission.spend_tracker import SpendTracker

_USAGE = {"input_tokens": 100_000, "output_tokens": 20_000}
_ANSWER = json.dumps({"type": "message", "model": "claude-opus-4-5", "usage": _USAGE}).encode()
_COST = 1_000_000_000
"""What that costs at $5 and $25 per million tokens: one dollar."""
_HEAD = "content-type: application/json\r\nanthropic-ratelimit-requests-limit: 9\r\n"
_ASKED = {"model": "c", "max_tokens": 1000, "messages": [{"role": "user", "content": "hi"}]}
_LIMITS = "anthropic-ratelimit-unified-"


def _priced(url: str, model: str = "claude-opus-4-5", **fields: Any) -> Target:
    """A target whose prices the table of models has."""
    return target(base_url=url, model=model, **fields)


def _budget(dollars: float, **fields: Any) -> Budget:
    return Budget(**{"name": "ns/blue", "amount": int(dollars * _COST), "clients": ("*",), **fields})


@asynccontextmanager
async def _serving(
    *budgets: Budget, reply: Reply | None = None, more: Sequence[Any] = (), **fields: Any
) -> AsyncIterator[tuple[Gateway, SpendTracker]]:
    """A gateway with budgets, in front of an upstream whose answers cost a dollar."""
    alone = MemoryCounters()
    tracker = SpendTracker(alone=alone, shares=fields.pop("shares", None), path=fields.pop("path", None))
    admission = Admission((Budgets(tracker),), alone=alone)
    async with upstream(reply or whole(_ANSWER, headers=_HEAD)) as up:
        routes = [route("c", targets=[_priced(up.url)]), *(each(up.url) for each in more)]
        async with gateway(*routes, admission=admission, budgets=budgets, **fields) as gw:
            work = asyncio.create_task(tracker.run())
            yield gw, tracker
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


async def _ask(gw: Gateway, path: str = "/v1/messages", **fields: Any) -> tuple[int, dict[str, str], bytes]:
    async with await gw.post(path, {**_ASKED, **fields}) as response:
        return response.status, {name.lower(): value for name, value in response.headers.items()}, await response.read()


def _spent(tracker: SpendTracker, member: str = "") -> int:
    return sum(
        use.spent for use in tracker.ledger.accounts.values() if use.member == member and use.budget == "ns/blue"
    )


async def _until(holds: Callable[[], bool]) -> None:
    async def ask() -> bool:
        return holds()

    await until_async(ask)


async def test_a_spent_budget_rejects_in_one_sentence_with_amount_and_reset() -> None:
    ends_at = window(Period.MONTH, time.time()).ends_at
    async with _serving(_budget(1, contact="ask Alice for more")) as (gw, _):
        assert (await _ask(gw))[0] == 200
        status, headers, body = await _ask(gw)
    error = json.loads(body)["error"]
    day = time.strftime("%b 1, 00:00 UTC", time.gmtime(ends_at))
    assert (status, error["type"]) == (429, "billing_error")
    assert error["message"] == f"the budget 'blue' is spent ($1.00 per month) · resets {day} · ask Alice for more"
    assert headers["x-should-retry"] == "false"
    assert 0 < int(headers["retry-after"]) <= 31 * 86400 + 1
    said = {name.removeprefix(_LIMITS): value for name, value in headers.items() if name.startswith(_LIMITS)}
    assert said == {
        "status": "rejected",
        "reset": str(ends_at),
        "overage-reset": str(ends_at),
        "overage-utilization": "1",
        "overage-surpassed-threshold": "1",
        "overage-disabled-reason": "org_spend_cap_reached",
        "overage-period": "monthly",
        "overage-scope": "group_pool",
    }


@pytest.mark.parametrize(
    ("amount", "status", "utilization", "threshold"),
    [(2, "allowed", "0.50", None), (1.3, "allowed_warning", "0.76", "0.75"), (1.04, "allowed_warning", "0.96", "0.95")],
)
async def test_answers_say_how_much_of_the_budget_is_used(
    amount: float, status: str, utilization: str, threshold: str | None
) -> None:
    async with _serving(_budget(amount)) as (gw, _):
        _, first, _ = await _ask(gw)
        _, second, _ = await _ask(gw)
    assert (first[_LIMITS + "status"], first[_LIMITS + "overage-utilization"]) == ("allowed", "0.00")
    assert "anthropic-ratelimit-requests-limit" not in first, "the upstream's limits are not the caller's"
    assert second[_LIMITS + "status"] == second[_LIMITS + "overage-status"] == status
    assert second[_LIMITS + "overage-utilization"] == utilization
    assert second.get(_LIMITS + "overage-surpassed-threshold") == threshold
    assert second[_LIMITS + "representative-claim"] == "overage"


async def test_without_a_budget_the_upstreams_own_limits_pass() -> None:
    async with _serving(_budget(1, clients=("ns/other",))) as (gw, _):
        _, headers, _ = await _ask(gw)
    assert headers["anthropic-ratelimit-requests-limit"] == "9"
    assert not any(name.startswith(_LIMITS) for name in headers)


async def test_a_warning_budget_goes_on_and_warns() -> None:
    async with _serving(_budget(0.5, action=Action.WARN)) as (gw, tracker):
        assert [(await _ask(gw))[0] for _ in range(3)] == [200, 200, 200]
        _, headers, _ = await _ask(gw)
        assert _spent(tracker) == 4 * _COST
    assert headers[_LIMITS + "overage-utilization"] == "0.99"
    assert headers[_LIMITS + "overage-surpassed-threshold"] == "0.95"


async def test_a_routing_budget_is_served_by_another_model_under_the_asked_name() -> None:
    def cheap(url: str) -> Any:
        return route("cheap", targets=[_priced(url, model="claude-haiku-4-5", id="ns/cheap/0.0")])

    budget = _budget(1, action=Action.ROUTE, route_to="cheap")
    asked: list[str] = []

    async def reply(seen: Seen, writer: asyncio.StreamWriter) -> None:
        asked.append(json.loads(seen.body)["model"])
        await whole(_ANSWER)(seen, writer)

    async with _serving(budget, reply=reply, more=[cheap]) as (gw, tracker):
        answers = [await _ask(gw) for _ in range(3)]
        records = await gw.records(3)
    assert [status for status, _, _ in answers] == [200, 200, 200]
    assert asked[1:] == ["claude-haiku-4-5"] * 2
    assert {json.loads(body)["model"] for _, _, body in answers} == {"c"}
    assert [record["route"] for record in records] == ["ns/c", "ns/cheap", "ns/cheap"]
    assert _COST < _spent(tracker) < 3 * _COST, "the cheaper model's cost counts, too"


async def test_every_budget_of_the_line_pays_and_the_first_that_is_spent_blocks() -> None:
    budgets = (
        _budget(10, name="ns/top", clients=()),
        _budget(2, name="ns/mid", clients=(), parent="ns/top"),
        _budget(5, parent="ns/mid"),
    )
    async with _serving(*budgets) as (gw, tracker):
        assert [(await _ask(gw))[0] for _ in range(3)] == [200, 200, 429]
        sums = {use.budget: use.spent for use in tracker.report()}
    assert sums == {"ns/top": 2 * _COST, "ns/mid": 2 * _COST, "ns/blue": 2 * _COST}


async def test_a_members_part_is_its_own() -> None:
    async with _serving(_budget(10, per_member=_COST)) as (gw, tracker):
        assert (await _ask(gw))[0] == 200
        status, headers, body = await _ask(gw)
        assert _spent(tracker, "ns/dev") == _spent(tracker) == _COST
    assert status == 429
    assert json.loads(body)["error"]["message"].startswith("your part of the budget 'blue' is spent ($1.00 per month)")
    assert _LIMITS + "overage-scope" not in headers


async def test_what_costs_nothing_is_answered_also_when_the_money_is_spent() -> None:
    def free(url: str) -> Any:
        none = OwnPrices(input=Decimal(0), output=Decimal(0))
        return route("free", targets=[_priced(url, id="ns/free/0.0", prices=none)])

    async with _serving(_budget(1), more=[free]) as (gw, tracker):
        assert [(await _ask(gw))[0] for _ in range(2)] == [200, 429]
        assert (await _ask(gw, model="free"))[0] == 200
        assert _spent(tracker) == _COST


async def test_counting_tokens_costs_nothing_and_works_on() -> None:
    async with _serving(_budget(1)) as (gw, tracker):
        await _ask(gw)
        assert (await _ask(gw, "/v1/messages/count_tokens"))[0] == 200
        assert _spent(tracker) == _COST


async def test_clients_of_openai_get_their_own_error_and_no_headers_of_claudes() -> None:
    async with _serving(_budget(0.000001)) as (gw, _):
        await _ask(gw)
        status, headers, body = await _ask(gw, "/v1/chat/completions")
    error = json.loads(body)["error"]
    assert (status, error["code"], headers["x-should-retry"]) == (429, "insufficient_quota", "false")
    assert not any(name.startswith("anthropic-") for name in headers)


async def test_a_stream_that_the_client_leaves_is_paid_for() -> None:
    async with _serving(_budget(10), reply=stream(*events("message_start"), end=False)) as (gw, tracker):
        response = await gw.post("/v1/messages", {**_ASKED, "stream": True})
        await response.content.readany()
        response.close()
        await _until(lambda: _spent(tracker) > 0)
        assert all(account.reserved == 0 for account in tracker.ledger.accounts.values())


async def test_requests_at_one_time_do_not_overspend_together() -> None:
    async with _serving(_budget(3)) as (gw, tracker):
        answers = await asyncio.gather(*(_ask(gw, max_tokens=32_000) for _ in range(40)))
        assert _spent(tracker) <= 4 * _COST
        assert all(account.reserved == 0 for account in tracker.ledger.accounts.values())
    served = sum(status == 200 for status, _, _ in answers)
    assert served * _COST == _spent(tracker)
    retry = {headers.get("x-should-retry") for status, headers, _ in answers if status == 429}
    assert retry <= {"true", "false"}


async def test_what_was_spent_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state" / "spend.json"
    async with _serving(_budget(1.5), path=path) as (gw, _):
        assert (await _ask(gw))[0] == 200
    async with _serving(_budget(1.5), path=path) as (gw, tracker):
        assert _spent(tracker) == _COST
        assert [(await _ask(gw))[0] for _ in range(2)] == [200, 429]
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_pod_spends_its_lease_and_no_more(tmp_path: Path) -> None:
    key = window(Period.MONTH, time.time()).key
    shares = Shares(tmp_path)

    def allot(lease: int, spent: int) -> None:
        found = Allotment(pods=3, leases={"ns/blue": {key: lease}}, spent={"ns/blue": {key: spent}})
        (tmp_path / f"new-{lease}-{spent}").write_bytes(found.model_dump_json(by_alias=True).encode())
        (tmp_path / f"new-{lease}-{spent}").rename(tmp_path / ALLOTMENT_JSON)

    async with _serving(_budget(10), shares=shares) as (gw, tracker):
        status, headers, _ = await _ask(gw)
        assert (status, headers["x-should-retry"], headers["retry-after"]) == (429, "true", "2")
        assert tracker.report()[0].short > 0
        allot(_COST, 0)
        await _until(lambda: shares.current().pods == 3)
        assert [(await _ask(gw))[0] for _ in range(2)] == [200, 429]
        allot(2 * _COST, 5 * _COST)
        await _until(lambda: tracker.report()[0].lease == 2 * _COST)
        assert tracker.report()[0].short == 0
        status, headers, _ = await _ask(gw)
        assert (status, headers[_LIMITS + "overage-utilization"]) == (200, "0.50")
        allot(2 * _COST, 10 * _COST)
        await _until(lambda: shares.current().spent["ns/blue"][key] == 10 * _COST)
        status, headers, _ = await _ask(gw)
        assert (status, headers["x-should-retry"]) == (429, "false")


async def test_the_copy_for_a_mirror_is_paid_for_by_the_same_budget() -> None:
    async with upstream(whole(_ANSWER)) as up:
        alone = MemoryCounters()
        tracker = SpendTracker(alone=alone)
        mirror = Mirror(target=_priced(up.url, id="ns/c/mirror.0"), percent=100)
        mirrored = route("c", targets=[_priced(up.url)], mirror=mirror)
        admission = Admission((Budgets(tracker),), alone=alone)
        async with gateway(mirrored, admission=admission, budgets=[_budget(10)]) as gw:
            await _ask(gw)
            await _until(lambda: _spent(tracker) == 2 * _COST)


async def test_the_litellm_lane_is_paid_for(tmp_path: Path) -> None:
    alone = MemoryCounters()
    tracker = SpendTracker(alone=alone)
    translated = Target(id="ns/c/0.0", provider="gemini", model="gemini-2.5-pro")
    admission = Admission((Budgets(tracker),), alone=alone)
    async with (
        gateway(route("c", targets=[translated]), admission=admission, budgets=[_budget(10)]) as gw,
        upstream(whole(_ANSWER), path=gw.run_dir / LITELLM_SOCKET),
    ):
        status, headers, _ = await _ask(gw)
        assert (status, headers[_LIMITS + "status"]) == (200, "allowed")
        assert _spent(tracker) > 0
