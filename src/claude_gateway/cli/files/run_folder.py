"""The private folder that ``serve`` shares with its children, in memory if the machine offers that.

It holds secrets, so it is removed at the end. If ``serve`` was killed, the next ``serve`` removes its folder: a folder
without a lock has no living owner.
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
"""Maximum bytes of a base path: the whole path of a Unix socket is limited to 103 (macOS) or 107 (Linux)."""


@dataclass(frozen=True, slots=True)
class Serving:
    """What a running ``serve`` publishes for other commands: the gateway's and the agent's URL, and its socket.

    ``auth`` is the URL of the sign-in page and ``auth_key_file`` the file with its key, if it runs one.
    """

    pid: int
    gateway: str
    agent: str
    socket: str = ""
    auth: str = ""
    auth_key_file: str = ""


@contextmanager
def private() -> Iterator[Path]:
    """Create a private folder (0700), and remove it with its content at the end."""
    base = _base()
    _sweep(base)
    folder = Path(tempfile.mkdtemp(prefix=_prefix(), dir=base))
    # The lock file gets its name once it is locked: another `serve` must not treat a new folder as abandoned.
    lock = (folder / f".{_LOCK}").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (folder / f".{_LOCK}").rename(folder / _LOCK)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.close()


def announce(folder: Path, serving: Serving) -> None:
    """Publish a running ``serve`` for ``find``."""
    scratch = folder / f".{_SERVE_JSON}"
    scratch.write_text(json.dumps(asdict(serving)), encoding="utf-8")
    scratch.rename(folder / _SERVE_JSON)


def find(gateway: str) -> Serving | None:
    """Return the ``serve`` of this user on this machine that answers at a URL; None if there is none."""
    return next((serving for serving in _all() if serving.gateway == gateway), None)


def signing_in() -> Serving | None:
    """Return the ``serve`` of this user on this machine that runs a sign-in page, if there is exactly one."""
    found = [serving for serving in _all() if serving.auth]
    return found[0] if len(found) == 1 else None


def _all() -> Iterator[Serving]:
    for folder in _folders(_base()):
        try:
            serving = Serving(**json.loads((folder / _SERVE_JSON).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            continue
        if not _is_abandoned(folder):
            yield serving


def _prefix() -> str:
    return f"claude-gateway-{os.getuid()}-"


def _base() -> Path:
    """Prefer ``XDG_RUNTIME_DIR`` (in memory, private), then ``/dev/shm`` (in memory), then the temporary folder."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    for path in (Path(runtime) if runtime else None, Path("/dev/shm")):  # noqa: S108 - mkdtemp makes it private
        if path and len(os.fsencode(path)) <= _LONGEST and path.is_dir() and os.access(path, os.W_OK | os.X_OK):
            return path
    return Path(tempfile.gettempdir())


def _folders(base: Path) -> list[Path]:
    """List the folders with our name that this user owns: anyone can write to the base folder."""
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
        # Locked: its owner is alive. Or without a lock file: it is just being created.
        return False
