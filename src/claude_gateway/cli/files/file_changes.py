"""Reports when files change: by the system's notifications, or by polling every two seconds if there are none."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final

from watchfiles import awatch

from claude_gateway.cli.files import manifests

_POLL_MILLISECONDS: Final = 2000
_QUIET_MILLISECONDS: Final = 300
"""How long files must rest before they are read: a copy over a network pauses in the middle of a file."""
_LONGEST_MILLISECONDS: Final = 2000

Stamp = tuple[tuple[str, int, int, int], ...]


async def changes(
    sources: Sequence[Path],
    others: Callable[[], Sequence[Path]],
    *,
    folders: Sequence[Path] = (),
    since: Stamp,
    stop: asyncio.Event,
) -> AsyncIterator[None]:
    """Yield after each change of the YAML files of ``sources`` or of the files ``others``, until ``stop``.

    ``folders`` are watched too: files of ``others`` may appear in them. ``since`` is the stamp of all files when they
    were last read.

    Folders are watched, not files, because editors replace files. A notification only triggers a comparison of stamps,
    so links (as in a mounted ConfigMap) and network drives work too.
    """
    watched = sorted({path if path.is_dir() else path.parent for path in (*sources, *others(), *folders)})
    before = since
    async for _ in awatch(
        *watched,
        watch_filter=None,
        debounce=_LONGEST_MILLISECONDS,
        step=_QUIET_MILLISECONDS,
        stop_event=stop,
        rust_timeout=_POLL_MILLISECONDS,
        yield_on_timeout=True,
        recursive=False,
        raise_interrupt=False,
    ):
        now = stamp(sources, others())
        if now != before:
            before = now
            yield


def stamp(sources: Sequence[Path], others: Sequence[Path]) -> Stamp:
    """Return path, modification time, size and inode of each file."""
    rows = []
    for path in (*(path for source in sources for path in _files(source)), *others):
        try:
            state = path.stat()
        except OSError:
            continue
        rows.append((str(path), state.st_mtime_ns, state.st_size, state.st_ino))
    return tuple(rows)


def _files(source: Path) -> list[Path]:
    try:
        return manifests.files(source)
    except OSError:
        return []
