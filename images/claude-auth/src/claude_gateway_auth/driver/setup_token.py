"""``claude setup-token``: it needs a terminal, and prints its token there instead of storing it."""

import asyncio
import fcntl
import os
import pty
import struct
import termios
from contextlib import suppress
from typing import Final

from claude_gateway_auth.driver import words
from claude_gateway_auth.driver.cli import Cli
from claude_gateway_auth.driver.process import ended
from claude_gateway_auth.flow import Trouble
from claude_gateway_auth.home import Home

_LINES: Final = 50
_COLUMNS: Final = 4000
"""So many that neither link nor token is ever broken into lines."""
_KEPT: Final = 262_144
_SETTLE_SECONDS: Final = 0.7
"""The program ignores keys in the first moments of a prompt, and takes a code and Enter at once for a paste."""


class SetupToken:
    """A running ``claude setup-token``."""

    def __init__(self, process: asyncio.subprocess.Process, terminal: int) -> None:
        self._process = process
        self._terminal = terminal
        self._text = ""
        self._more = asyncio.Event()
        self._over = False
        asyncio.get_running_loop().add_reader(terminal, self._read)

    @classmethod
    async def start(cls, cli: Cli, home: Home) -> "SetupToken":
        """Start it. Raises OSError."""
        master, slave = pty.openpty()
        try:
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, _COLUMNS, 0, 0))
            os.set_blocking(master, False)
            process = await asyncio.create_subprocess_exec(
                str(cli.path),
                "setup-token",
                env=cli.environment(home.path, TERM="xterm-256color"),
                cwd=home.path,
                stdin=slave,
                stdout=slave,
                stderr=slave,
                pass_fds=(home.lock,),
                start_new_session=True,
            )
        except BaseException:
            os.close(master)
            raise
        finally:
            os.close(slave)
        return cls(process, master)

    async def link(self) -> str | Trouble:
        """Return the link to open, or why there is none."""
        while (found := words.link(self._text)) is None:
            if not await self._wait():
                return words.trouble(self._text) or Trouble.CLI
        await asyncio.sleep(_SETTLE_SECONDS)
        self._text = ""
        return found

    async def submit(self, code: str) -> bytes | Trouble:
        """Return the token that Anthropic issues for the code, or why there is none."""
        self._text = ""
        try:
            os.write(self._terminal, code.encode())
            await asyncio.sleep(_SETTLE_SECONDS)
            os.write(self._terminal, b"\r")
        except OSError:
            return Trouble.CLI
        while True:
            if (token := words.token(self._text)) is not None:
                self._text = ""
                return token.encode()
            if (trouble := words.trouble(self._text)) is not None:
                self._text = ""
                return trouble
            if not await self._wait():
                return Trouble.CLI

    async def close(self) -> None:
        """End it."""
        self._stop_reading()
        with suppress(OSError):
            os.close(self._terminal)
        self._text = ""
        await ended(self._process)

    async def _wait(self) -> bool:
        """Wait for more output; return whether there is some."""
        if self._over:
            return False
        await self._more.wait()
        self._more.clear()
        return not self._over

    def _read(self) -> None:
        try:
            data = os.read(self._terminal, 65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._stop_reading()
        self._text = (self._text + data.decode("utf-8", "replace"))[-_KEPT:]
        self._more.set()

    def _stop_reading(self) -> None:
        if not self._over:
            self._over = True
            asyncio.get_running_loop().remove_reader(self._terminal)
            self._more.set()
