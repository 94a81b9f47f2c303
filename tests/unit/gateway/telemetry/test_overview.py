"""The overview of a process: bounded, the busiest targets first."""

from claude_gateway.contract.policy import Format, Wire
from claude_gateway.contract.report import TargetFailure
from claude_gateway_proxy.gateway.telemetry.overview import MOST_REQUESTS, MOST_TARGETS, overview
from claude_gateway_proxy.gateway.telemetry.record import Record


def record(*, target: str = "", model: str = "m") -> Record:
    return Record(wire=Wire.ANTHROPIC, format=Format.MESSAGES, started=10.0, target=target, model=model)


def test_it_is_bounded_whatever_runs() -> None:
    running = [record(target=f"t{number}", model="x" * 1000) for number in range(MOST_REQUESTS + MOST_TARGETS)]
    found = overview(running, troubles=(), failures=(), revision="r", now=12.04)
    assert (found.in_flight, len(found.requests), len(found.targets)) == (1000, MOST_REQUESTS, MOST_TARGETS)
    assert len(found.requests[0].model) == 128
    assert found.requests[0].seconds == 2.0


def test_targets_in_use_come_first_then_those_that_are_put_aside() -> None:
    failures = (TargetFailure(target="old", kind="status", reason="503", at=1.0),)
    running = [record(target="busy"), record()]
    found = overview(running, troubles=(("ill", 4, 7.25), ("hurt", 1, 0.0)), failures=failures, revision=None, now=11.0)
    shown = [(each.target, each.in_flight, each.failures, each.aside_seconds, each.last) for each in found.targets]
    assert shown == [
        ("busy", 1, 0, 0.0, ""),
        ("ill", 0, 4, 7.2, ""),
        ("hurt", 0, 1, 0.0, ""),
        ("old", 0, 0, 0.0, "503"),
    ]
