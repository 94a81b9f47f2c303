"""The genuine Claude Code CLI, the one inside the claude-agent-sdk wheel, in an environment made of nothing.

HOME and the working folder are throw-away, so that no login, setting or key of the machine is used. A loopback proxy
that refuses everything is set for all other hosts, and says which ones were wanted.
"""

import json
import os
import socketserver
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

PATIENCE: Final = 90.0
"""Seconds until a run is ended: a cold start of the binary from a slow disk takes a while."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run did. ``other_hosts`` are hosts it wanted besides the gateway, as ``METHOD host:port``."""

    rc: int
    stdout: str
    stderr: str
    other_hosts: tuple[str, ...]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The lines of ``--output-format stream-json``."""
        return [json.loads(line) for line in self.stdout.splitlines() if line.startswith("{")]

    @property
    def result(self) -> dict[str, Any]:
        """The closing event of ``--output-format stream-json`` or ``json``."""
        return next(event for event in reversed(self.events) if event.get("type") == "result")

    @property
    def stream_events(self) -> list[dict[str, Any]]:
        """The raw Anthropic events that ``--include-partial-messages`` shows."""
        return [event["event"] for event in self.events if event.get("type") == "stream_event"]


def path() -> Path:
    """Give the CLI's place. Raises AssertionError when the wheel is not installed or has none for this platform."""
    spec = find_spec("claude_agent_sdk")
    assert spec is not None, "claude-agent-sdk is not installed: make setup"
    assert spec.origin is not None
    binary = Path(spec.origin).parent / "_bundled" / "claude"
    assert binary.is_file(), f"{binary} is missing: the wheel of this platform has no CLI"
    return binary


def run(
    arguments: Sequence[str],
    *,
    url: str,
    key: str,
    model: str | None = None,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Result:
    """Run the CLI against a gateway until it ends. Raises TimeoutExpired when it does not."""
    with tempfile.TemporaryDirectory(prefix="cc-") as home, _deny_proxy() as (proxy, hosts):
        given = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "TMPDIR": home,
            "CLAUDE_CODE_TMPDIR": home,
            "LANG": "C.UTF-8",
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_AUTH_TOKEN": key,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "HTTPS_PROXY": proxy,
            "HTTP_PROXY": proxy,
            "NO_PROXY": "127.0.0.1",
            **(environment or {}),
        }
        command = [str(path()), *(["--model", model] if model else []), *arguments]
        ended = subprocess.run(
            command,
            env=given,
            cwd=cwd or home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    return Result(ended.returncode, ended.stdout, ended.stderr, tuple(sorted(set(hosts))))


@contextmanager
def _deny_proxy() -> Iterator[tuple[str, list[str]]]:
    hosts: list[str] = []

    class Deny(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            words = self.rfile.readline(4096).decode("latin-1").split()
            hosts.append(" ".join(words[:2]))
            self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Deny) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", hosts
        server.shutdown()
        thread.join()
