"""A terminal recording (asciinema's cast, version 2) as an animated SVG: one line after the other, commands typed.

Where people ask for less motion, and where nothing moves at all, the picture shows the end.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from tools.pictures.theme import MONOSPACE, Theme, svg

RECORDING: Final = Path(__file__).resolve().parents[2] / "docs" / "images" / "quickstart.cast"
TITLE: Final = (
    "A terminal: a key is made, files are checked and served, and Claude Code gets an answer through the gateway."
)
PROMPT: Final = "$ "
REST: Final = 4.0
"""Seconds that the end stays before the recording starts again."""
_LINE: Final = 19
_LETTER: Final = 7.85
_MARGIN: Final = 18
_SIZE: Final = 13


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the screen: when its first and its last letter came, in seconds."""

    text: str
    starts: float
    ends: float


def lines(cast: str) -> tuple[int, list[Line]]:
    """Return the width in letters and the lines of a cast that only writes text, line after line."""
    header, *events = (json.loads(each) for each in cast.splitlines())
    found: list[Line] = []
    text, starts, ends = "", 0.0, 0.0
    for time, _, data in events:
        for letter in data:
            if letter == "\r":
                continue
            if letter == "\n":
                found.append(Line(text, starts, ends))
                text = ""
                continue
            starts = starts if text else time
            text, ends = text + letter, time
    return header["width"], [*found, *([Line(text, starts, ends)] if text else [])]


def render(theme: Theme) -> str:
    """Return the committed recording as SVG."""
    width, shown = lines(RECORDING.read_text(encoding="utf-8"))
    size = (round(width * _LETTER) + 2 * _MARGIN, len(shown) * _LINE + 2 * _MARGIN)
    return svg(_parts(theme, shown, *size), width=size[0], height=size[1], title=TITLE)


def _parts(theme: Theme, shown: Sequence[Line], width: int, height: int) -> Iterator[str]:
    total = max(line.ends for line in shown) + REST
    still = "@media (prefers-reduced-motion) { text { animation: none } }"
    yield f"<style>{''.join(_motion(shown, total))}{still}</style>"
    place = f'x="0.5" y="0.5" width="{width - 1}" height="{height - 1}"'
    yield f'<rect {place} rx="8" fill="{theme.fill}" stroke="{theme.line}"/>'
    yield f'<g font-family="{MONOSPACE}" font-size="{_SIZE}" xml:space="preserve">'
    for number, line in enumerate(shown):
        command = line.text.startswith(PROMPT)
        colour = theme.accent if command else theme.ink
        where = f'class="l{number}" x="{_MARGIN}" y="{_MARGIN + _SIZE + number * _LINE}" fill="{colour}"'
        yield f"<text {where}>{escape(line.text)}</text>"
    yield "</g>"


def _motion(shown: Sequence[Line], total: float) -> Iterator[str]:
    for number, line in enumerate(shown):
        start, end = (100 * time / total for time in (line.starts, line.ends))
        typed = f"steps({max(len(line.text), 1)})" if line.text.startswith(PROMPT) else "steps(1)"
        hidden, whole = "clip-path: inset(0 100% 0 0)", "clip-path: inset(-4px 0 -6px 0)"
        frames = f"0%, {start:.2f}% {{ {hidden} }} {end + 0.01:.2f}%, 100% {{ {whole} }}"
        yield f"@keyframes k{number} {{ {frames} }} "
        yield f".l{number} {{ animation: k{number} {total:.1f}s infinite {typed} }} "
