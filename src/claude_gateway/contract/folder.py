"""A bundle at rest in a folder: written whole, swapped by one rename, read whole.

Layout: ``current`` → ``revisions/<revision>``, and in it ``config/`` and ``secrets/`` with one file per packed entry.
A reader that resolved ``current`` reads one consistent revision; the last two revisions are kept for it.
"""

import os
import shutil
from pathlib import Path
from typing import Final

from claude_gateway.contract.bundle import Bundle, BundleError, Packed, pack
from claude_gateway.names import CURRENT

_REVISIONS: Final = "revisions"
_CONFIG: Final = "config"
_SECRETS: Final = "secrets"


def write(folder: Path, bundle: Bundle) -> str:
    """Write a bundle and make it the current one; give its revision.

    Folders are 0700 and files 0600. Raises BundleError if it is too large, OSError as the file system does.
    """
    packed = pack(bundle)
    revision = bundle.meta.revision
    home = folder / _REVISIONS / revision
    if current(folder) == revision:
        return revision
    scratch = folder / _REVISIONS / f".{revision}.{os.getpid()}"
    shutil.rmtree(scratch, ignore_errors=True)
    for part, entries in ((_CONFIG, packed.config), (_SECRETS, packed.secrets)):
        part_dir = scratch / part
        part_dir.mkdir(parents=True, mode=0o700)
        for name, data in entries.items():
            fd = os.open(part_dir / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(data)
    shutil.rmtree(home, ignore_errors=True)
    scratch.rename(home)
    before = current(folder)
    link = folder / f".{CURRENT}.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(Path(_REVISIONS) / revision)
    link.rename(folder / CURRENT)
    for other in (folder / _REVISIONS).iterdir():
        if other.name not in (revision, before):
            shutil.rmtree(other, ignore_errors=True)
    return revision


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
        return Packed(config=_entries(home / _CONFIG), secrets=_entries(home / _SECRETS))
    except FileNotFoundError:
        raise BundleError(f"revision {revision} is no longer in the folder") from None


def _entries(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
