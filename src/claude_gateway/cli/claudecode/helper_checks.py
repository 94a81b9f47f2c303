"""Checks of an ``apiKeyHelper``: can Claude Code run it, who else could, and does its key live long enough."""

import re
import shlex
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from claude_gateway.cli.checks import Check, CheckStatus
from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import mistakes
from claude_gateway.cli.keyhelper import fresh, program
from claude_gateway.cli.keyhelper.fresh import Key
from claude_gateway.cli.keyhelper.options import DEFAULT_TTL, TTL_VARIABLE, ttl_of
from claude_gateway.cli.terminal import printable

NAME: Final = "apiKeyHelper"
_SECONDS: Final = 60.0
_LARGEST: Final = 65_536
_SLOW: Final = 10.0
# What only a shell understands: Claude Code runs the helper in one.
_SHELL: Final = re.compile(r"[|&;<>()$`*?~]")


def of_command(command: str) -> Iterator[Check]:
    """Check the files that a helper is made of, without running it."""
    try:
        words = shlex.split(command)
    except ValueError:
        yield Check(CheckStatus.FAIL, NAME, "the command has an open quote", "Close the quote in settings.json.")
        return
    if not words:
        yield Check(CheckStatus.FAIL, NAME, "the command is empty", "Set it: claude-gateway setup --helper COMMAND.")
        return
    if mistakes.holds_key(command):
        fix = "Store the key in a file for you alone, and print that: apiKeyHelper: cat FILE."
        yield Check(CheckStatus.FAIL, NAME, "the command holds a key, which `ps` shows to everybody", fix)
    if not _SHELL.search(words[0]):
        yield from _program(words[0])
    for word in words[1:]:
        path = Path(word)
        if path.is_absolute() and path.is_file() and _holds_key(path):
            yield from _private(path)


def run(command: str, variables: Mapping[str, str]) -> tuple[Key | None, list[Check]]:
    """Run a helper in a shell, as Claude Code does; return its key, and what was seen."""
    started = time.monotonic()
    try:
        text = program.output(["/bin/sh", "-c", command], timeout=_SECONDS, missing="Install a shell.", env=variables)
        key = fresh.made(text, now=time.time(), source="what the helper prints")
    except Trouble as trouble:
        # An empty key is sent then: the gateway rejects it, and Claude Code shows that instead of the reason.
        message = trouble.message.removeprefix("/bin/sh ")
        return None, [Check(CheckStatus.FAIL, NAME, f"the helper failed: {message}", trouble.fix)]
    took = time.monotonic() - started
    found = [Check(CheckStatus.PASS, NAME, f"prints a key, after {took:.1f} s")]
    if took > _SLOW:
        fix = "Claude Code waits for it at the start: let it keep the key, such as `key-helper` does."
        found.append(Check(CheckStatus.WARN, NAME, "the helper is slow", fix))
    return key, [*found, *_life(key, variables)]


def _life(key: Key, variables: Mapping[str, str]) -> Iterator[Check]:
    left = key.left(time.time())
    if left is None:
        return
    kept = ttl_of(variables.get(TTL_VARIABLE, ""))
    ttl = DEFAULT_TTL if kept is None else kept
    if left <= 0:
        fix = "Check the clock of this machine, and what renews the key."
        yield Check(CheckStatus.FAIL, NAME, f"the key ended {-left:.0f} s ago", fix)
    elif left < ttl:
        seen = f"the key ends in {left:.0f} s, but Claude Code keeps it for {ttl:g} s"
        yield Check(
            CheckStatus.FAIL, NAME, seen, f"Set {TTL_VARIABLE}={max(int(left / 2), 1) * 1000}, or let it live longer."
        )


def _program(word: str) -> Iterator[Check]:
    found = shutil.which(word)
    path = Path(word)
    if found is None and "/" in word and path.is_file():
        yield Check(CheckStatus.FAIL, NAME, f"{printable(word)} is not executable", f"chmod 700 {shlex.quote(word)}")
        return
    if found is None:
        yield Check(CheckStatus.FAIL, NAME, f"{printable(word)} was not found", "Write its full path in settings.json.")
        return
    path = Path(found)
    mode = path.stat().st_mode
    if mode & stat.S_IWOTH:
        fix = f"chmod go-w {shlex.quote(found)}"
        yield Check(CheckStatus.FAIL, NAME, f"{printable(found)} can be changed by others, who get your key then", fix)
    if _holds_key(path):
        yield from _private(path)


def _private(path: Path) -> Iterator[Check]:
    if path.stat().st_mode & 0o077:
        seen = f"{printable(str(path))} holds a key and can be read by others"
        yield Check(CheckStatus.FAIL, NAME, seen, f"chmod go= {shlex.quote(str(path))}, and replace the key.")


def _holds_key(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return mistakes.holds_key(file.read(_LARGEST).decode("latin-1"))
    except OSError:
        return False
