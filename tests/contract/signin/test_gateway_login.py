"""The genuine Claude Code signs in at the gateway: its settings arrive, it asks, and it signs out."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.contract.signin.test_devices import ADA, ISSUER, environment
from tests.support.builders.bundles import bundle, route, target
from tests.support.builders.certificates import signing_key
from tests.support.clients import cli, managed
from tests.support.clients.anthropic_cloud import Cloud
from tests.support.clients.device_login import Browser, sign_in
from tests.support.clients.oidc import Provider, provider
from tests.support.clients.tap import Tap
from tests.support.clients.terminal import Terminal
from tests.support.processes.lone_gateway import LoneGateway
from tests.support.processes.signin import SignInService, signin

from claude_gateway.contract.client import Client, TokenRule
from claude_gateway_scripted import Scripted

SETTINGS = {"env": {"CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1"}}


@contextmanager
def gateway(service: SignInService, scripted: Scripted) -> Iterator[LoneGateway]:
    """A gateway whose one client are the people of a group."""
    people = TokenRule(
        issuer=ISSUER,
        jwks_url=f"{service.url}/auth/keys",
        audiences=("claude-gateway",),
        user="email",
        claims={"groups": ("platform",)},
    )
    settings = json.dumps(SETTINGS, sort_keys=True, separators=(",", ":"))
    clients = [Client(name="ns/platform", tokens=(people,), settings=settings)]
    routes = [route("claude-*", targets=[target(base_url=scripted.url)])]
    with LoneGateway(bundle(routes, clients=clients), sign_in_url=service.url) as running:
        yield running


class Machine:
    """A developer's machine that the organisation manages."""

    def __init__(self, folder: Path, url: str) -> None:
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        settings = {"forceLoginMethod": "gateway", "forceLoginGatewayUrl": url}
        self.claude = managed.command(folder / "machine", settings, cli.path())
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "BROWSER": "/bin/true"}

    def sign_in(self, browse: Callable[[str], None]) -> None:
        """Sign in on the terminal; ``browse`` does in the browser what a person does with the code."""
        terminal = Terminal([*self.claude, "auth", "login"], environment=self.environment, cwd=self.home)
        try:
            sign_in(terminal, browse, email=ADA)
        finally:
            terminal.end()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.claude, *arguments],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @property
    def login(self) -> dict[str, Any]:
        """What Claude Code stored; empty without a login."""
        path = self.home / ".claude" / ".credentials.json"
        return dict(json.loads(path.read_text()).get("enterpriseGateway") or {}) if path.exists() else {}


@pytest.fixture
def organisation(tmp_path: Path) -> Iterator[Provider]:
    folder = tmp_path / "oidc"
    folder.mkdir()
    with provider(folder) as running:
        running.claims = {"groups": ["platform"]}
        yield running


def test_a_person_signs_in_works_and_signs_out(
    anthropic: Cloud, organisation: Provider, scripted: Scripted, tmp_path: Path
) -> None:
    key = tmp_path / "signing.pem"
    key.write_text(signing_key())
    with (
        signin(tmp_path / "service", environment(anthropic, organisation, key)) as service,
        gateway(service, scripted) as running,
        Tap(running.url) as tap,
        Browser(service.url, organisation.confirm) as browser,
    ):
        machine = Machine(tmp_path / "ada", tap.url)
        machine.sign_in(lambda code: browser.approve(code, ADA))
        assert machine.login["email"] == ADA

        asked = machine.run("-p", "hello", "--model", "claude-sonnet-5-5")
        assert (asked.returncode, asked.stdout.strip()) == (0, "echo: hello"), asked.stderr
        found = running.requests(count=1)[0]
        assert (found["client"], found["user"], found["proof"]) == ("ns/platform", ADA, "jwt")
        assert any(
            passed.request.target.startswith("/v1/messages")
            and (passed.request.header("x-claude-code-managed-settings-checksum") or "").startswith("sha256:")
            for passed in tap.passed
        )

        organisation.removed.add(ADA)
        out = machine.run("auth", "logout")
        assert out.returncode == 0, out.stderr
        assert not organisation.renewals, "the session at the provider ended, too"
        assert not machine.login
        output = running.process.output + service.process.output
    assert "cgr-" not in output
    assert "eyJ" not in output
