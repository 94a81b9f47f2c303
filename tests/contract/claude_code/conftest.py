"""One backend for all tests of this folder that need no settings of their own: each process of the CLI costs CPU."""

from collections.abc import Iterator

import pytest
from tests.support.processes.backend import CALLER_KEY, LOGIN, OTHER_LOGIN, Backend

from claude_gateway_scripted import Scripted


@pytest.fixture(scope="session")
def running() -> Iterator[tuple[Backend, Scripted]]:
    """The backend and the upstream behind it."""
    with Scripted() as upstream, Backend(upstream.url) as backend:
        yield backend, upstream


@pytest.fixture
def backend(running: tuple[Backend, Scripted]) -> Iterator[Backend]:
    """The backend; afterwards no secret may stand in its log."""
    yield running[0]
    assert not [
        secret for secret in (LOGIN, OTHER_LOGIN, CALLER_KEY, running[0].key) if secret in running[0].process.output
    ]


@pytest.fixture
def upstream(running: tuple[Backend, Scripted]) -> Scripted:
    """The upstream, with an empty journal and script."""
    running[1].forget()
    return running[1]
