"""One line of conversation, and the patterns in it: calls that repeat, and a context that only grows."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from claude_gateway_proxy.gateway.admission.brake.turns import Called, split, turns
from claude_gateway_proxy.gateway.admission.brake.words import Stopped

LONGEST_CYCLE: Final = 4
"""The length in calls of the longest cycle that counts as a repetition."""

_PAUSE: Final = 60.0
"""Seconds after which the same words come from a person or a schedule, and not from a program that retries."""
_LOOSE: Final = 4
"""The last items of a conversation, whose bytes may change with the next request: a prompt cache marker moves on."""
_MARK: Final = 64
_WORDS: Final = 4
"""How many of the user's last texts are remembered: a program retries with the same text, a person with another one."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """A position in a conversation after which the newest items are: splitting all of a long one costs milliseconds.

    ``items`` items come before the ``offset``, directly after the bytes ``mark``. A conversation with other bytes there
    is split as a whole. A client that forges the mark only misleads the brake about its own session.
    """

    items: int = 0
    offset: int = 0
    mark: bytes = b""

    @classmethod
    def of(cls, text: bytes, items: Sequence[msgspec.Raw], *, skipped: int) -> "Anchor":
        """Return the anchor for the conversation's next request; ``items`` are its newest items."""
        newest = items[-_LOOSE:]
        for comma in (b",", b", "):
            tail = comma.join(map(bytes, newest)) + b"]"
            offset = len(text) - len(tail)
            if offset > _MARK and text.endswith(comma + tail):
                return cls(skipped + len(items) - len(newest), offset, text[offset - _MARK : offset])
        return cls()

    def split(self, text: bytes) -> tuple[int, Sequence[msgspec.Raw]]:
        """Return how many items were skipped, and those after them, undecoded."""
        if self.offset and text[self.offset - _MARK : self.offset] == self.mark:
            found = split(b"[" + text[self.offset :])
            if found:
                return self.items, found
        return 0, split(text)


class Line:
    """What is remembered of a conversation: some hundred bytes, however long it is.

    ``repeated`` is how many calls in a row repeat earlier ones in a cycle of the same length; ``tool`` is the newest
    call. ``growing`` is how many turns in a row only made it longer, without a new text of the user. ``warned`` are the
    limits that caused a soft stop.
    """

    __slots__ = (
        "_anchor",
        "_at",
        "_calls",
        "_items",
        "_runs",
        "_size",
        "_stop",
        "_words",
        "growing",
        "tool",
        "warned",
    )

    def __init__(self) -> None:
        self._items = 0
        self._size = 0
        self._at = 0.0
        self._anchor = Anchor()
        self._calls: deque[bytes] = deque(maxlen=LONGEST_CYCLE)
        self._runs = [0] * LONGEST_CYCLE
        self._words: deque[bytes] = deque(maxlen=_WORDS)
        self.growing = 0
        self.tool = ""
        self._stop: tuple[Stopped, int, int] | None = None
        self.warned: set[str] = set()

    @property
    def repeated(self) -> int:
        """How many of the last calls in a row repeat earlier ones, including the first one."""
        longest = max(self._runs)
        return longest + 1 if longest else 0

    @property
    def stop(self) -> Stopped | None:
        """The soft stop of the conversation; None after it went on."""
        if self._stop is None or self._stop[1:] != (self._items, self._size):
            return None
        return self._stop[0]

    def halt(self, stop: Stopped) -> None:
        """Stop the conversation softly, until it continues."""
        self._stop = stop, self._items, self._size

    def read(self, text: bytes, *, now: float) -> None:
        """Update the state from a request's conversation; a retry with the same conversation changes nothing.

        A conversation with fewer items was compacted or rewound: what was counted before no longer counts.
        """
        before, paused = self._size, now - self._at > _PAUSE
        self._at, self._size = now, len(text)
        skipped, items = self._anchor.split(text)
        count = skipped + len(items)
        self._anchor = Anchor.of(text, items, skipped=skipped)
        if count == self._items:
            return
        if count < self._items:
            self.forget()
            self._items = skipped
        new, self._items = items[self._items - skipped :], count
        grown = 0 < before < len(text)
        for turn in turns(new):
            if isinstance(turn, Called):
                self._call(turn)
            elif paused or turn.digest not in self._words:
                self._words.append(turn.digest)
                self.forget()
                grown = False
        if grown:
            self.growing += 1
        elif len(text) < before:
            self.growing = 0

    def forget(self) -> None:
        """Reset all counts."""
        self._calls.clear()
        self._runs = [0] * LONGEST_CYCLE
        self.growing = 0
        self.warned.clear()

    def release(self) -> None:
        """Reset all counts, and let the conversation continue from where it was stopped."""
        self.forget()
        self._stop = None

    def _call(self, turn: Called) -> None:
        for length in range(1, LONGEST_CYCLE + 1):
            same = len(self._calls) >= length and self._calls[-length] == turn.digest
            self._runs[length - 1] = self._runs[length - 1] + 1 if same else 0
        self._calls.append(turn.digest)
        self.tool = turn.name
