"""Fixtures of the whole tree: the scripted upstream and the data plane's real processes."""

from collections.abc import Iterator

import pytest
from tests.support.gateway import System

from claude_gateway_scripted import Scripted


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    """A scripted upstream of the test's own: a thread and a port, ready in milliseconds."""
    with Scripted() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """Agent, gateway and LiteLLM process, with nothing applied yet; one set per module: starting costs seconds."""
    with System() as running:
        yield running
