"""A key that another program prints: any command, or kubectl for the token of a ServiceAccount."""

import contextlib
import os
import select
import selectors
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import mistakes
from claude_gateway.cli.keyhelper.fresh import PassingTrouble
from claude_gateway.cli.terminal import printable

_LARGEST: Final = 65_536
_SHOWN: Final = 300


def output(
    command: Sequence[str],
    *,
    timeout: float,
    missing: str,
    env: Mapping[str, str] | None = None,
    said: bytes | None = None,
    limit: int = _LARGEST,
) -> str:
    """Return what a program prints, at most ``limit`` bytes. ``missing`` is the fix if the program does not exist.

    ``env`` is its whole environment; None: that of this process. ``said`` is what comes on its standard input.
    Raises Trouble with the last of its standard error if it fails, prints too much, or takes longer than ``timeout``
    seconds; all that it started is ended then.
    """
    name = printable(command[0])
    with _input(said) as stdin:
        child = _started(command, stdin, env=env, missing=missing)
    with child:
        printed, wrong = None, b""
        try:
            printed, wrong = _read(child, deadline=time.monotonic() + timeout, limit=limit)
        finally:
            if printed is None or len(printed) > limit:
                _end(child)
    if printed is None:
        raise PassingTrouble(
            f"{name} did not end within {timeout:g} s", fix="See why it takes so long, or raise --timeout."
        )
    if len(printed) > limit:
        raise Trouble(f"{name} printed more than {limit // 1024} KiB", fix="It must print the key and nothing else.")
    if child.returncode:
        # A key is hidden before the text is cut, which could leave its end.
        said_last = mistakes.without_keys(" ".join(wrong.decode("utf-8", "replace").split()))
        last = printable(said_last[-_SHOWN:])
        # A program does not say whether it failed for good.
        raise PassingTrouble(
            f"{name} ended with {child.returncode}{f': {last}' if last else ''}", fix="Run it by hand."
        )
    return printed.decode("utf-8", "replace")


@contextlib.contextmanager
def _input(said: bytes | None) -> Iterator[int]:
    """Yield a descriptor that holds what is said. What fits into a pipe, such as a key, is never written to a disk."""
    if said is None:
        yield subprocess.DEVNULL
    elif len(said) <= select.PIPE_BUF:
        reader, writer = os.pipe()
        try:
            os.write(writer, said)
            os.close(writer)
            yield reader
        finally:
            os.close(reader)
    else:
        with tempfile.TemporaryFile() as file:
            file.write(said)
            file.seek(0)
            yield file.fileno()


def _started(
    command: Sequence[str], stdin: int, *, env: Mapping[str, str] | None, missing: str
) -> "subprocess.Popen[bytes]":
    name = printable(command[0])
    try:
        return subprocess.Popen(  # noqa: S603 - the user's command
            command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, env=env
        )
    except FileNotFoundError:
        # Quoted as one word, a command is the name of a program.
        fix = "Write the command without quotes around it, or as: sh -c 'COMMAND'." if " " in command[0] else missing
        raise Trouble(f"the program {name} was not found", fix=fix) from None
    except OSError as error:
        raise Trouble(f"{name} cannot be started: {error.strerror}", fix="Check that it is executable.") from None


def _read(child: "subprocess.Popen[bytes]", *, deadline: float, limit: int) -> tuple[bytes | None, bytes]:
    """Read both pipes until the program ends; the output is None if it did not end in time."""
    pieces: dict[int, bytearray] = {}
    with selectors.DefaultSelector() as selector:
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                selector.register(pipe, selectors.EVENT_READ)
                pieces[pipe.fileno()] = bytearray()
        first, second = pieces
        while selector.get_map() and len(pieces[first]) <= limit:
            left = deadline - time.monotonic()
            if left <= 0:
                return None, b""
            for key, _ in selector.select(left):
                piece = os.read(key.fd, _LARGEST)
                if not piece:
                    selector.unregister(key.fileobj)
                pieces[key.fd] += piece
                # The start of standard output is the key; the end of standard error says why it failed.
                del pieces[second][:-_LARGEST]
    if len(pieces[first]) <= limit:
        try:
            child.wait(max(deadline - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            return None, b""
    return bytes(pieces[first]), bytes(pieces[second])


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End the program, and what it started in its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
