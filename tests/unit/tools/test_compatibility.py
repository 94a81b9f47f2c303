"""The published page of agents: made of sessions with the pinned versions, all of which worked."""

import pytest
from tests.agents.agents import AGENTS, Agent
from tests.agents.session import UPSTREAMS
from tools.reference import compatibility
from tools.reference.compatibility import ORDER, Result, render

each = pytest.mark.parametrize("agent", AGENTS, ids=[agent.key for agent in AGENTS])


def test_every_agent_is_on_the_page() -> None:
    assert set(ORDER) == {agent.key for agent in AGENTS}
    assert set(compatibility.UPSTREAMS) == set(UPSTREAMS)
    page = render()
    for agent in AGENTS:
        assert f"| {agent.name} | {agent.version} |" in page


@each
def test_the_results_are_of_the_pinned_version(agent: Agent) -> None:
    assert Result.read(agent.key).version == agent.version, f"{agent.name} was updated: make compatibility"


@each
def test_every_session_worked(agent: Agent) -> None:
    result = Result.read(agent.key)
    assert [(one["format"], one["upstream"]) for one in result.sessions] == [
        (way.format, upstream) for way in agent.ways for upstream in UPSTREAMS
    ]
    assert [one["fault"] for one in result.sessions if one["fault"]] == []
