"""Every mode of Claude Code through the Service, to every kind of target."""

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pytest
from tests.e2e.release import Gateway
from tests.support.builders import clouds
from tests.support.builders.clouds import MODES, TARGETS, Mode, Target
from tests.support.kube import pods as kubepods
from tests.support.kube.kubectl import Manifest
from tests.support.processes.gateway import documents

from claude_gateway.names import LABEL_CREDENTIAL
from claude_gateway_scripted import Recorded, digest

WAYS: Final = tuple(
    mode
    for mode in MODES
    if mode.name in ("messages-token", "bedrock-sigv4", "vertex-token", "foundry-key", "gateway-token")
)
"""Each mode with one way to show the key; the other ways are tested without a cluster."""
NOTE: Final = "/home/client/mode.txt"
AUTHORITY: Final = "/home/client/ca.crt"
GOOGLE_TOKEN: Final = "ya29.scripted"
"""What a service account gets at the scripted upstream's token server by default."""


@dataclass(frozen=True, slots=True)
class Furnished:
    """The release, and what it shows to each kind of target, as a digest by the target's name."""

    gateway: Gateway
    shows: Mapping[str, str]


@pytest.fixture(scope="module")
def furnished(gateway: Gateway) -> Iterator[Furnished]:
    """The release with routes to all clouds beside its own; they are removed afterwards."""
    place, kube = gateway.release.namespace, gateway.kube
    access, secret = f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30)
    gemini = f"AIza-e2e-{secrets.token_hex(24)}"
    google = json.dumps(clouds.service_account(f"{kubepods.UPSTREAM_URL}/token"))
    made = [
        _secret("aws", {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}),
        _secret("google", {"key.json": google}),
        _secret("gemini", {"key": gemini}),
        # The release has a credential of the name already, to the same place.
        *(each for each in documents(clouds.ROUTES.format(url=kubepods.UPSTREAM_URL)) if _own(each)),
    ]
    gateway.secrets.extend([secret, gemini, json.loads(google)["private_key"].splitlines()[1]])
    kube.apply(*made, namespace=place)
    names = [f"{each['kind'].lower()}/{each['metadata']['name']}" for each in made]
    gateway.wait_live(*(name for name in names if not name.startswith("secret/")))
    kubepods.run(kube, gateway.pod, "sh", "-c", f"echo the word is ultramarine >{NOTE}")
    authority = gateway.release.secret(gateway.release.tls, "tls.crt")
    kubepods.run(kube, gateway.pod, "sh", "-c", f'echo "$0" >{AUTHORITY}', authority)
    on_anthropic, on_openai = (target.credential for target in gateway.targets)
    shows = {"anthropic": on_anthropic, "openai": on_openai, "gemini": digest(gemini), "vertex": digest(GOOGLE_TOKEN)}
    yield Furnished(gateway, shows)
    kube.kubectl("delete", *names, "-n", place)


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize("mode", WAYS, ids=str)
def test_every_mode_reaches_every_kind_of_target(
    furnished: Furnished, upstream: kubepods.Upstream, mode: Mode, target: Target
) -> None:
    _tool_round(furnished, upstream, mode, target, release="newest")


@pytest.mark.parametrize(
    ("mode", "target"), [(mode, TARGETS[n % len(TARGETS)]) for n, mode in enumerate(WAYS)], ids=str
)
def test_an_old_release_does_so_too(
    furnished: Furnished, upstream: kubepods.Upstream, mode: Mode, target: Target
) -> None:
    _tool_round(furnished, upstream, mode, target, release="old")


def _tool_round(furnished: Furnished, upstream: kubepods.Upstream, mode: Mode, target: Target, *, release: str) -> None:
    gateway = furnished.gateway
    prompt = f'[[tool Read {{"file_path": "{NOTE}"}}]]'
    stream = ("--output-format", "stream-json", "--verbose", "--include-partial-messages")
    given = ("-p", "--model", mode.model(target), *stream, "--allowedTools", "Read", "--", prompt)
    printed = kubepods.run(gateway.kube, gateway.pod, "sh", "-c", _script(gateway, mode), f"claude-{release}", *given)
    events = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]

    assert events[-1]["num_turns"] == 2, events[-1]
    assert "ultramarine" in events[-1]["result"]
    assert any(event["type"] == "stream_event" for event in events)
    asked = [request for request in upstream.requests if b"[[tool Read" in request.body]
    assert [_reached(furnished, target, request) for request in asked] == [True, True]
    assert b"ultramarine" in asked[1].body


def _script(gateway: Gateway, mode: Mode) -> str:
    """What sets the mode up and runs the command; the key stays in the environment."""
    # The newest release refuses plain HTTP in gateway mode, but for localhost.
    url = gateway.release.tls_url if mode.name.startswith("gateway") else gateway.release.url
    settings = {**mode.settings(url=url, key="$KEY"), "NODE_EXTRA_CA_CERTS": AUTHORITY}
    lines = ["KEY=$ANTHROPIC_AUTH_TOKEN", *(f"unset {name}" for name, value in settings.items() if not value)]
    lines += [f'export {name}="{value}"' for name, value in settings.items() if value]
    return "; ".join([*lines, 'exec "$0" "$@"'])


def _reached(furnished: Furnished, target: Target, request: Recorded) -> bool:
    """Whether a request came to this target, with the gateway's own credential there."""
    if request.path not in (target.stream_path, target.whole_path):
        return False
    if target is clouds.BEDROCK:
        return (request.header("authorization") or "").startswith("AWS4-HMAC-SHA256 ")
    return request.credential == furnished.shows[target.name]


def _own(manifest: Manifest) -> bool:
    return (manifest["kind"], manifest["metadata"]["name"]) != ("ClaudeCredential", "anthropic")


def _secret(name: str, values: dict[str, Any]) -> Manifest:
    metadata = {"name": name, "labels": {LABEL_CREDENTIAL: "true"}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}
