"""The pod's report, and waiting for news of it."""

import pytest

from claude_gateway.contract.report import EjectedTarget, PodReport, ProcessReport
from claude_gateway_proxy.agent.keeper import Kept
from claude_gateway_proxy.agent.status import news, pod_report


@pytest.mark.parametrize(
    ("gateway", "litellm", "live"),
    [
        (ProcessReport(revision="b"), ProcessReport(revision="b"), "b"),
        (ProcessReport(revision="b"), ProcessReport(revision="a"), None),
        (ProcessReport(revision="b"), None, None),
        (None, ProcessReport(revision="b"), None),
        (None, None, None),
        (ProcessReport(), ProcessReport(), None),
        (ProcessReport(revision="a", refused="b", error="no"), ProcessReport(revision="a"), "a"),
    ],
)
def test_live_is_what_both_serve(
    gateway: ProcessReport | None, litellm: ProcessReport | None, live: str | None
) -> None:
    report = pod_report(kept=Kept(revision="b", wanted="c", error="torn"), gateway=gateway, litellm=litellm)

    assert report == PodReport(wanted="c", live=live, error="torn", gateway=gateway, litellm=litellm)


def test_requests_in_flight_are_no_news_but_errors_are() -> None:
    calm = pod_report(kept=Kept(), gateway=ProcessReport(revision="a", in_flight=1), litellm=None)
    busy = pod_report(kept=Kept(), gateway=ProcessReport(revision="a", in_flight=9), litellm=None)
    failing = pod_report(kept=Kept(), gateway=ProcessReport(revision="a", refused="b", error="no"), litellm=None)

    assert news(calm) == news(busy)
    assert news(calm) != news(failing)


def test_an_ejected_target_is_news_and_its_end_is_not() -> None:
    def report(*ejected: EjectedTarget) -> PodReport:
        return pod_report(kept=Kept(), gateway=ProcessReport(revision="a", ejected=ejected), litellm=None)

    first = EjectedTarget(target="ns/r/0.1", reason="overloaded", since=1, until=2)
    assert news(report(first)) == news(report(first.model_copy(update={"until": 3, "reason": "connect"})))
    assert news(report(first)) != news(report())
    assert news(report(first)) != news(report(first, first.model_copy(update={"model": "opus"})))
