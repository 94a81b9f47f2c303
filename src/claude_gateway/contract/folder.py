"""A bundle at rest in a folder: written whole, swapped by one rename, read whole.

Layout: ``current`` → ``revisions/<revision>``, and in it ``config/`` and ``secrets/`` with one file per packed entry.
A reader that resolved ``current`` reads one consistent revision; the last two revisions are kept for it.
"""

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from claude_gateway.contract.bundle import Bundle, BundleError, Packed, pack
from claude_gateway.names import CURRENT

_REVISIONS: Final = "revisions"
_CONFIG: Final = "config"
_SECRETS: Final = "secrets"


def write(folder: Path, bundle: Bundle) -> str:
    """Pack a bundle, write it and make it the current one; return its revision.

    Raises BundleError if the bundle is too large, OSError as the file system does.
    """
    return write_packed(folder, pack(bundle), revision=bundle.meta.revision)


def write_packed(folder: Path, packed: Packed, *, revision: str) -> str:
    """Write a bundle that was packed elsewhere and verified, and make it the current one; return its revision.

    A folder has one writer at a time. A revision that is there whole is used again; a damaged one is replaced. Folders
    are 0700 and files 0600. Raises OSError as the file system does.
    """
    revisions = folder / _REVISIONS
    if not _holds(folder, revision, packed):
        scratch = revisions / f".{revision}.{os.getpid()}"
        shutil.rmtree(scratch, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for made in (revisions, scratch, scratch / _CONFIG, scratch / _SECRETS):
            made.mkdir(exist_ok=True, mode=0o700)
        _write_entries(scratch / _CONFIG, packed.config)
        _write_entries(scratch / _SECRETS, packed.secrets)
        _remove(revisions / revision)
        scratch.rename(revisions / revision)
    before = current(folder)
    if before != revision:
        link = folder / f".{CURRENT}.{os.getpid()}"
        link.unlink(missing_ok=True)
        link.symlink_to(Path(_REVISIONS) / revision)
        link.rename(folder / CURRENT)
        for other in revisions.iterdir():
            if other.name not in (revision, before):
                _remove(other)
    return revision


def _holds(folder: Path, revision: str, packed: Packed) -> bool:
    try:
        return read(folder, revision) == packed
    except BundleError:
        return False


def _remove(revision: Path) -> None:
    """Take a revision away at once, so that no reader takes what is left of it for the whole."""
    gone = revision.with_name(f".{revision.name.lstrip('.')}.gone")
    shutil.rmtree(gone, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        revision.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _write_entries(folder: Path, entries: Mapping[str, bytes]) -> None:
    for name, data in entries.items():
        fd = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(data)


def current(folder: Path) -> str | None:
    """The revision that ``current`` names, or None before the first one. One ``readlink``: cheap to poll."""
    try:
        return (folder / CURRENT).readlink().name
    except FileNotFoundError:
        return None


def read(folder: Path, revision: str) -> Packed:
    """Read one revision's entries; ``unpack`` verifies them.

    Raises BundleError if it is gone, as happens to a reader that fell two revisions behind.
    """
    home = folder / _REVISIONS / revision
    try:
        before = home.stat()
        packed = Packed(config=_entries(home / _CONFIG), secrets=_entries(home / _SECRETS))
        # A folder that was taken away while it was listed looks like one with fewer entries.
        if os.path.samestat(before, home.stat()):
            return packed
    except FileNotFoundError:
        pass
    raise BundleError(f"revision {revision} is no longer in the folder")


def _entries(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
