"""The rows of a soak's report: each promise is judged alone, and one that is missed says by how much."""

from collections.abc import Callable

from tests.soak.plans import Ending, Fault, Lane, Manner
from tests.soak.run import Result
from tests.soak.verdicts import MEBIBYTE, Row, faults, requests, rows

Series = Callable[[float], float]


def flat(_: float) -> float:
    return 20.0


def result(*, rss: Series = flat, descriptors: Series = flat, lines: int = 1000) -> Result:
    times = [float(second) for second in range(0, 7200, 5)]
    found = Result(times=times)
    found.samples = [
        {"gateway": {"rss": rss(time) * MEBIBYTE, "descriptors": descriptors(time), "threads": 5.0}} for time in times
    ]
    found.log = [(100 * lines * index // len(times), lines * index // len(times)) for index in range(1, len(times) + 1)]
    found.outcomes[Lane.RELAY, Manner.WHOLE, "", Ending.WHOLE] = 1000
    found.outcomes[Lane.RELAY, Manner.WHOLE, Fault.BROKEN, Ending.ERROR] = 20
    return found


def missed(found: Result) -> list[Row]:
    return [row for row in rows(found) if row.verdict != "met"]


def test_a_run_without_a_fault_of_ours_is_met() -> None:
    found = result()
    assert missed(found) == []
    assert (requests(found), faults(found)) == (1020, 20)


def test_one_unexplained_failure_is_enough() -> None:
    found = result()
    found.fail("relay, whole", "event 3 of 20 is missing")
    (row,) = missed(found)
    assert row.measured == "1 in 1,020 requests, of which the upstream failed 20"
    assert found.failures == ["event 3 of 20 is missing"]


def test_a_process_that_grows_is_named_with_its_slope() -> None:
    (row,) = missed(result(rss=lambda time: 20 + 3 * time / 3600))
    assert row.what == "Memory of gateway"
    assert row.measured.startswith("+3.00 MiB/h")


def test_descriptors_that_are_not_given_back_are_seen() -> None:
    (row,) = missed(result(descriptors=lambda time: 20 + time / 60))
    assert row.what == "Descriptors"


def test_a_log_without_bound_is_seen() -> None:
    (row,) = missed(result(lines=50_000))
    assert row.what == "Log"
