"""Private homes of the CLI, in memory. They outlive this process, so that no login is lost with it.

The CLI writes a login into its home before anybody else has it. A record beside it says where it belongs. Both are
removed only when the login is in its Secret; what a killed process left is stored at the next start.
"""

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from claude_gateway.contract.login import CREDENTIALS_KEY, LONGEST

_RECORD: Final = "record.json"
_LOCK: Final = "lock"
_PREFIX: Final = "login-"
_POLL_SECONDS: Final = 0.05


class Purpose(StrEnum):
    """Why a home exists."""

    SIGN_IN = "sign_in"
    REFRESH = "refresh"
    OTHER = "other"
    """For a check or a sign-out: what is in it is in its Secret, too."""


@dataclass(frozen=True, slots=True)
class Record:
    """Where the login in a home belongs; ``before`` is the digest of the login that it replaces, empty if any.

    ``by`` is who signed in, and ``owner`` the person whose login it was to be.
    """

    purpose: Purpose
    namespace: str
    name: str
    by: str = ""
    owner: str = ""
    before: str = ""


class Home:
    """One private home and its lock, which the CLI inherits: it is released when no process uses the home any more."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self.lock = lock

    @property
    def path(self) -> Path:
        """The CLI's HOME."""
        return self.folder / "home"

    def login(self) -> bytes | None:
        """Return the CLI's own file; None if it has not written one."""
        try:
            with self._file.open("rb") as file:
                found = file.read(LONGEST + 1)
        except OSError:
            return None
        return found if len(found) <= LONGEST else None

    def give(self, login: bytes) -> None:
        """Write a login where the CLI reads it. Raises OSError."""
        self._file.parent.mkdir(mode=0o700, exist_ok=True)
        _write(self._file, login)

    def release(self) -> None:
        """Leave the home to ``Homes.left``: what is in it could not be stored yet."""
        os.close(self.lock)

    def remove(self) -> None:
        """Remove the home with everything in it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self.lock)

    @property
    def _file(self) -> Path:
        return self.path / ".claude" / CREDENTIALS_KEY


class Homes:
    """The folder of all homes; only this user can read it."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError if the folder cannot be made."""
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def make(self, record: Record) -> Home:
        """Return a new home with a record. Raises OSError."""
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=self._folder))
        home = Home(folder, _locked(folder))
        home.path.mkdir(mode=0o700)
        # Last: a folder without a record is not a home, and is removed at the next start.
        _write(folder / _RECORD, json.dumps(asdict(record)).encode())
        return home

    async def left(self, *, seconds: float) -> list[tuple[Home, Record | None]]:
        """Return the homes that an earlier process left, once their CLI has ended, at most after ``seconds``."""
        found = []
        for folder in sorted(self._folder.glob(f"{_PREFIX}*")):
            lock = await _free(folder, seconds=seconds)
            if lock is not None:
                found.append((Home(folder, lock), _record(folder)))
        return found


def digest(login: bytes) -> str:
    """Return the digest by which a record names a login."""
    return hashlib.sha256(login).hexdigest()


def _locked(folder: Path) -> int:
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise
    return lock


async def _free(folder: Path, *, seconds: float) -> int | None:
    end = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            return _locked(folder)
        except OSError:
            if asyncio.get_running_loop().time() > end:
                return None
        await asyncio.sleep(_POLL_SECONDS)


def _record(folder: Path) -> Record | None:
    try:
        found = json.loads((folder / _RECORD).read_bytes())
        return Record(**{**found, "purpose": Purpose(found["purpose"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
