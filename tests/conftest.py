"""Fixtures of the whole tree: the scripted upstream and the data plane's real processes."""

import os
import signal
from collections.abc import Generator, Iterator

import pytest
from tests.support.builders.examples import load_profile
from tests.support.processes.gateway import System

from claude_gateway_scripted import Scripted

load_profile()
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # In a background job SIGINT is ignored, and programs under test would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    """A scripted upstream for one test: a thread and a port, ready in milliseconds."""
    with Scripted() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """Agent, gateway and LiteLLM process, with nothing applied yet; one set per module: starting costs seconds."""
    with System() as running:
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail skipped tests if CI is set: no level passes because its tool is missing."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI forbids: {report.longrepr}"
    return report
