"""The last failure of each target."""

from claude_gateway_proxy.gateway.telemetry.failures import Failures


def test_a_target_has_its_last_failure_and_the_latest_comes_last() -> None:
    times = iter((1.0, 2.0, 3.0))
    failures = Failures(lambda: next(times))
    failures.note("a", kind="connect", reason="refused", said="x")
    failures.note("b", kind="rate_limited", reason="", said="429 slow down")
    failures.note("a", kind="connect", reason="dns", said="")
    assert [(str(each), each.at) for each in failures.report().failures] == [
        ("b: rate_limited (429 slow down)", 2.0),
        ("a: dns", 3.0),
    ]


def test_a_bounded_number_of_targets_is_remembered() -> None:
    failures = Failures(lambda: 0.0)
    for number in range(300):
        failures.note(str(number), kind="connect", reason="", said="")
    found = failures.report().failures
    assert (len(found), found[-1].target) == (256, "299")
