"""Which hosts are contacted when Claude Code works with models that are not Anthropic's: only their server.

The CLI and all processes of the gateway have a proxy that writes down each host they want. The model's server stands
under a name that only this proxy knows, so that a process which went round it would get no answer.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.builders.targets import OPENAI_KEY
from tests.support.clients import cli
from tests.support.clients.hostlog import HOST, HostLog, host_log
from tests.support.clients.scenarios import SCENARIOS, play
from tests.support.processes.gateway import System, secret

from claude_gateway_scripted import Scripted

ROUTES = f"""
apiVersion: claudegateway.io/v1alpha1
kind: ClaudeCredential
metadata: {{name: vllm}}
spec: {{apiKey: {{provider: hosted_vllm, secretRef: {{name: openai}}, baseURL: "http://{HOST}/v1"}}}}
---
apiVersion: claudegateway.io/v1alpha1
kind: ModelRoute
metadata: {{name: all}}
spec:
  models: ["claude-*", some-other-model, sonnet, haiku]
  targets: [{{model: hosted_vllm/scripted-gpt, credential: vllm}}]
"""
PLAYED = ("prompt", "conversation", "tools-parallel", "subagent", "context", "image-read", "structured", "not-streamed")
MODES = {
    "base-url": {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"},
    "gateway-mode": {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "", "CLAUDE_CODE_USE_GATEWAY": "1"},
}


@pytest.fixture(scope="module")
def logged() -> Iterator[tuple[System, Scripted, HostLog]]:
    """The gateway in a network where every host but this machine is behind the logging proxy."""
    with Scripted() as upstream, host_log(upstream.url) as log, System(environment=log.environment) as system:
        system.apply(ROUTES, secret("openai", OPENAI_KEY))
        yield system, upstream, log


# The old release does not know the gateway mode yet.
@pytest.mark.parametrize(("mode", "release"), [("base-url", "newest"), ("base-url", "old"), ("gateway-mode", "newest")])
def test_a_route_to_other_models_contacts_their_server_only(
    logged: tuple[System, Scripted, HostLog], tmp_path: Path, mode: str, release: cli.Release
) -> None:
    system, upstream, log = logged
    answered = 0
    for scenario in (scenario for scenario in SCENARIOS if scenario.name in PLAYED):
        home = tmp_path / scenario.name
        home.mkdir()
        wanted = replace(scenario, environment={**scenario.environment, "DISABLE_AUTOUPDATER": "", **MODES[mode]})
        done = play(wanted, url=system.url, key=system.key, upstream=upstream, release=release, home=home)
        assert done.rc == 0, (scenario.name, done)
        assert done.other_hosts == ()
        answered += len(upstream.requests)
    assert answered >= len(PLAYED)
    assert set(log.asked) == {f"POST {HOST}:80"}


def test_the_log_would_have_shown_it(logged: tuple[System, Scripted, HostLog]) -> None:
    system, _, log = logged
    plain = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "", "DISABLE_AUTOUPDATER": ""}
    done = cli.run(["-p", "hello"], url=system.url, key=system.key, environment=plain)
    assert done.rc == 0
    assert "CONNECT api.anthropic.com:443" in done.other_hosts
    assert len(log.asked) >= 1
