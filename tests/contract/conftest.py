"""Fixtures of the contract level."""

from collections.abc import Iterator

import pytest
from tests.support.processes.collector import Collector


@pytest.fixture
def collector() -> Iterator[Collector]:
    """An OpenTelemetry collector of the test's own."""
    with Collector() as running:
        yield running
