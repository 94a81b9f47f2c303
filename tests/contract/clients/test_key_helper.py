"""Keys from a helper program, as teams hand them out from a vault: used, rotated, and no longer accepted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.builders import scan
from tests.support.builders.targets import ANTHROPIC, ANTHROPIC_KEY, ROUTES
from tests.support.clients import cli
from tests.support.processes.gateway import Manifest, System, secret

from claude_gateway.names import API_VERSION, Kind
from claude_gateway_scripted import Scripted

FIRST, SECOND = "cgw_first-0123456789abcdef", "cgw_second-0123456789abcdef"
HELPER = """#!/bin/sh
# What a vault would say, one answer per line; the last one stays.
echo asked >> "{folder}/asked"
sed -n "$(wc -l < "{folder}/asked")p;\\$p" "{folder}/keys" | head -n 1
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[System]:
    with System() as system:
        yield system
        assert system.leaks(FIRST, SECOND) == []


def holder(*keys: str) -> list[Manifest]:
    """Apply a client with these keys, as it is while a key is being replaced."""
    names = [f"dev-{number}" for number, _ in enumerate(keys)]
    spec = {"keys": [{"secretRef": {"name": name}} for name in names], "models": ["*"]}
    resource = {"apiVersion": API_VERSION, "kind": Kind.GATEWAY_CLIENT.value, "metadata": {"name": "dev"}, "spec": spec}
    return [resource, *(secret(name, key) for name, key in zip(names, keys, strict=True))]


def serve(stack: System, scripted: Scripted, *keys: str) -> None:
    routes = ROUTES.format(url=scripted.url)
    others = (secret(name, ANTHROPIC_KEY) for name in ("openai", "google"))
    stack.apply(routes, secret("anthropic", ANTHROPIC_KEY), *others, *holder(*keys))


def ask(stack: System, home: Path, release: cli.Release, *keys: str) -> tuple[cli.Result, int]:
    """Say hello with a helper that prints these keys one after another; return also how often it was called."""
    (home / "keys").write_text("".join(f"{key}\n" for key in keys))
    (home / "asked").unlink(missing_ok=True)
    helper = home / "helper"
    helper.write_text(HELPER.format(folder=home))
    helper.chmod(0o700)
    settings: dict[str, Any] = {"apiKeyHelper": str(helper)}
    (home / "settings.json").write_text(json.dumps(settings))
    done = cli.run(
        ["--settings", str(home / "settings.json"), "-p", "--output-format", "json", "hello"],
        url=stack.url,
        key="",
        model=ANTHROPIC.model,
        release=release,
        home=home,
    )
    assert scan.found([*keys, *map(str, keys)], done.stdout + done.stderr) == []
    return done, len((home / "asked").read_text().splitlines())


@pytest.mark.parametrize("release", cli.RELEASES)
def test_a_helpers_key_is_taken_and_replaced_with_a_grace_time(
    stack: System, scripted: Scripted, tmp_path: Path, release: cli.Release
) -> None:
    serve(stack, scripted, FIRST)
    done, _ = ask(stack, tmp_path, release, FIRST)
    assert (done.rc, done.result["result"]) == (0, "echo: hello")
    # While both are accepted, it does not matter which one a running session still holds.
    serve(stack, scripted, FIRST, SECOND)
    for key in (FIRST, SECOND):
        done, _ = ask(stack, tmp_path, release, key)
        assert (done.rc, done.result["result"]) == (0, "echo: hello")
    serve(stack, scripted, SECOND)
    done, _ = ask(stack, tmp_path, release, SECOND)
    assert done.rc == 0
    assert all(ANTHROPIC.saw(request) for request in scripted.requests)


def test_a_key_that_ended_is_asked_for_again(stack: System, scripted: Scripted, tmp_path: Path) -> None:
    serve(stack, scripted, SECOND)
    done, asked = ask(stack, tmp_path, "newest", FIRST, SECOND)
    assert (done.rc, done.result["result"], asked) == (0, "echo: hello", 2)


def test_the_old_cli_needs_the_grace_time(stack: System, scripted: Scripted, tmp_path: Path) -> None:
    serve(stack, scripted, SECOND)
    done, asked = ask(stack, tmp_path, "old", FIRST, SECOND)
    # It takes `x-should-retry: false` as the last word, which keeps it from three minutes of retries with a bad key.
    assert (done.rc, asked) == (1, 1)
    assert "does not know this key" in done.result["result"]
    assert scripted.requests == ()
