"""Long polls to agents: real sockets, agents of the test's own."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.support.processes.fakeagent import FakeAgent, serving
from tests.support.processes.waiting import until_async

from claude_gateway.contract.report import EjectedTarget, PodReport
from claude_gateway.plan.status.programmed import PodState
from claude_gateway_operator.reports import Endpoint, Reports, endpoints


class Rings:
    """Counts."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
async def agent() -> AsyncIterator[FakeAgent]:
    """An agent."""
    with FakeAgent() as running:
        yield running


def pod(agent: FakeAgent, name: str = "p", *, ready: bool = True) -> Endpoint:
    return Endpoint(pod=name, address=agent.address, ready=ready)


async def test_a_report_is_there_after_the_first_question_and_news_rings(agent: FakeAgent) -> None:
    rings = Rings()
    reports = Reports(port=agent.port, ring=rings)
    agent.report(serving("r1"))
    reports.follow([pod(agent)], "token")
    await reports.settle(10)
    assert list(reports.states([pod(agent)])) == [PodState("p", ready=True, report=serving("r1"))]
    before = rings.count
    agent.report(serving("r2"))

    async def arrived() -> bool:
        return next(reports.states([pod(agent)])).report == serving("r2")

    await until_async(arrived)
    assert rings.count == before + 1
    assert agent.tokens == {"Bearer token"}
    await reports.close()


async def test_an_ejected_target_rings_once_and_not_with_every_failure(agent: FakeAgent) -> None:
    rings = Rings()
    reports = Reports(port=agent.port, ring=rings)
    agent.report(serving("r1"))
    reports.follow([pod(agent)], "token")
    await reports.settle(10)
    before = rings.count

    def ejected(until: float) -> PodReport:
        found = serving("r1")
        assert found.gateway is not None
        target = EjectedTarget(target="ns/r/0.1", reason="connect", since=1, until=until)
        return found.model_copy(update={"gateway": found.gateway.model_copy(update={"ejected": (target,)})})

    for until in (2.0, 3.0):
        agent.report(ejected(until))

        async def arrived(until: float = until) -> bool:
            return next(reports.states([pod(agent)])).report == ejected(until)

        await until_async(arrived)
    assert rings.count == before + 1
    await reports.close()


async def test_a_pod_that_is_gone_is_asked_no_more(agent: FakeAgent) -> None:
    reports = Reports(port=agent.port, ring=lambda: None)
    agent.report(serving("r1"))
    reports.follow([pod(agent)], "token")
    await reports.settle(10)
    reports.follow([], "token")
    assert list(reports.states([pod(agent)])) == [PodState("p", ready=True, report=None)]
    reports.follow([Endpoint("p", "127.0.0.1", ready=False)], "token")
    assert next(reports.states([pod(agent, ready=False)])).report is None
    await reports.close()


async def test_a_pod_that_does_not_answer_holds_nobody_up() -> None:
    reports = Reports(port=9, ring=lambda: None)
    reports.follow([Endpoint("p", "127.0.0.1", ready=True)], "token")
    await reports.settle(10)
    assert next(reports.states([Endpoint("p", "127.0.0.1", ready=True)])).report is None
    await reports.close()


async def test_a_short_silence_keeps_the_last_report() -> None:
    with FakeAgent() as agent:
        rings = Rings()
        reports = Reports(port=agent.port, ring=rings)
        agent.report(serving("r1"))
        reports.follow([pod(agent)], "token")
        await reports.settle(10)
        before = rings.count
    assert next(reports.states([pod(agent)])).report == serving("r1")
    assert rings.count == before
    await reports.close()


@pytest.mark.parametrize(
    ("piece", "found"),
    [
        ({"addressType": "FQDN", "endpoints": [{"addresses": ["x.example"]}]}, []),
        ({"addressType": "IPv4"}, []),
        ({"addressType": "IPv4", "endpoints": None}, []),
        ({"addressType": "IPv4", "endpoints": [{"addresses": []}]}, []),
        ({"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}]}, [Endpoint("10.0.0.1", "10.0.0.1", True)]),
        (
            {"addressType": "IPv6", "endpoints": [{"addresses": ["fd00::1"], "targetRef": {"name": "p"}}]},
            [Endpoint("p", "[fd00::1]", True)],
        ),
        (
            {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": False}}]},
            [Endpoint("10.0.0.1", "10.0.0.1", False)],
        ),
    ],
)
def test_endpoints(piece: dict[str, Any], found: list[Endpoint]) -> None:
    assert endpoints([piece]) == found


def test_a_pod_of_two_families_is_one_pod() -> None:
    reference = {"targetRef": {"name": "p"}}
    four = {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"], **reference}]}
    six = {"addressType": "IPv6", "endpoints": [{"addresses": ["fd00::1"], **reference}]}
    assert len(endpoints([four, six])) == 1


async def test_a_pod_that_becomes_ready_is_asked_at_once_and_waited_for() -> None:
    with FakeAgent() as agent:
        port = agent.port
        starting = Endpoint("p", "127.0.0.1", ready=False)
        reports = Reports(port=port, ring=lambda: None)
        reports.follow([starting], "token")
        await reports.settle(10)
        assert next(reports.states([starting])).report is None
        poll = reports._polls["p"]
        # It listens from now on, in the middle of the pause before the next try.
        poll.address = agent.address
        agent.report(serving("r1"))
        ready = Endpoint("p", agent.address, ready=True)
        reports.follow([ready], "token")
        await reports.settle(10)
        assert next(reports.states([ready])).report == serving("r1")
        await reports.close()
