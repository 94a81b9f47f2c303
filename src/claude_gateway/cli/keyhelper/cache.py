"""The last key, in a file for this user alone, so that parallel sessions fetch it once.

Claude Code runs its helper from every session, at start, at each end of its TTL, and after each rejected request.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import small_files
from claude_gateway.cli.keyhelper.fresh import Key, PassingTrouble

_FOLDER: Final = Path("claude-gateway") / "key-helper"
_LARGEST: Final = 65_536
_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Rules:
    """How long a key is used, in seconds.

    ``ttl`` is how long Claude Code keeps what it got, ``share`` how long calls get the same key, ``grace`` how long the
    last key stands in if no fresh one can be had, ``timeout`` how long a fetch may take.
    """

    ttl: float = 300.0
    share: float = 30.0
    grace: float = 600.0
    timeout: float = 20.0


@dataclass(frozen=True, slots=True)
class Printed:
    """The key to print; ``note`` is what its owner should know, empty if all is well."""

    key: Key
    note: str = ""


def folder(ambient: Mapping[str, str]) -> Path:
    """Return the cache folder of this user."""
    chosen = ambient.get("XDG_CACHE_HOME", "")
    return (Path(chosen) if chosen.startswith("/") else Path.home() / ".cache") / _FOLDER


def place(where: Path, *identity: object) -> Path:
    """Return the cache file for one way to get a key; its name does not show what ``identity`` holds."""
    text = json.dumps([str(part) for part in identity])
    return where / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"


def current(path: Path, fetch: Callable[[], Key], *, rules: Rules, clock: Callable[[], float] = time.time) -> Printed:
    """Return a key that is fresh: the cached one while it may be shared, else what ``fetch`` returns.

    One process fetches at a time; those that waited use its key. If the fetch fails for a reason that may pass, the
    last key stands in while it has not ended and is within the grace. Raises Trouble, also if the cache folder belongs
    to another user.
    """
    key = _read(path)
    if key is not None and _shared(key, clock(), rules):
        return Printed(key)
    with _locked(path, seconds=rules.timeout):
        key = _read(path)
        if key is not None and _shared(key, clock(), rules):
            return Printed(key)
        try:
            fresh = fetch()
        except PassingTrouble as trouble:
            if key is None or not key.usable(clock(), grace=rules.grace):
                raise
            return Printed(key, f"{trouble.message}; the last key is used for now. {trouble.fix}")
        _write(path, fresh)
    return checked(fresh, rules, clock=clock)


def checked(key: Key, rules: Rules, *, clock: Callable[[], float] = time.time) -> Printed:
    """Return a key to print, with a note if it ends before Claude Code asks again. Raises Trouble if it has ended."""
    left = key.left(clock())
    if left is not None and left <= 0:
        raise Trouble("the key that was fetched has ended already", fix="Check the clock, and what renews the key.")
    return Printed(key, "" if left is None or key.lasts(clock(), ttl=rules.ttl) else _too_short(left))


def _shared(key: Key, now: float, rules: Rules) -> bool:
    return 0 <= now - key.fetched <= rules.share and key.lasts(now, ttl=rules.ttl)


def _too_short(left: float) -> str:
    wanted = max(int(left / 2), 1) * 1000
    return (
        f"the key ends in {max(int(left), 0)} s, before Claude Code asks again. Let it live longer, or set "
        f"CLAUDE_CODE_API_KEY_HELPER_TTL_MS={wanted}"
    )


def _read(path: Path) -> Key | None:
    """Return the cached key; None if there is none, or another user may have written or read the file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(fd, "rb") as file:
            state = os.fstat(file.fileno())
            if state.st_uid != os.getuid() or state.st_mode & 0o077:
                return None
            row = json.loads(file.read(_LARGEST))
        return Key(str(row["key"]), fetched=float(row["fetched"]), expires=row["expires"] and float(row["expires"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write(path: Path, key: Key) -> None:
    row = json.dumps({"key": key.value, "fetched": key.fetched, "expires": key.expires})
    small_files.replace(path, row, what="the cache file")


@contextlib.contextmanager
def _locked(path: Path, *, seconds: float) -> Iterator[None]:
    """Hold the lock of a cache file. Raises Trouble if another process holds it for longer than ``seconds``."""
    fd = _open_lock(path)
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Trouble(
                        f"another key helper has fetched the same key for more than {seconds:g} s",
                        fix="See why it takes so long, or raise --timeout.",
                    ) from None
                time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(fd)


def _open_lock(path: Path) -> int:
    parent = path.parent
    try:
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        state = parent.stat()
        if state.st_uid != os.getuid():
            raise _unusable(parent, "it belongs to another user")
        if state.st_mode & 0o077:
            parent.chmod(0o700)
        return os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(parent, error.strerror or "unknown error") from None


def _unusable(parent: Path, why: str) -> Trouble:
    return Trouble(
        f"the cache folder {parent} cannot be used: {why}", fix="Set XDG_CACHE_HOME to a folder of your own."
    )
