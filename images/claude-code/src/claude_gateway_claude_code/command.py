"""How the Claude Code CLI is started: its arguments, its environment, and the place where it may write.

Its environment is built from nothing, its home is its own and in memory, and its working directory is empty, the same
for all processes (Claude Code names it to the model, and a name that changed would spoil the prompt cache).
"""

import asyncio
import os
import secrets
import shutil
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_ARGUMENTS: Final = (
    *("--print", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"),
    # No tools, no commands, no settings, no servers, no files of sessions.
    *("--include-partial-messages", "--tools", "", "--disable-slash-commands", "--setting-sources="),
    *("--strict-mcp-config", "--no-session-persistence"),
)
_FIXED: Final = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "NO_PROXY": "127.0.0.1",
    "CLAUDE_CODE_ENTRYPOINT": "sdk-py",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
    # One request, one call: no retries, rephrasing, continuation or summaries.
    "CLAUDE_CODE_MAX_RETRIES": "0",
    "CLAUDE_CODE_DISABLE_REFUSAL_RETRY": "1",
    "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK": "1",
    "DISABLE_COMPACT": "1",
    "ENABLE_TOOL_SEARCH": "false",
    # The client decides how much the model may spend.
    "CLAUDE_CODE_EFFORT_LEVEL": "unset",
}
_LINE_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of one line of output; the longest holds a whole answer."""


@dataclass(slots=True)
class Child:
    """A running CLI and the home that it alone uses."""

    process: Process
    home: Path
    _over: bool = field(default=False)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.returncode is None and not self._over

    def kill(self) -> None:
        """End it at once, with all that it started; nothing that it holds is needed."""
        if not self._over:
            self._over = True
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)

    async def remove(self) -> None:
        """End it, wait for that, and remove its home."""
        self.kill()
        await self.process.wait()
        await asyncio.to_thread(shutil.rmtree, self.home, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Command:
    """Starts CLIs. ``proxy`` is the URL of the egress proxy; ``extra_ca`` is a file of authorities to trust."""

    cli: Path
    run_dir: Path
    proxy: str
    extra_ca: Path | None = None

    def prepare(self) -> None:
        """Make the folders, without what an earlier process left in them. Raises OSError."""
        shutil.rmtree(self._homes, ignore_errors=True)
        self._homes.mkdir(mode=0o700, parents=True)
        self._empty.mkdir(mode=0o555, exist_ok=True)
        if any(self._empty.iterdir()):
            raise OSError(f"{self._empty} must be empty: it is the working directory of Claude Code")

    async def start(self, *, login: str, base_url: str) -> Child:
        """Start a CLI that uses this login and asks at ``base_url``. Raises OSError."""
        home = self._homes / secrets.token_hex(8)
        (home / "tmp").mkdir(mode=0o700, parents=True)
        try:
            process = await asyncio.create_subprocess_exec(
                self.cli,
                *_ARGUMENTS,
                cwd=self._empty,
                env=self._environment(home, login=login, base_url=base_url),
                stdin=PIPE,
                stdout=PIPE,
                stderr=DEVNULL,
                limit=_LINE_LIMIT,
                start_new_session=True,
            )
        except BaseException:  # also a client that left meanwhile
            shutil.rmtree(home, ignore_errors=True)
            raise
        return Child(process, home)

    async def version(self) -> str:
        """Return what the CLI says its version is. Raises OSError."""
        home = self._homes / "version"
        home.mkdir(mode=0o700, exist_ok=True)
        process = await asyncio.create_subprocess_exec(
            self.cli,
            "--version",
            cwd=self._empty,
            env={**_FIXED, "HOME": str(home), "TMPDIR": str(home)},
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=DEVNULL,
        )
        try:
            async with asyncio.timeout(60):
                output, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            raise OSError(f"{self.cli} did not say its version") from None
        return output.decode(errors="replace").strip()

    @property
    def _homes(self) -> Path:
        return self.run_dir / "homes"

    @property
    def _empty(self) -> Path:
        return self.run_dir / "empty"

    def _environment(self, home: Path, *, login: str, base_url: str) -> dict[str, str]:
        trusted = {} if self.extra_ca is None else {"NODE_EXTRA_CA_CERTS": str(self.extra_ca)}
        return {
            **_FIXED,
            **trusted,
            "HOME": str(home),
            "TMPDIR": str(home / "tmp"),
            "HTTPS_PROXY": self.proxy,
            "HTTP_PROXY": self.proxy,
            "ANTHROPIC_BASE_URL": base_url,
            "CLAUDE_CODE_OAUTH_TOKEN": login,
        }
