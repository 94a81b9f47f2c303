"""Budgets of a whole gateway process: its report, its metrics, its callers' usage, and what a kill leaves behind."""

import json
import signal
import time
from pathlib import Path

from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.lone_gateway import LoneGateway
from tests.support.processes.waiting import until

from claude_gateway.contract.allotment import ALLOTMENT_JSON, Allotment
from claude_gateway.contract.budget import Budget, Period, window
from claude_gateway.contract.bundle import Bundle
from claude_gateway.contract.money import exact
from claude_gateway_scripted import Scripted

_KEY = "cgw_alice"
_DOLLAR = 10**9
_AS_ALICE = {"authorization": f"Bearer {_KEY}"}


def _bundle(url: str) -> Bundle:
    blue = Budget(name="ns/blue", amount=100 * _DOLLAR, clients=("*",), per_member=10 * _DOLLAR)
    routes = [route("claude-*", targets=[target(base_url=url)])]
    return bundle(routes, keys={_KEY: "ns/dev"}, budgets=[blue])


def _ask(running: LoneGateway) -> int:
    asked = {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "hello"}]}
    return running.call("POST", "/v1/messages", body=asked, headers=_AS_ALICE).status


def _spent(running: LoneGateway) -> int:
    return sum(use.spent for use in running.status().budgets if not use.member)


def test_what_was_spent_survives_a_kill(scripted: Scripted, tmp_path: Path) -> None:
    kept = tmp_path / "state" / "spend.json"
    made = _bundle(scripted.url)
    with LoneGateway(made, spend_file=kept) as running:
        assert [_ask(running) for _ in range(3)] == [200, 200, 200]
        spent = until(lambda: _spent(running), what="the spend")
        until(lambda: kept.exists() and {row[4] for row in json.loads(kept.read_text())["spent"]} == {spent})
        running.process.send(signal.SIGKILL)
    with LoneGateway(made, spend_file=kept) as running:
        assert _ask(running) == 200
        assert _spent(running) > spent


def test_a_caller_sees_its_budgets_and_prometheus_all_of_them(scripted: Scripted) -> None:
    ends_at = window(Period.MONTH, time.time()).ends_at
    with LoneGateway(_bundle(scripted.url)) as running:
        assert _ask(running) == 200
        spent = until(lambda: _spent(running), what="the spend")
        budgets = running.call("GET", "/v1/usage", headers=_AS_ALICE).json["budgets"]
        metrics = running.internal("/metrics").decode()
    assert [(each["budget"], each["amount_usd"]) for each in budgets] == [
        ("ns/blue (your part)", "10"),
        ("ns/blue", "100"),
    ]
    assert {each["spent_usd"] for each in budgets} == {exact(spent)}
    assert {each["resets_at"] for each in budgets} == {time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends_at))}
    assert 'claude_gateway_budget_limit_dollars{budget="ns/blue"} 100.0' in metrics
    assert f'claude_gateway_budget_spent_dollars{{budget="ns/blue"}} {spent / _DOLLAR}' in metrics


def test_a_pod_reports_what_it_lacks_follows_its_lease_and_says_when_it_is_done(scripted: Scripted) -> None:
    key = window(Period.MONTH, time.time()).key
    with LoneGateway(_bundle(scripted.url), leases=True, linger_seconds=60) as running:
        assert _ask(running) == 429
        assert next(use.short for use in running.status().budgets if not use.member) > 0
        lease = Allotment(leases={"ns/blue": {key: 50 * _DOLLAR}}).model_dump_json(by_alias=True)
        (running.bundle_dir / "new").write_text(lease)
        (running.bundle_dir / "new").rename(running.bundle_dir / ALLOTMENT_JSON)
        until(lambda: [use.lease for use in running.status().budgets if not use.member] == [50 * _DOLLAR])
        assert _ask(running) == 200
        assert not running.status().drained
        running.process.send(signal.SIGTERM)
        until(lambda: running.status().drained, what="the end of its last request")
        assert {use.member for use in running.status().budgets} == {"", "ns/dev"}
