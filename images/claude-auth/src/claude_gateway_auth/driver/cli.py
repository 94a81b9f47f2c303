"""The CLI as a process: where it is, and the closed environment that it runs in."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

_INHERITED: Final = (
    *("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"),
    *("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR", "LANG", "LC_ALL"),
)
"""What leads to Anthropic through a company's proxy. No key is among it."""


class CliMissingError(Exception):
    """The Claude Code CLI is not installed."""


@dataclass(frozen=True, slots=True)
class Cli:
    """The binary, and the variables of this process that it may see."""

    path: Path
    inherited: Mapping[str, str]

    @classmethod
    def find(cls, chosen: Path | None, ambient: Mapping[str, str]) -> "Cli":
        """Return the chosen CLI, the one bundled with claude-agent-sdk, or ``claude`` on PATH.

        Raises CliMissingError.
        """
        inherited = {name: ambient[name] for name in _INHERITED if ambient.get(name)}
        for path in (chosen,) if chosen else (_bundled(), _on_path(ambient)):
            if path is not None and path.is_file():
                return cls(path, inherited)
        raise CliMissingError("no Claude Code CLI: install claude-agent-sdk, or set CLAUDE_GATEWAY_CLI")

    def environment(self, home: Path, **more: str) -> dict[str, str]:
        """Return the whole environment of a CLI with a private home.

        No program is on its PATH, so that it opens no browser on this machine.
        """
        return {
            **self.inherited,
            "PATH": str(home / "none"),
            "HOME": str(home),
            "TMPDIR": str(home),
            "TERM": "dumb",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_AUTOUPDATER": "1",
            **more,
        }

    def direct(self) -> dict[str, str]:
        """Return the variables that keep a proxy out of the way to a loopback address."""
        direct = ",".join(filter(None, (self.inherited.get("NO_PROXY") or self.inherited.get("no_proxy"), "127.0.0.1")))
        return {"NO_PROXY": direct, "no_proxy": direct}


def _bundled() -> Path | None:
    found = find_spec("claude_agent_sdk")
    return Path(found.origin).parent / "_bundled" / "claude" if found and found.origin else None


def _on_path(ambient: Mapping[str, str]) -> Path | None:
    found = shutil.which("claude", path=ambient.get("PATH"))
    return Path(found) if found else None
