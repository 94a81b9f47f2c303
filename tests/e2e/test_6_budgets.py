"""Budgets that the operator divides between two proxy pods, and what the real Claude Code shows when it is stopped."""

import json
import time
from decimal import Decimal
from typing import Any

from tests.e2e import spending
from tests.e2e.release import Gateway
from tests.support.kube import harm
from tests.support.kube import pods as kubepods
from tests.support.kube.kubectl import Pod
from tests.support.processes.waiting import until

from claude_gateway.contract.allotment import ALLOTMENT_JSON, Allotments
from claude_gateway.contract.budget import Period, window
from claude_gateway.contract.money import exact
from claude_gateway.release_names import allotment_name

_STREAMS = 4


def test_the_lease_of_a_pod_that_is_lost_counts_as_spent(gateway: Gateway, upstream: kubepods.Upstream) -> None:
    kube, release = gateway.kube, gateway.release
    with spending.pool(gateway, "leased", "2.00") as pool:
        lost, spared = release.pods()
        until(lambda: all(_leases(gateway).values()) and len(_leases(gateway)) == 2, what="a lease for each pod")
        with gateway.streams(*(spending.streaming(pod, workers=_STREAMS) for pod in (lost, spared))) as load:
            until(lambda: upstream.open_streams == 2 * _STREAMS, what="all streams to be open")
            harm.lost(kube, lost, "gateway", namespace=release.namespace)
        assert load.problems(spared.name) == []
        assert len(load.problems(lost.name)) == _STREAMS
        kube.rolled(release.proxy, namespace=release.namespace)

        lease = until(lambda: _gone(gateway), what="the lease of the lost pod to count")
        assert _STREAMS * spending.RESERVED <= lease < pool.amount
        spent = lease + spending.served(load.answers)
        pool.until_spent(spent)
        spent += spending.served(pool.exhaust())
        pool.until_spent(spent)
        pool.assert_spent(spent, processes=2)

        (result,) = _claude(gateway, release.pods()[0], "--", "hello")
        assert result["is_error"]
        assert "the budget 'leased' is spent ($2.00 per month) · resets " in result["result"]
        assert result["result"].endswith(" 1, 00:00 UTC · ask Alice for more")


def test_claude_code_shows_why_the_brake_stopped_its_session(gateway: Gateway, upstream: kubepods.Upstream) -> None:
    _brake(gateway, {"perSession": {"requests": 1}})
    note = "/home/client/braked.txt"
    kubepods.run(gateway.kube, gateway.pod, "sh", "-c", f"echo the word is ultramarine >{note}")
    # Each pod counts the sessions that it serves.
    pod = gateway.release.pods()[0]
    reading = f'[[tool Read {{"file_path": "{note}"}}]]'
    (result,) = _claude(gateway, pod, "--allowedTools", "Read", "--", reading, model=gateway.targets[0].model)
    assert result["is_error"]
    assert "the gateway stopped this session because it made 1 request" in result["result"]
    assert len(upstream.requests) == 1
    _brake(gateway, None)


def _claude(gateway: Gateway, pod: Pod, *arguments: str, model: str = spending.MODEL) -> list[dict[str, Any]]:
    """Run one prompt with the genuine CLI against one pod; returns its closing event, also when it fails."""
    script = 'ANTHROPIC_BASE_URL="$0" claude-newest -p --output-format json "$@" || true'
    url = spending.url_of(pod)
    printed = kubepods.run(gateway.kube, gateway.pod, "sh", "-c", script, url, "--model", model, *arguments)
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def _brake(gateway: Gateway, brake: dict[str, Any] | None) -> None:
    """Set the brake of the client, or take it away, and wait until every pod has it."""
    patch = json.dumps({"spec": {"brake": brake}})
    place = ("-n", gateway.release.namespace)
    gateway.kube.kubectl("patch", "gatewayclient", gateway.pod, *place, "--type", "merge", "-p", patch)
    gateway.wait_live(f"gatewayclient/{gateway.pod}")


def _allotments(gateway: Gateway) -> Allotments:
    place, name = gateway.release.namespace, allotment_name(gateway.release.fullname)
    if not gateway.kube.exists("configmap", namespace=place, name=name):
        return Allotments()
    return Allotments.model_validate_json(
        gateway.kube.get("configmap", namespace=place, name=name)["data"][ALLOTMENT_JSON]
    )


def _leases(gateway: Gateway) -> dict[str, int]:
    """Return what each pod may spend in this period."""
    name, key = f"{gateway.release.namespace}/leased", window(Period.MONTH, time.time()).key
    return {pod: windows.get(name, {}).get(key, 0) for pod, windows in _allotments(gateway).leases.items()}


def _gone(gateway: Gateway) -> Decimal:
    """Return what counts as spent by pods that are gone."""
    found = _allotments(gateway).gone.get(f"{gateway.release.namespace}/leased", {})
    return Decimal(exact(sum(found.values())))
