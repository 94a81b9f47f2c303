"""One stack for all clients: the scripted upstream behind the gateway's real processes, on both wires."""

from collections.abc import Iterator

import pytest
from tests.support.builders.targets import (
    ANTHROPIC,
    ANTHROPIC_KEY,
    GEMINI,
    GOOGLE_KEY,
    OPENAI,
    OPENAI_KEY,
    RESPONSES,
    ROUTES,
    Target,
)
from tests.support.processes.gateway import System, secret

from claude_gateway_scripted import Scripted


@pytest.fixture(scope="session")
def running() -> Iterator[tuple[System, Scripted]]:
    """The stack, configured once."""
    with Scripted() as upstream, System() as system:
        routes = ROUTES.format(url=upstream.url)
        secrets = {"anthropic": ANTHROPIC_KEY, "openai": OPENAI_KEY, "google": GOOGLE_KEY}
        system.apply(routes, *(secret(name, key) for name, key in secrets.items()))
        yield system, upstream


@pytest.fixture
def stack(running: tuple[System, Scripted]) -> Iterator[System]:
    """The gateway; afterwards no key may stand in a log or in the public part of the bundle."""
    yield running[0]
    assert running[0].leaks(ANTHROPIC_KEY, OPENAI_KEY, GOOGLE_KEY) == []


@pytest.fixture
def upstream(running: tuple[System, Scripted]) -> Scripted:
    """The vendor behind the gateway, with an empty journal and script."""
    running[1].forget()
    return running[1]


@pytest.fixture(params=[ANTHROPIC, OPENAI, RESPONSES, GEMINI], ids=str)
def target(request: pytest.FixtureRequest) -> Target:
    """Each wire and format in turn."""
    chosen: Target = request.param
    return chosen
