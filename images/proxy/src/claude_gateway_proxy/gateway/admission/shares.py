"""This pod's part of limits and budgets, as the agent writes it beside the bundle."""

from pathlib import Path
from typing import Final

from claude_gateway.contract.allotment import ALLOTMENT_JSON, Allotment, read_part

_ALONE: Final = Allotment()


class Shares:
    """Follows the file of this pod's allotment; without a folder, this process is alone and has all of each limit."""

    def __init__(self, folder: Path | None) -> None:
        """Nothing is read yet; ``folder`` is that of the bundle, None if nothing is divided."""
        self._path = None if folder is None else folder / ALLOTMENT_JSON
        self._allotment = _ALONE
        self._stamp: tuple[int, int] | None = None

    @property
    def leased(self) -> bool:
        """Whether budgets are divided between pods; if so, nothing may be spent without a lease."""
        return self._path is not None

    def current(self) -> Allotment:
        """Return the newest allotment."""
        return self._allotment

    def look(self) -> None:
        """Read the file if it changed: one ``stat`` each time. An unreadable file changes nothing."""
        if self._path is None:
            return
        try:
            state = self._path.stat()
            stamp = (state.st_ino, state.st_mtime_ns)
            if stamp != self._stamp:
                found = read_part(self._path.read_bytes())
                self._stamp, self._allotment = stamp, found or self._allotment
        except OSError:
            return
