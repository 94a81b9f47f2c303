"""The helpers in examples/key-helpers with the real Claude Code CLI: keys rotate in a session, and nothing fails."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pytest
from tests.support.builders import scan
from tests.support.builders.targets import ANTHROPIC, ANTHROPIC_KEY, ROUTES
from tests.support.clients import cli
from tests.support.clients.token_endpoint import AUDIENCE, CLIENT, SECRET, TokenEndpoint, token_endpoint
from tests.support.processes.gateway import Manifest, System, secret
from tests.support.processes.vault import Vault, vault
from tests.support.processes.waiting import until

from claude_gateway.names import API_VERSION, Kind
from claude_gateway_scripted import Scripted

EXAMPLES: Final = Path(__file__).parents[3] / "examples" / "key-helpers"
KEYS: Final = [f"cgw_rotated-{number}-0123456789abcdef" for number in range(5)]


@pytest.fixture(scope="module")
def idp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TokenEndpoint]:
    with token_endpoint(tmp_path_factory.mktemp("idp")) as running:
        yield running


@pytest.fixture(scope="module")
def stack(idp: TokenEndpoint) -> Iterator[System]:
    with System(environment={"SSL_CERT_FILE": str(idp.ca)}) as system:
        yield system
        assert system.leaks(*KEYS) == []


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Vault]:
    with vault(tmp_path) as running:
        yield running


def client(**spec: Any) -> Manifest:
    return {"apiVersion": API_VERSION, "kind": Kind.GATEWAY_CLIENT.value, "metadata": {"name": "dev"}, "spec": spec}


def serve(stack: System, scripted: Scripted, *more: Manifest) -> None:
    others = (secret(name, ANTHROPIC_KEY) for name in ("anthropic", "openai", "google"))
    stack.apply(ROUTES.format(url=scripted.url), *others, *more)


def accept(stack: System, scripted: Scripted, *keys: str) -> None:
    """Configure the gateway to accept these keys and no others."""
    holders = [secret(f"dev-{number}", key) for number, key in enumerate(keys)]
    refs = [{"secretRef": {"name": each["metadata"]["name"]}} for each in holders]
    serve(stack, scripted, client(keys=refs), *holders)


class Session:
    """One running CLI that receives one prompt after another."""

    def __init__(self, stack: System, home: Path, helper: str, release: cli.Release, more: Mapping[str, str]) -> None:
        self._stack, self._home = stack, home
        settings = {"apiKeyHelper": helper, "env": {"CLAUDE_CODE_API_KEY_HELPER_TTL_MS": "50"}}
        (home / "settings.json").write_text(json.dumps(settings))
        words = ["--settings", str(home / "settings.json"), "--model", ANTHROPIC.model, "-p", "--verbose"]
        words += ["--input-format", "stream-json", "--output-format", "stream-json"]
        environment = {**cli.base_environment(home), "ANTHROPIC_BASE_URL": stack.url, **more}
        # The example calls the command as it is installed.
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        pipe = subprocess.PIPE
        self._log = (home / "stderr").open("w")
        self._child = subprocess.Popen(
            [str(cli.path(release)), *words],
            env=environment,
            cwd=home,
            stdin=pipe,
            stdout=pipe,
            stderr=self._log,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        try:
            self._child.wait(cli.PATIENCE)
        finally:
            self._child.kill()
            self._child.wait()
            self._log.close()
            assert self._child.stdout is not None
            self._child.stdout.close()

    def say(self, text: str) -> str:
        """Say something and return the answer."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        message = {"type": "user", "message": {"role": "user", "content": text}}
        self._child.stdin.write(json.dumps(message) + "\n")
        self._child.stdin.flush()
        for line in self._child.stdout:
            assert scan.found(KEYS, line) == []
            event = json.loads(line)
            if event.get("type") == "result":
                assert not event["is_error"], event
                return str(event["result"])
        raise AssertionError(f"the CLI ended: {(self._home / 'stderr').read_text()}")


RECORDED: Final = """#!/bin/sh
key=$({helper} --share 0s --grace 0s) || exit
echo "$key"
echo "$key" >> "{log}"
"""
"""Runs a helper without sharing, so that a session sees each key: they rotate faster here than anywhere else."""


def recorded(home: Path, helper: str) -> str:
    """Return a helper that also writes down what it handed out."""
    path = home / "recorded"
    path.write_text(RECORDED.format(helper=helper, log=home / "handed-out"))
    path.chmod(0o700)
    return str(path)


def fetched(home: Path, key: str) -> None:
    """Wait until the helper has handed a key out: until then, the old one must be accepted."""
    until(lambda: key in handed_out(home), timeout=60, what="the helper to hand out the key")


def handed_out(home: Path) -> list[str]:
    """Return what the helper handed out."""
    return (home / "handed-out").read_text().splitlines()


