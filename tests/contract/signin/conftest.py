"""The stand-ins of the sign-in hosts and of an organisation, and the service with its own folders."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.builders.certificates import signing_key
from tests.support.clients.anthropic_cloud import Cloud, cloud
from tests.support.clients.oidc import Provider, provider
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


@pytest.fixture
def organisation(tmp_path: Path) -> Iterator[Provider]:
    """The identity provider of an organisation."""
    folder = tmp_path / "oidc"
    folder.mkdir()
    with provider(folder) as running:
        running.claims = {"groups": ["platform", "everyone"]}
        yield running


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """The key that signs the tokens of devices."""
    path = tmp_path / "signing.pem"
    path.write_text(signing_key())
    return path
