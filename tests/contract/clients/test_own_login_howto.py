"""The how-to of the pass-through, followed word for word; a stand-in answers for Anthropic's own address."""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.support.builders import scan
from tests.support.clients import cli
from tests.support.clients.anthropic_tls import HOST, Anthropic, anthropic
from tests.support.clients.tap import Tap
from tests.support.processes.child import Process, python
from tests.support.processes.serve import Serve

from claude_gateway_scripted import Scripted

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = ROOT / "docs" / "how-to" / "own-login.md"
TOKEN: Final = "sk-ant-oat01-somebodys-own-0123456789"


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[tuple[Anthropic, Tap]]:
    with Scripted() as upstream, Tap(upstream.url) as tap, anthropic(tap.url, tmp_path) as there:
        yield there, tap


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clone, as far as the page needs one, with both commands on the path."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "claude").symlink_to(cli.path("newest"))
    (commands / "claude-gateway").write_text(f'#!/bin/sh\nexec {sys.executable} -m claude_gateway.cli "$@"\n')
    (commands / "claude-gateway").chmod(0o755)
    return tmp_path


def _blocks() -> tuple[list[str], str]:
    """The commands of the gateway's side, and those of the developer's."""
    first, second = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return first.splitlines(), second


def _shell(folder: Path, script: str, **more: str) -> subprocess.CompletedProcess[str]:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    environment = {**cli.base_environment(home), **more}
    environment["PATH"] = f"{folder / 'bin'}:{environment['PATH']}"
    return subprocess.run(
        ["sh", "-euc", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=90, check=False
    )


def test_the_page_works_as_it_is_written(vendor: tuple[Anthropic, Tap], folder: Path) -> None:
    there, tap = vendor
    (make_key, serve), developer = _blocks()
    made = _shell(folder, make_key)
    assert made.returncode == 0, made
    assert serve.startswith("claude-gateway serve ")
    # Short: Unix sockets are inside.
    memory = Path(tempfile.mkdtemp(prefix="xdg-", dir="/tmp"))
    files = serve.replace("examples/", f"{folder}/examples/").split()[1:]
    arguments = python("claude_gateway.cli", *files, "--listen", "127.0.0.1:0", "--log-format", "json")
    process = Process(arguments, environment={"XDG_RUNTIME_DIR": str(memory), **there.environment})
    try:
        url = Serve(process, folder, memory).url
        # The one thing that is not as written: a free port, and a prompt for the first turn.
        script = developer.replace(" env claude ", f" env claude --url {url} ").rstrip() + " -p hello"
        assert script.endswith("\nclaude -p hello")
        said = _shell(folder, script, CLAUDE_CODE_OAUTH_TOKEN=TOKEN)
        assert (said.returncode, said.stdout.strip()) == (0, "echo: hello"), said
        assert scan.found([TOKEN], process.output) == []
    finally:
        process.stop()
        shutil.rmtree(memory)
    assert {each.request.header("authorization") for each in tap.passed} == {f"Bearer {TOKEN}"}
    assert set(there.asked) == {f"{HOST}:443"}
