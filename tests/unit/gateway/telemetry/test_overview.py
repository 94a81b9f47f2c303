"""The overview of a process: bounded, the busiest targets first."""

from claude_gateway.contract.report import EjectedTarget, TargetFailure
from claude_gateway.contract.target import Format, Wire
from claude_gateway_proxy.gateway.telemetry.overview import MOST_REQUESTS, MOST_TARGETS, overview
from claude_gateway_proxy.gateway.telemetry.record import Record


def record(*, target: str = "", model: str = "m") -> Record:
    return Record(wire=Wire.ANTHROPIC, format=Format.MESSAGES, started=10.0, target=target, model=model)


def test_it_is_bounded_whatever_runs() -> None:
    running = [record(target=f"t{number}", model="x" * 1000) for number in range(MOST_REQUESTS + MOST_TARGETS)]
    found = overview(running, ejected=(), failures=(), revision="r", now=12.04, unix=0.0)
    assert (found.in_flight, len(found.requests), len(found.targets)) == (1000, MOST_REQUESTS, MOST_TARGETS)
    assert len(found.requests[0].model) == 128
    assert found.requests[0].seconds == 2.0


def ejected(target: str, *, until: float, model: str = "") -> EjectedTarget:
    return EjectedTarget(target=target, model=model, reason="status", since=90.0, until=until)


def test_targets_in_use_come_first_then_those_that_are_ejected() -> None:
    failures = (TargetFailure(target="old", kind="status", reason="503", at=1.0),)
    running = [record(target="busy"), record()]
    out = (ejected("ill", model="m", until=107.25), ejected("ill", model="n", until=103.0), ejected("late", until=99.0))
    found = overview(running, ejected=out, failures=failures, revision=None, now=11.0, unix=100.0)
    shown = [(each.target, each.in_flight, each.ejected_seconds, each.last) for each in found.targets]
    assert shown == [("busy", 1, 0.0, ""), ("ill", 0, 7.2, ""), ("late", 0, 0.0, ""), ("old", 0, 0.0, "503")]