def all_went_well(stack: System, before: int, *, count: int) -> None:
    """Every request of the session was answered, at the first try."""
    lines = stack.requests(count=before + count)[before:]
    assert {line["status"] for line in lines} == {200}
    assert {line["client"] for line in lines} == {"default/dev"}


@pytest.mark.parametrize("release", cli.RELEASES)
def test_vault(stack: System, scripted: Scripted, server: Vault, tmp_path: Path, release: cli.Release) -> None:
    before = len(stack.requests(count=0))
    accept(stack, scripted, KEYS[0])
    server.put("cg/alice", {"key": KEYS[0]})
    # Not the mount of a real installation: the policy in the tests is for cg.
    script = (EXAMPLES / "vault.sh").read_text().replace("claude-gateway/${", "cg/${")
    helper = tmp_path / "vault.sh"
    helper.write_text(script)
    helper.chmod(0o700)
    known = {"VAULT_ADDR": server.url, "VAULT_TOKEN": server.token, "GATEWAY_PERSON": "alice"}
    with Session(stack, tmp_path, recorded(tmp_path, str(helper)), release, known) as session:
        assert session.say("hello 0") == "echo: hello 0"
        for number, (old, new) in enumerate(pairwise(KEYS), start=1):
            accept(stack, scripted, old, new)
            server.put("cg/alice", {"key": new})
            # The first request after the TTL still has the old key, and fetches the new one meanwhile.
            assert session.say(f"hello {number}") == f"echo: hello {number}"
            fetched(tmp_path, new)
    all_went_well(stack, before, count=len(KEYS))


@pytest.mark.parametrize("release", cli.RELEASES)
def test_a_rotating_file(stack: System, scripted: Scripted, tmp_path: Path, release: cli.Release) -> None:
    before = len(stack.requests(count=0))
    accept(stack, scripted, KEYS[0])
    path = tmp_path / "key"
    path.write_text(KEYS[0])
    helper = recorded(tmp_path, str(EXAMPLES / "rotating-file.sh"))
    with Session(stack, tmp_path, helper, release, {"GATEWAY_KEY_FILE": str(path)}) as session:
        assert session.say("hello 0") == "echo: hello 0"
        for number, (old, new) in enumerate(pairwise(KEYS), start=1):
            accept(stack, scripted, old, new)
            path.write_text(new)
            assert session.say(f"hello {number}") == f"echo: hello {number}"
            fetched(tmp_path, new)
    all_went_well(stack, before, count=len(KEYS))


@pytest.mark.parametrize("release", cli.RELEASES)
def test_jwt(stack: System, scripted: Scripted, idp: TokenEndpoint, tmp_path: Path, release: cli.Release) -> None:
    before = len(stack.requests(count=0))
    issuer = {"issuer": idp.issuer, "jwksURL": f"{idp.issuer}/keys", "audiences": [AUDIENCE]}
    serve(stack, scripted, client(jwt=[issuer]))
    (tmp_path / "client-secret").write_text(SECRET)
    known = {"IDP_TOKEN_URL": idp.url, "IDP_CLIENT_ID": CLIENT, "IDP_SECRET_FILE": str(tmp_path / "client-secret")}
    helper = recorded(tmp_path, f"{EXAMPLES / 'jwt.sh'} --ca-file {idp.ca}")
    with Session(stack, tmp_path, helper, release, known) as session:
        assert session.say("hello") == "echo: hello"

        def renewed() -> bool:
            assert session.say("again") == "echo: again"
            return len(set(handed_out(tmp_path))) >= 3

        # A prompt while the helper still runs does not start it again, so it takes some.
        until(renewed, timeout=80, what="the third token")
    all_went_well(stack, before, count=3)
    assert {line["user"] for line in stack.requests(count=before)[before:]} == {"alice"}


def test_the_setup_script(stack: System, scripted: Scripted, tmp_path: Path) -> None:
    accept(stack, scripted, KEYS[0])
    path = tmp_path / "key"
    path.write_text(KEYS[0])
    path.chmod(0o600)
    environment = {
        **cli.base_environment(tmp_path),
        "CLAUDE_CONFIG_DIR": str(tmp_path / "claude"),
        "GATEWAY_KEY_FILE": str(path),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), str(cli.path().parent), os.environ["PATH"]]),
    }
    command = [str(EXAMPLES / "setup.sh"), stack.url, "rotating-file", "--model", ANTHROPIC.model]
    for seen in ("points Claude Code at", "nothing to change"):
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=cli.PATIENCE, check=False
        )
        assert (done.returncode, seen in done.stdout) == (0, True), done.stdout + done.stderr
        assert "PASS  prompt through Claude Code: 'echo: Answer with the one word: pong'" in done.stdout
    assert scan.found(KEYS, done.stdout + (tmp_path / "claude" / "settings.json").read_text()) == []
