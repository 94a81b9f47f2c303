"""``claude auth login``, by pipes: it prints its link at once, and reads the code from its standard input."""

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from typing import Final

from claude_gateway_auth.driver import words
from claude_gateway_auth.driver.cli import Cli
from claude_gateway_auth.driver.process import ended
from claude_gateway_auth.flow import Trouble
from claude_gateway_auth.home import Home

_KEPT: Final = 65_536
"""Characters of output that are kept."""
_LOGOUT_SECONDS: Final = 30.0


class AuthLogin:
    """A running ``claude auth login``."""

    def __init__(self, process: asyncio.subprocess.Process, home: Home) -> None:
        self._process = process
        self._home = home
        self._text = ""

    @classmethod
    async def start(cls, cli: Cli, home: Home) -> "AuthLogin":
        """Start it. Raises OSError."""
        process = await asyncio.create_subprocess_exec(
            str(cli.path),
            *("auth", "login"),
            env=cli.environment(home.path),
            cwd=home.path,
            stdin=PIPE,
            stdout=PIPE,
            stderr=STDOUT,
            pass_fds=(home.lock,),
            start_new_session=True,
        )
        return cls(process, home)

    async def link(self) -> str | Trouble:
        """Return the link to open, or why there is none."""
        while (found := words.link(self._text)) is None:
            if not await self._read():
                return words.trouble(self._text) or Trouble.CLI
        self._text = ""
        return found

    async def submit(self, code: str) -> bytes | Trouble:
        """Return the login that Anthropic issues for the code, or why there is none."""
        pipe = self._process.stdin
        try:
            if pipe is None:
                return Trouble.CLI
            pipe.write(f"{code}\n".encode())
            await pipe.drain()
        except ConnectionError:
            return Trouble.CLI
        while await self._read():
            found = words.trouble(self._text)
            if found is Trouble.INCOMPLETE:
                self._text = ""
                return found
        await self._process.wait()
        login = self._home.login()
        if self._process.returncode == 0 and login is not None:
            return login
        return words.trouble(self._text) or Trouble.CLI

    async def close(self) -> None:
        """End it."""
        await ended(self._process)

    async def _read(self) -> bool:
        stream = self._process.stdout
        data = await stream.read(4096) if stream is not None else b""
        self._text = (self._text + data.decode("utf-8", "replace"))[-_KEPT:]
        return bool(data)


async def run(cli: Cli, home: Home, *arguments: str, seconds: float, **environment: str) -> int | None:
    """Run the CLI to its end without showing its output; return its exit status, None if it took too long.

    Cancelled or too late, the CLI is not killed at once: it may be about to write a login.
    """
    process = await asyncio.create_subprocess_exec(
        str(cli.path),
        *arguments,
        env=cli.environment(home.path, **environment),
        cwd=home.path,
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=DEVNULL,
        pass_fds=(home.lock,),
        start_new_session=True,
    )
    try:
        return await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        return None
    finally:
        await ended(process)


async def logout(cli: Cli, home: Home) -> None:
    """Revoke the login in a home at Anthropic. Raises OSError."""
    await run(cli, home, "auth", "logout", seconds=_LOGOUT_SECONDS)
