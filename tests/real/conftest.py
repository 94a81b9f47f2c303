"""The gateway's real processes in front of a real model server, with a route for each way to reach it."""

from collections.abc import Iterator

import pytest
from tests.real.callers import CALLERS, Caller
from tests.real.targets import TARGETS, routes
from tests.support.processes.gateway import System
from tests.support.processes.llama import LlamaServer


@pytest.fixture(scope="session")
def server() -> Iterator[LlamaServer]:
    """A model server for all tests; a test that ends it starts it again."""
    with LlamaServer() as running:
        yield running


@pytest.fixture(scope="session")
def stack(server: LlamaServer) -> Iterator[System]:
    """The gateway, configured once."""
    with System() as running:
        running.apply(routes(server.url))
        yield running


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest) -> str:
    """The name of each route in turn."""
    return str(request.param)


@pytest.fixture(params=CALLERS, ids=lambda caller: caller.name)
def caller(request: pytest.FixtureRequest) -> Caller:
    """A client of each format in turn."""
    chosen: Caller = request.param
    return chosen
