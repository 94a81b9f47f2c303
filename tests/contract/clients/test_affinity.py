"""The real Claude Code with parallel agents, against three targets of one priority: who stays where."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import pytest
from tests.support.clients import cli
from tests.support.clients.scenarios import EVENTS, call
from tests.support.processes.gateway import System

from claude_gateway_proxy.gateway.routing.order import LEAST
from claude_gateway_scripted import Scripted

AGENTS = 20

Fleet = tuple[System, Sequence[Scripted]]


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """A gateway and three upstreams."""
    with ExitStack() as stack:
        upstreams = [stack.enter_context(Scripted()) for _ in range(3)]
        system = stack.enter_context(System())
        yield system, upstreams


def ask(fleet: Fleet, affinity: str, prompt: str) -> None:
    """Run one prompt by a route with this affinity; nothing of earlier prompts is left in the journals."""
    system, upstreams = fleet
    targets = "".join(f"\n  - {{model: anthropic/scripted-claude, baseURL: '{each.url}'}}" for each in upstreams)
    system.apply(
        "apiVersion: claudegateway.io/v1alpha1\nkind: ModelRoute\nmetadata: {name: claude}\nspec:\n"
        f"  models: ['claude-*']\n  affinity: {affinity}\n  targets:{targets}\n"
    )
    for each in upstreams:
        each.forget()
    done = cli.run(
        ["-p", *EVENTS, "--allowedTools", "Agent", "--", prompt], url=system.url, key=system.key, model="claude-x"
    )
    assert done.rc == 0, done


def errands(count: int) -> str:
    """Write a prompt that makes Claude Code start agents side by side."""
    return " ".join(
        call(
            "Agent",
            description=f"errand {n}",
            prompt=f"hello from errand {n}",
            subagent_type="general-purpose",
            run_in_background=False,
        )
        for n in range(count)
    )


def places(upstreams: Sequence[Scripted]) -> dict[str | None, set[int]]:
    """Return the upstreams that each agent's requests reached; None is the main conversation."""
    found: dict[str | None, set[int]] = defaultdict(set)
    for number, each in enumerate(upstreams):
        for request in each.requests:
            found[request.header("x-claude-code-agent-id")].add(number)
    return found


def test_a_session_and_its_few_agents_stay_at_one_target(fleet: Fleet) -> None:
    ask(fleet, "Session", errands(LEAST - 2))
    found = places(fleet[1])
    assert len(found) == LEAST - 1
    assert len(set().union(*found.values())) == 1


def test_agents_spread_and_each_stays_where_it_is(fleet: Fleet) -> None:
    ask(fleet, "Agent", errands(AGENTS))
    found = places(fleet[1])
    assert len(found) == AGENTS + 1
    assert {len(each) for each in found.values()} == {1}
    assert len(set().union(*found.values())) > 1
