"""The stand-in of the sign-in hosts, and the service with its own folders."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.clients.anthropic_cloud import Cloud, cloud
from tests.support.processes.signin import SignInService, signin

from claude_gateway_scripted import Scripted


@pytest.fixture
def anthropic(scripted: Scripted, tmp_path: Path) -> Iterator[Cloud]:
    folder = tmp_path / "cloud"
    folder.mkdir()
    with cloud(scripted.url, folder) as running:
        yield running


@pytest.fixture
def service(anthropic: Cloud, tmp_path: Path) -> Iterator[SignInService]:
    """The service; at its end no token or code was logged, and none is left in the CLI's homes."""
    with signin(tmp_path / "service", anthropic.environment) as running:
        yield running
        running.process.stop()
        output = running.process.output
    assert not [secret for secret in anthropic.issued if secret in output]
    assert not list((tmp_path / "service" / "run").glob("login-*"))
