"""The genuine Claude Code CLI from npm, in two pinned releases, in an empty environment.

``make setup-clients`` installs both. HOME and the working folder are throw-away, so that no login, setting or key of
the machine is used. For all other hosts, a loopback proxy refuses every request and records the host.
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
from pathlib import Path
from typing import Any, Final, Literal

Release = Literal["newest", "old"]
"""``old`` is about half a year older than ``newest``: teams do not update on the same day."""

RELEASES: Final[tuple[Release, ...]] = ("newest", "old")

CLIENTS: Final = Path(__file__).parents[3] / ".clients"
"""Where ``make setup-clients`` installs."""

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


def path(release: Release = "newest") -> Path:
    """Return the CLI's binary. Raises AssertionError when it is not installed."""
    folder = CLIENTS / f"claude-code-{release}" / "node_modules" / "@anthropic-ai"
    # The package of the platform, so that no Node is needed; npm takes the one that fits from the lock.
    binaries = [place for place in sorted(folder.glob("claude-code-*/claude*")) if os.access(place, os.X_OK)]
    assert binaries, f"Claude Code ({release}) is not installed: make setup-clients (needs npm)"
    return binaries[0]


def version(release: Release) -> str:
    """Return the pinned version."""
    package = CLIENTS / f"claude-code-{release}" / "node_modules" / "@anthropic-ai" / "claude-code" / "package.json"
    return str(json.loads(package.read_text())["version"])


def base_environment(home: Path | str, *, proxy: str | None = None) -> dict[str, str]:
    """Return all that a run may know of the machine; ``proxy`` is for every host but this one."""
    given = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(home),
        "CLAUDE_CODE_TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }
    if proxy is not None:
        given |= {"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "NO_PROXY": "127.0.0.1"}
    return given


def run(
    arguments: Sequence[str],
    *,
    url: str,
    key: str,
    model: str | None = None,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    release: Release = "newest",
    home: Path | None = None,
    said: str = "",
) -> Result:
    """Run the CLI against a gateway until it ends. Raises TimeoutExpired when it does not.

    ``environment`` is set on top of ``base_environment``; an empty value leaves a variable out. ``said`` is what
    comes on its standard input. ``home`` is kept; without one, a folder of this run alone is used.
    """
    with tempfile.TemporaryDirectory(prefix="cc-") as own, deny_proxy() as (proxy, hosts):
        home = home or Path(own)
        given = {
            **base_environment(home, proxy=proxy),
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_AUTH_TOKEN": key,
            **(environment or {}),
        }
        ended = subprocess.run(
            [str(path(release)), *(["--model", model] if model else []), *arguments],
            env={name: value for name, value in given.items() if value},
            cwd=cwd or home,
            input=said,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    return Result(ended.returncode, ended.stdout, ended.stderr, tuple(sorted(set(hosts))))


@contextmanager
def deny_proxy() -> Iterator[tuple[str, list[str]]]:
    """Run a proxy that refuses everything; returns its URL and what was asked of it, as ``METHOD host:port``."""
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
