"""A key that another program prints: any command, or kubectl for the token of a ServiceAccount."""

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Final

from claude_gateway.cli.console import printable
from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.keyhelper.fresh import PassingTrouble

_LARGEST: Final = 65_536
_SHOWN: Final = 300


def output(command: Sequence[str], *, timeout: float, missing: str, env: Mapping[str, str] | None = None) -> str:
    """Return what a program prints, at most 64 KiB. ``missing`` is the fix if the program does not exist.
    ``env`` is its whole environment; None: that of this process.

    Raises Trouble with the last of its standard error if it fails, prints too much, or takes longer than ``timeout``
    seconds; all that it started is ended then.
    """
    name = printable(command[0])
    try:
        child = subprocess.Popen(  # noqa: S603 - the user's command
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=env,
        )
    except FileNotFoundError:
        raise Trouble(f"the program {name} was not found", fix=missing) from None
    except OSError as error:
        raise Trouble(f"{name} cannot be started: {error.strerror}", fix="Check that it is executable.") from None
    with child:
        said, wrong = None, b""
        try:
            said, wrong = _read(child, deadline=time.monotonic() + timeout)
        finally:
            if said is None or len(said) > _LARGEST:
                _end(child)
    if said is None:
        raise PassingTrouble(
            f"{name} did not end within {timeout:g} s", fix="See why it takes so long, or raise --timeout."
        )
    if len(said) > _LARGEST:
        raise Trouble(f"{name} printed more than {_LARGEST // 1024} KiB", fix="It must print the key and nothing else.")
    if child.returncode:
        last = printable(" ".join(wrong.decode("utf-8", "replace").split())[-_SHOWN:])
        # A program does not say whether it failed for good.
        raise PassingTrouble(
            f"{name} ended with {child.returncode}{f': {last}' if last else ''}", fix="Run it by hand."
        )
    return said.decode("utf-8", "replace")


def _read(child: "subprocess.Popen[bytes]", *, deadline: float) -> tuple[bytes | None, bytes]:
    """Read both pipes until the program ends; the output is None if it did not end in time."""
    pieces: dict[int, bytes] = {}
    with selectors.DefaultSelector() as selector:
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                selector.register(pipe, selectors.EVENT_READ)
                pieces[pipe.fileno()] = b""
        first, second = pieces
        while selector.get_map() and len(pieces[first]) <= _LARGEST:
            left = deadline - time.monotonic()
            if left <= 0:
                return None, b""
            for key, _ in selector.select(left):
                piece = os.read(key.fd, _LARGEST)
                if not piece:
                    selector.unregister(key.fileobj)
                # Of what it prints, the start is the key; of what it complains about, the end says why it failed.
                pieces[key.fd] = (pieces[key.fd] + piece)[-_LARGEST:] if key.fd == second else pieces[key.fd] + piece
    if len(pieces[first]) <= _LARGEST:
        try:
            child.wait(max(deadline - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            return None, b""
    return pieces[first], pieces[second]


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End the program, and what it started in its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
