"""Which releases of the Claude Code CLI this backend works with.

What the backend relies on is only half documented (``initialize`` with a system prompt, ``client_composed``, the replay
of answers), so it is tested against a range of releases. An older release is refused: those before 2.1.248 read local
files that a prompt names. A newer one only gets a warning: it can do no more harm than a failed request, because one
call alone gets through to Anthropic and there is nothing to read, to run or to reach.
"""

import re
from enum import Enum
from typing import Final

OLDEST: Final = (2, 1, 328)
NEWEST: Final = (2, 1, 330)
"""The newest release that ``make test-newest-cli`` passed with."""

_VERSION: Final = re.compile(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})\b")


class Release(Enum):
    """How a release relates to the tested range."""

    TESTED = "tested"
    OLDER = "older"
    NEWER = "newer"
    UNKNOWN = "unknown"


def check(said: str) -> Release:
    """Return how a release relates to the range; it prints a version such as ``2.1.329 (Claude Code)``."""
    found = _VERSION.match(said)
    if found is None:
        return Release.UNKNOWN
    version = tuple(int(part) for part in found.groups())
    if version < OLDEST:
        return Release.OLDER
    return Release.NEWER if version > NEWEST else Release.TESTED


def text(version: tuple[int, int, int]) -> str:
    """Return a version as it is written."""
    return ".".join(map(str, version))
