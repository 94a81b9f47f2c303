"""The e2e suite's release in a cluster of its own, and the results that docs/reliability.md is made of."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from tests.bench.report import machine
from tests.chaos.seen import Note, said
from tests.e2e.conftest import gateway, kube, pytest_runtest_makereport, release, upstream  # noqa: F401
from tests.e2e.release import Gateway, route
from tests.support.kube.kubectl import SUITE
from tests.support.kube.pods import Load

RESULTS: Final = Path(__file__).resolve().parents[2] / "docs" / "reliability" / "chaos.json"
_results: dict[str, dict[str, Any]] = {}


def pytest_sessionstart() -> None:
    """Refuse to harm the cluster of another suite."""
    if SUITE != "chaos":
        raise pytest.UsageError("the chaos tests run in a cluster of their own: make chaos")


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write how each scenario ended; a failure of its setup or its undoing is its own.

    A scenario that was interrupted has no end: what was known of it stays, and so do the results of all others.
    """
    name = report.nodeid.partition("::")[2]
    seconds = report.duration + _results.get(name, {}).get("seconds", 0.0)
    passed = report.passed and _results.get(name, {}).get("passed", True)
    notes = [str(value) for key, value in report.user_properties if key == "seen"]
    _results[name] = {
        "passed": passed,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds),
        "machine": machine(),
        "load": round(os.getloadavg()[1]),
        "seen": notes,
    }
    if report.when == "teardown":
        known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        merged = dict(sorted((known | {name: _results[name]}).items()))
        RESULTS.write_text(json.dumps(merged, indent=1, ensure_ascii=False) + "\n")


@pytest.fixture
def edited(gateway: Gateway) -> Iterator[str]:  # noqa: F811
    """A model whose route a scenario edits while harm is done: first it is served by ``early``, then by ``late``."""
    place = gateway.release.namespace
    model = "claude-edited"
    gateway.kube.apply(
        route("edited", models=[model], model="anthropic/early", credential="anthropic"), namespace=place
    )
    gateway.wait_live("modelroute/edited")
    yield model
    gateway.kube.kubectl("delete", "modelroute", "edited", "-n", place)


@pytest.fixture
def same_pods(gateway: Gateway) -> Iterator[None]:  # noqa: F811
    """Nothing in the scenario may restart or replace a proxy pod."""
    before = gateway.release.pods()
    yield
    assert [(pod.uid, pod.restarts) for pod in gateway.release.pods()] == [(pod.uid, pod.restarts) for pod in before]


@pytest.fixture
def api_minutes() -> float:
    """How long the API server stays away."""
    return float(os.environ.get("CHAOS_API_MINUTES", "10"))


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Note:
    """Notes what a scenario saw, for the report; called before anything is asserted."""

    def note(what: str, load: Load | None = None) -> None:
        request.node.user_properties.append(("seen", what if load is None else said(what, load)))

    return note
