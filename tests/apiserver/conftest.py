"""One real API server for all tests of a run; each test has a namespace of its own."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from tests.support.apiserver import ApiServer


@pytest.fixture(scope="session")
def api() -> Iterator[ApiServer]:
    """The API server; a test that stops it starts it again."""
    with ApiServer() as running:
        yield running


@pytest.fixture
def namespace(api: ApiServer) -> str:
    """A fresh namespace."""
    return api.namespace(f"test-{uuid4().hex[:8]}")
