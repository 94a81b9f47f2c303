"""The files in which ``serve`` keeps what requests cost: one a day, of the log's own lines, for three months."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, Final

from claude_gateway.cli.spending.totals import Period

FOLDER: Final = "usage"
KEPT: Final = timedelta(days=92)
"""How long a file is kept: the longest quarter."""

_SUFFIX: Final = ".jsonl"
_REQUEST: Final = '"event":"request"'
_SPENT: Final = '"billed_model":"'
_NOTHING: Final = '"billed_model":""'


class DayFiles:
    """Appends to the files in a folder (0700), which is made with the first request. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._day: date | None = None
        self._file: IO[str] | None = None

    def note(self, line: str) -> None:
        """Keep a line of the gateway's log, if it is that of a request that reached a target."""
        if _REQUEST not in line or _SPENT not in line or _NOTHING in line:
            return
        today = datetime.now(UTC).date()
        if self._file is None or today != self._day:
            self.close()
            self._day, self._file = today, self._open(today)
        self._file.write(f"{line.rstrip()}\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file of the day."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self, today: date) -> IO[str]:
        self._folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for day, path in _files(self._folder):
            if day < today - KEPT:
                path.unlink(missing_ok=True)
        fd = os.open(self._folder / f"{today.isoformat()}{_SUFFIX}", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        return os.fdopen(fd, "a", encoding="utf-8")


def within(folder: Path, period: Period) -> list[Path]:
    """Return the files that may have requests of a period, the oldest first."""
    first, last = period.since.date(), period.until.date() + timedelta(days=1)
    return [path for day, path in _files(folder) if first <= day <= last]


def _files(folder: Path) -> list[tuple[date, Path]]:
    found = []
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        try:
            found.append((date.fromisoformat(path.name.removesuffix(_SUFFIX)), path))
        except ValueError:
            continue
    return found
