"""What an import reports: what is unnecessary here, and what could not be carried over, each with its place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from claude_gateway.cli.files.findings import plural
from claude_gateway.cli.files.manifests import Document, Place
from claude_gateway.cli.terminal import printable


@dataclass(frozen=True, slots=True)
class Note:
    """One setting that is not in the output as it was. ``fix`` is empty where nothing is left to do."""

    place: Place
    field: str
    why: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The notes of one import, in the order in which they were found; ``lines`` are the lines of an env file."""

    path: Path
    document: Document | None = None
    lines: Mapping[str, int] = field(default_factory=dict)
    unnecessary: list[Note] = field(default_factory=list)
    lost: list[Note] = field(default_factory=list)

    def drop(self, at: str, why: str) -> None:
        """Report a setting that is unnecessary here."""
        self.unnecessary.append(Note(self.place(at), at, why))

    def lose(self, at: str, why: str, fix: str) -> None:
        """Report a setting that could not be carried over, or not exactly, and what to do about it."""
        self.lost.append(Note(self.place(at), at, why, fix))

    def place(self, at: str) -> Place:
        """Return the position of a field, or of its nearest ancestor."""
        if self.document is not None:
            return self.document.place(at)
        return Place(self.path, self.lines.get(at, 1))

    def text(self) -> str:
        """Format all notes for people; names and values of the file cannot control the terminal."""
        blocks = [_block("unnecessary here", self.unnecessary), _block("not carried over, or not exactly", self.lost)]
        return "\n".join(block for block in blocks if block)


def _block(title: str, notes: list[Note]) -> str:
    if not notes:
        return ""
    lines = [f"{plural(len(notes), 'setting')} {title}:"]
    for note in notes:
        lines.append(printable(f"  {note.place}: {note.field}: {note.why}"))
        if note.fix:
            lines.append(printable(f"    {note.fix}"))
    return "\n".join(lines)
