"""The private folder that ``serve`` shares with its children, in memory where the machine has such a place.

It holds secrets, so it goes away at the end. One that a killed ``serve`` left behind is removed by the next: each is
locked for as long as its owner lives.
"""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

_SERVE_JSON: Final = "serve.json"
_LOCK: Final = "lock"
_LONGEST: Final = 50
"""Bytes of a base path: a Unix socket's whole path may have 103 (macOS) or 107 (Linux)."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What a running ``serve`` tells other commands about itself: URLs of the gateway and of the agent."""

    pid: int
    gateway: str
    agent: str


@contextmanager
def private() -> Iterator[Path]:
    """Make a folder of our own (0700), and remove it with everything in it at the end."""
    base = _base()
    _sweep(base)
    folder = Path(tempfile.mkdtemp(prefix=_prefix(), dir=base))
    # The name appears when the lock is held: another `serve` must not take a new folder for an abandoned one.
    lock = (folder / f".{_LOCK}").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (folder / f".{_LOCK}").rename(folder / _LOCK)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.close()


def announce(folder: Path, serving: Serving) -> None:
    """Leave word for ``find``."""
    scratch = folder / f".{_SERVE_JSON}"
    scratch.write_text(json.dumps(asdict(serving)), encoding="utf-8")
    scratch.rename(folder / _SERVE_JSON)


def find(gateway: str) -> Serving | None:
    """The ``serve`` of this user on this machine that answers at a URL."""
    for folder in _folders(_base()):
        try:
            serving = Serving(**json.loads((folder / _SERVE_JSON).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            continue
        if serving.gateway == gateway and not _is_abandoned(folder):
            return serving
    return None


def _prefix() -> str:
    return f"claude-gateway-{os.getuid()}-"


def _base() -> Path:
    """``XDG_RUNTIME_DIR`` is in memory and ours alone; ``/dev/shm`` in memory; else the folder for temporary files."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    for path in (Path(runtime) if runtime else None, Path("/dev/shm")):  # noqa: S108 - mkdtemp makes it private
        if path and len(os.fsencode(path)) <= _LONGEST and path.is_dir() and os.access(path, os.W_OK | os.X_OK):
            return path
    return Path(tempfile.gettempdir())


def _folders(base: Path) -> list[Path]:
    """Folders with our name that are really ours: anyone may write to the base."""
    found = []
    for path in sorted(base.glob(f"{_prefix()}*")):
        state = path.lstat()
        if path.is_dir() and not path.is_symlink() and state.st_uid == os.getuid():
            found.append(path)
    return found


def _sweep(base: Path) -> None:
    for folder in _folders(base):
        if _is_abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    try:
        with (folder / _LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except OSError:
        # Locked: its owner lives. Or no lock yet: it is being made right now.
        return False
