"""A nearly spent budget, as Claude Code shows it to somebody who is signed in at the gateway."""

import json
import time
from pathlib import Path

import pytest
from tests.contract.signin.test_devices import ADA, ISSUER, environment
from tests.contract.signin.test_gateway_login import Machine
from tests.support.builders.bundles import bundle, route, target
from tests.support.builders.certificates import signing_key
from tests.support.clients.anthropic_cloud import Cloud
from tests.support.clients.device_login import Browser
from tests.support.clients.oidc import provider
from tests.support.clients.terminal import Terminal
from tests.support.processes.lone_gateway import LoneGateway
from tests.support.processes.signin import signin

from claude_gateway.contract.budget import Budget, Period, window
from claude_gateway.contract.client import Client, TokenRule
from claude_gateway_scripted import Scripted

_DOLLAR = 10**9
_BLUE = Budget(name="ns/blue", amount=1000 * _DOLLAR, clients=("ns/platform",))


@pytest.mark.parametrize("percent", [80, 96])
def test_the_cli_warns_above_75_and_95_percent(
    anthropic: Cloud, scripted: Scripted, tmp_path: Path, percent: int
) -> None:
    within = window(Period.MONTH, time.time())
    spend = tmp_path / "spend.json"
    row = [_BLUE.name, within.begins_at, within.ends_at, "", percent * 10 * _DOLLAR]
    spend.write_text(json.dumps({"spent": [row]}))
    key = tmp_path / "signing.pem"
    key.write_text(signing_key())
    folder = tmp_path / "oidc"
    folder.mkdir()
    with (
        provider(folder) as organisation,
        signin(tmp_path / "service", environment(anthropic, organisation, key)) as service,
        Browser(service.url, organisation.confirm) as browser,
    ):
        organisation.claims = {"groups": ["platform"]}
        people = TokenRule(
            issuer=ISSUER, jwks_url=f"{service.url}/auth/keys", audiences=("claude-gateway",), user="email"
        )
        made = bundle(
            [route("claude-*", targets=[target(base_url=scripted.url)])],
            clients=[Client(name="ns/platform", tokens=(people,))],
            budgets=[_BLUE],
        )
        with LoneGateway(made, sign_in_url=service.url, spend_file=spend) as running:
            machine = Machine(tmp_path / "ada", running.url)
            machine.sign_in(lambda code: browser.approve(code, ADA))
            _skip_welcome(machine.home)
            command = [*machine.claude, "--model", "claude-sonnet-5-5"]
            terminal = Terminal(command, environment=machine.environment, cwd=machine.home)
            try:
                terminal.shows("/effort", "shift+tab to cycle", "? for shortcuts")
                terminal.submit("hello")
                terminal.shows("echo: hello")
                terminal.shows(f"You've used {percent}% of your usage credits")
            finally:
                terminal.end()


def _skip_welcome(home: Path) -> None:
    """Answer what Claude Code asks when it is started for the first time."""
    kept = home / ".claude.json"
    known = json.loads(kept.read_text()) if kept.exists() else {}
    trusted = {str(home.resolve()): {"hasTrustDialogAccepted": True}}
    kept.write_text(json.dumps({**known, "hasCompletedOnboarding": True, "theme": "dark", "projects": trusted}))
