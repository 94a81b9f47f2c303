"""The bars of the README: how many requirements of Claude Code each gateway meets, from the kept results."""

from collections.abc import Iterator, Sequence
from typing import Final

from tools.pictures.theme import Theme, label, svg
from tools.reference.conformance import COLUMNS, Column

from claude_gateway.conformance.check import Outcome

WIDTH: Final = 880
_LEFT: Final = 240
_BAR: Final = 470
_ROW: Final = 40


def render(theme: Theme) -> str:
    """Return the picture as SVG."""
    columns = [Column.read(key) for key in COLUMNS]
    counts = [Counts.of(column) for column in columns]
    said = "; ".join(f"{each.name} meets {each.met}, fails {each.failed}, n/a {each.other}" for each in counts)
    height = 40 + _ROW * len(counts)
    return svg(_parts(theme, counts), width=WIDTH, height=height, title=f"Requirements of Claude Code: {said}")


class Counts:
    """One gateway's results, counted."""

    def __init__(self, name: str, verdicts: Sequence[Outcome]) -> None:
        self.name = name
        self.met = verdicts.count(Outcome.PASS)
        self.failed = verdicts.count(Outcome.FAIL)
        self.other = len(verdicts) - self.met - self.failed

    @classmethod
    def of(cls, column: Column) -> "Counts":
        """Count a column of docs/conformance.md."""
        return cls(column.name, list(column.verdicts.values()))


def _parts(theme: Theme, counts: Sequence[Counts]) -> Iterator[str]:
    yield label(_LEFT, 20, "Requirements of Claude Code: met, not met, not applicable", colour=theme.soft, size=12)
    for row, each in enumerate(counts):
        top = 34 + _ROW * row
        scale = _BAR / (each.met + each.failed + each.other)
        first = row == 0
        yield label(_LEFT - 12, top + 17, each.name, colour=theme.ink, size=13, anchor="end", bold=first)
        left = float(_LEFT)
        for count, colour in ((each.met, theme.accent), (each.failed, theme.bad), (each.other, theme.quiet)):
            yield f'<rect x="{left:.1f}" y="{top}" width="{count * scale:.1f}" height="24" fill="{colour}"/>'
            left += count * scale
        numbers = f"{each.met} · {each.failed} · {each.other}"
        yield label(_LEFT + _BAR + 12, top + 17, numbers, colour=theme.ink, size=13, bold=first)
