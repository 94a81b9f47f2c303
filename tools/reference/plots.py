"""Line plots as SVG text, small and the same for the same numbers, so that a check can compare them. Pure."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import cycle
from typing import Final

_WIDTH: Final = 720
_HEIGHT: Final = 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 34, 36
_COLOURS: Final = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e")
_TICKS: Final = 5
_STEPS: Final = (1, 2, 2.5, 5, 10)


def plot(title: str, *, times: Sequence[float], lines: Mapping[str, Sequence[float]], unit: str) -> str:
    """Return a plot of lines over minutes; the vertical axis begins at 0."""
    step = _step(max((max(values) for values in lines.values()), default=1) or 1)
    top = step * _TICKS
    right = max(times) or 1

    def at(minute: float, value: float) -> str:
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * minute / right
        y = _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - value / top)
        return f"{x:.1f},{y:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        'font-size="11" fill="#444">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="15" font-size="13" font-weight="bold">{escape(title)} ({escape(unit)})</text>',
    ]
    for tick in range(_TICKS + 1):
        y = at(0, tick * step).partition(",")[2]
        parts.append(f'<path d="M{_LEFT},{y} H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y}" dy="4" text-anchor="end">{tick * step:g}</text>')
    for tick in range(_TICKS + 1):
        minute = right * tick / _TICKS
        x = at(minute, 0).partition(",")[0]
        parts.append(f'<text x="{x}" y="{_HEIGHT - 18}" text-anchor="middle">{minute:.3g}</text>')
    parts.append(f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 4}" text-anchor="end">minutes</text>')
    for index, ((name, values), colour) in enumerate(zip(lines.items(), cycle(_COLOURS), strict=False)):
        points = " ".join(at(minute, value) for minute, value in zip(times, values, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<text x="{_LEFT + index * 110}" y="29" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _step(most: float) -> float:
    """Return a round step of which five reach the largest value."""
    size = 10.0 ** (len(str(int(most))) - 3)
    while True:
        for step in _STEPS:
            if step * size * _TICKS >= most:
                return step * size
        size *= 10
