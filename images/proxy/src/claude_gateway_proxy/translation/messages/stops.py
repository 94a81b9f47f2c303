"""Stop sequences, for upstreams that do not support them."""

from itertools import repeat


class StopSequences:
    """Cuts a text that arrives in pieces at the first stop sequence; ``met`` is that sequence."""

    def __init__(self, sequences: tuple[str, ...]) -> None:
        self._sequences = sequences
        self._most = max(map(len, sequences), default=1) - 1
        self._held = ""
        self.met: str | None = None

    def until(self, text: str) -> str:
        """Return the text up to a stop sequence; the end is buffered if a sequence may begin there."""
        if not self._sequences:
            return text
        text, self._held = self._held + text, ""
        ends = [(at, stop) for stop in self._sequences if (at := text.find(stop)) >= 0]
        if ends:
            at, self.met = min(ends)
            return text[:at]
        sizes = range(min(self._most, len(text)), 0, -1)
        held = next((size for size in sizes if any(map(str.startswith, self._sequences, repeat(text[-size:])))), 0)
        text, self._held = text[: len(text) - held], text[len(text) - held :]
        return text

    def rest(self) -> str:
        """Return what is held back, and hold nothing any more."""
        held, self._held = self._held, ""
        return held
