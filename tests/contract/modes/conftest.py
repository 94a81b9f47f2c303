"""One stack for all modes: every kind of target is the scripted upstream, and its clouds check who calls."""

from collections.abc import Iterator

import pytest
from tests.support.builders import clouds
from tests.support.processes.gateway import System

from claude_gateway_scripted import Scripted


@pytest.fixture(scope="session")
def running() -> Iterator[tuple[System, Scripted]]:
    """The stack, configured once from manifests."""
    with Scripted(aws_keys=clouds.AWS_KEYS, google_token=clouds.GOOGLE_TOKEN) as upstream, System() as system:
        system.apply(clouds.ROUTES.format(url=upstream.url), *clouds.secrets(f"{upstream.url}/token"))
        yield system, upstream


@pytest.fixture
def stack(running: tuple[System, Scripted]) -> Iterator[System]:
    """The gateway; afterwards no secret may stand in a log or in the public part of the bundle."""
    yield running[0]
    values = [
        clouds.ANTHROPIC_KEY,
        clouds.OPENAI_KEY,
        clouds.GEMINI_KEY,
        clouds.GOOGLE_TOKEN,
        *clouds.AWS_KEYS.values(),
    ]
    assert running[0].leaks(*values) == []


@pytest.fixture
def upstream(running: tuple[System, Scripted]) -> Scripted:
    """The vendors behind the gateway, with an empty journal and script."""
    running[1].forget()
    return running[1]
