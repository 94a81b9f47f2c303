"""The genuine CLI as a person has it: in a pseudo terminal, with what it draws kept as a screen of text.

A person's first start (theme, trust in the folder) is answered beforehand, in the files where the CLI keeps it.
"""

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import pyte
from tests.support.clients import cli
from tests.support.processes.waiting import until

COLUMNS: Final = 140
LINES: Final = 120
"""So many that a test's whole conversation stays on the screen."""

PATIENCE: Final = 90.0
"""Seconds until a wait for a text on the screen is given up."""

KEYS: Final = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "shift+tab": "\x1b[Z",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "ctrl+c": "\x03",
    "ctrl+o": "\x0f",
}

_GRACE: Final = 5.0
_AGAIN: Final = 2.0
_SETTLED: Final = 0.5
_TRIES: Final = 20
_READ: Final = 65536


class Terminal:
    """A running program and its screen. Use ``claude`` to start the CLI in one."""

    def __init__(self, arguments: Sequence[str], *, environment: Mapping[str, str], cwd: Path) -> None:
        self._screen = _Screen(self._write)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._shown: str | None = ""
        self._ending = False
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        try:
            # A session of its own, so that no signal of the tests' own terminal reaches it.
            self._child = subprocess.Popen(
                list(arguments),
                env={**environment, "TERM": "xterm-256color"},
                cwd=cwd,
                stdin=slave,
                stdout=slave,
                stderr=slave,
                start_new_session=True,
            )
        except BaseException:
            os.close(self._master)
            raise
        finally:
            os.close(slave)
        # Always read, whatever the test waits for: a program whose terminal is full stops.
        self._reader = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()

    @property
    def screen(self) -> str:
        """What is on the screen now, without blank lines and trailing spaces."""
        with self._lock:
            if self._shown is None:
                lines = (line.rstrip() for line in self._screen.display)
                self._shown = "\n".join(line for line in lines if line)
            return self._shown

    @property
    def returncode(self) -> int | None:
        """The exit status; None while it runs."""
        return self._child.poll()

    def has(self, text: str) -> bool:
        """Return whether a text is on the screen, wherever its lines were broken."""
        return _solid(text) in _solid(self.screen)

    def shows(self, *texts: str, timeout: float = PATIENCE) -> str:
        """Wait until one of the texts is on the screen, and return that one.

        Raises AssertionError, with the screen, when none comes or the program ends first.
        """

        def ask() -> str | None:
            # Asked before the screen is read, so that the last words of a program that ends are still seen.
            ended = self.returncode is not None and not self._reader.is_alive()
            found = next((text for text in texts if self.has(text)), None)
            assert found is not None or not ended, f"ended with {self.returncode}:\n{self.screen}"
            return found

        return str(self._until(ask, timeout=timeout, what=" or ".join(map(repr, texts))))

    def loses(self, text: str, *, timeout: float = PATIENCE) -> None:
        """Wait until a text is on the screen no longer, and stays away: what is drawn again is gone for a moment."""
        gone = time.monotonic()

        def ask() -> bool:
            nonlocal gone
            if self.has(text):
                gone = time.monotonic()
            return time.monotonic() - gone >= _SETTLED

        self._until(ask, timeout=timeout, what=f"{text!r} to go")

    def press(self, *keys: str) -> None:
        """Press keys, by their names in ``KEYS``."""
        for key in keys:
            self._write(KEYS[key])

    def type(self, text: str) -> None:
        """Type a text on one line, and wait until it is seen."""
        self._write(text)
        self.shows(text)

    def paste(self, text: str) -> None:
        """Paste a text, as a terminal does it; also how a file comes in that is dropped on the terminal."""
        self._write(f"\x1b[200~{text}\x1b[201~")

    def answer(self, question: str, *keys: str) -> None:
        """Wait for a question, and press the keys until it is gone: a dialog ignores keys at first."""
        self.shows(question)
        for _ in range(_TRIES):
            self.press(*(keys or ("enter",)))
            with contextlib.suppress(AssertionError):
                self.loses(question, timeout=_AGAIN)
                return
        raise AssertionError(f"{question!r} stays:\n{self.screen}")

    def interrupt(self, text: str) -> None:
        """Send SIGINT until a text is seen: the terminal of a test sends no signal, because it controls no session.

        A program in Python misses a signal that comes between its prompt and its read, until the next one.
        """
        for _ in range(_TRIES):
            self._child.send_signal(signal.SIGINT)
            with contextlib.suppress(AssertionError):
                self.shows(text, timeout=5 * _AGAIN)
                return
        raise AssertionError(f"{text!r} does not come:\n{self.screen}")

    def submit(self, prompt: str) -> None:
        """Type a prompt and send it."""
        self.type(prompt)
        self.press("enter")

    def end(self) -> int:
        """End the program, asked first and then made to; returns the exit status."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(_GRACE)
            except subprocess.TimeoutExpired:
                self._child.kill()
        returncode = self._child.wait()
        if not self._ending:
            self._ending = True
            self._reader.join()
            os.close(self._master)
        return returncode

    def _until(self, ask: Callable[[], object], *, timeout: float, what: str) -> object:
        try:
            return until(ask, timeout=timeout, what=what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n--- screen ---\n{self.screen}") from None

    def _write(self, text: str) -> None:
        data = text.encode()
        while data:
            data = data[os.write(self._master, data) :]

    def _read(self) -> None:
        while True:
            ready, _, _ = select.select([self._master], [], [], 0.1)
            if not ready:
                # What the program started may hold the terminal open after it.
                if self._ending or self._child.poll() is not None:
                    return
                continue
            try:
                data = os.read(self._master, _READ)
            except OSError:  # the other side is closed
                return
            with self._lock:
                self._stream.feed(data)
                self._shown = None


Opened = AbstractContextManager[Terminal]


@contextlib.contextmanager
def claude(
    *arguments: str,
    url: str,
    key: str,
    home: Path,
    cwd: Path,
    model: str | None = None,
    environment: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    release: cli.Release = "newest",
    quiet: bool = True,
) -> Iterator[Terminal]:
    """Run the interactive CLI against a gateway; it is ready for a prompt.

    ``home`` keeps its sessions and files from one run to the next, ``settings`` become the user's ``settings.json``;
    ``environment`` is set on top of ``cli.base_environment``, an empty value leaves a variable out. Afterwards no other
    host may have been wanted, unless it need not be ``quiet``.
    """
    _answer_first_start(home, cwd, settings or {})
    # Not in the home: the path of a Unix socket may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="cc-") as scratch, cli.deny_proxy() as (proxy, hosts):
        given = {
            **cli.base_environment(home, proxy=proxy),
            "TMPDIR": scratch,
            "CLAUDE_CODE_TMPDIR": scratch,
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_AUTH_TOKEN": key,
            # A marketplace of plugins on another host, asked for in interactive runs alone.
            "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",
            **(environment or {}),
        }
        command = [str(cli.path(release)), *(["--model", model] if model else []), *arguments]
        running = Terminal(command, environment={name: value for name, value in given.items() if value}, cwd=cwd)
        try:
            running.shows("/effort", "shift+tab to cycle", "? for shortcuts")
            yield running
        finally:
            running.end()
    assert not quiet or hosts == [], hosts


def _answer_first_start(home: Path, cwd: Path, settings: Mapping[str, Any]) -> None:
    kept = home / ".claude.json"
    if kept.exists():
        return
    (home / ".claude").mkdir(parents=True, exist_ok=True)
    kept.write_text(
        json.dumps(
            {
                "hasCompletedOnboarding": True,
                "theme": "dark",
                "projects": {str(cwd.resolve()): {"hasTrustDialogAccepted": True}},
            }
        )
    )
    (home / ".claude" / "settings.json").write_text(json.dumps(settings))


class _Screen(pyte.Screen):
    """A screen that answers the terminal's questions, such as where the cursor is."""

    def __init__(self, answer: Callable[[str], None]) -> None:
        super().__init__(COLUMNS, LINES)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        self._answer(data)


def _solid(text: str) -> str:
    return "".join(text.split())
