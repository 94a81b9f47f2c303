"""claude-code-router from npm with the scripted model behind it, configured as its README says."""

import json
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.peers.peer import Peer
from tests.support.processes.child import Process
from tests.support.processes.ports import free_port
from tests.support.processes.underway import KEY, Underway, scripted
from tests.support.processes.waiting import until

PACKAGE: Final = "@musistudio/claude-code-router"
VERSION: Final = "2.0.0"
"""The newest that installs from npm alone: 3.1.1 names a package that the registry does not give."""

_ARGUMENTS: Final = (
    # It routes by `provider,model`.
    *("--claude-model", "anthropic,claude-opus-4-5-20251101", "--other-model", "openai,scripted-gpt"),
    *("--gemini-model", "gemini,gemini-3-pro", "--responses-model", "", "--embedding-model", ""),
    *("--bedrock-model", "", "--vertex-model", "", "--forward-model", "", "--estimate-model", ""),
    *("--judged-model", "", "--denied-model", ""),
    *("--without", "bedrock", "--without", "sigv4", "--without", "vertex", "--without", "bridge"),
    *("--without", "discovery", "--without", "chat", "--without", "responses"),
    # A name that it does not know goes to its default.
    *("--without", "unknown-model"),
)


@contextmanager
def running() -> Iterator[Underway]:
    """Start the scripted model and the router in front of it."""
    with scripted() as upstream, installed(upstream, key=KEY, model="scripted-gpt") as (_, port):
        yield Underway(f"http://127.0.0.1:{port}", upstream)


@contextmanager
def installed(upstream: str, *, key: str, model: str) -> Iterator[tuple[Process, int]]:
    """Install the router into a temporary folder and start it; ``model`` is behind ``openai,<model>``."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise SystemExit("claude-code-router needs node and npm")
    with tempfile.TemporaryDirectory(prefix="peer-") as name:
        home = Path(name)
        install = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(home), f"{PACKAGE}@{VERSION}"]
        subprocess.run(install, check=True, capture_output=True)
        port = free_port()
        folder = home / ".claude-code-router"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(_config(upstream, port, key=key, model=model)))
        program = home / "node_modules" / PACKAGE / "dist" / "cli.js"
        with Process([node, str(program), "start"], environment={"HOME": str(home)}) as process:

            def listening() -> bool:
                assert process.returncode is None, f"it ended with {process.returncode}:\n{process.output}"
                with socket.socket() as probe:
                    return probe.connect_ex(("127.0.0.1", port)) == 0

            until(listening, timeout=60, what="claude-code-router")
            yield process, port


def _config(upstream: str, port: int, *, key: str, model: str) -> dict[str, Any]:
    def provider(name: str, path: str, model: str, use: list[Any]) -> dict[str, Any]:
        address = {"api_base_url": upstream + path, "api_key": "sk-conformance"}
        return {"name": name, **address, "models": [model], "transformer": {"use": use}}

    limit = ["maxtoken", {"max_tokens": 8192}]
    return {
        "PORT": port,
        "APIKEY": key,
        "LOG": False,
        "NON_INTERACTIVE_MODE": True,
        "API_TIMEOUT_MS": 600000,
        "Providers": [
            provider("anthropic", "/v1/messages", "claude-opus-4-5-20251101", ["Anthropic"]),
            provider("openai", "/v1/chat/completions", model, [limit]),
            provider("gemini", "/v1beta/models/", "gemini-3-pro", ["gemini"]),
        ],
        "Router": {"default": "anthropic,claude-opus-4-5-20251101"},
    }


PEER: Final = Peer(f"claude-code-router {VERSION}", _ARGUMENTS, running)
