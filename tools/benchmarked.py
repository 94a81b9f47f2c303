"""The inputs of the capacity that rest on the benchmarks: calculated from the rows of ``docs/benchmarks.md``."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the page by the beginning of its first cell, and the number that ``number`` finds in its third."""

    what: str
    number: str


@dataclass(frozen=True, slots=True)
class _Input:
    """A number of the capacity: ``value`` calculates it from the measured inputs and the rows, ``said`` names these."""

    name: str
    unit: str
    rows: tuple[_Row, ...]
    value: Callable[..., float]
    said: str


_CPU: Final = r"(\d+) % of a core"
_INPUTS: Final = (
    _Input(
        "relay_event_seconds",
        "CPU s",
        (_Row("Their CPU time", _CPU),),
        lambda _, percent: percent / 100 / (500 * 50),
        "500 streams of 50 events/s took {} % of a core",
    ),
    _Input(
        "codec_request_seconds",
        "CPU s",
        (
            _Row("Codec lane: added time to first byte, 50 req/s, 90 KB, streamed", r"p50 ([\d.]+) ms"),
            _Row("Codec lane: streams at saturation, 10 at once, 2 KB", r"([\d.]+) ms of CPU each"),
        ),
        lambda _, added, stream: (added + stream) / 1000,
        "the codec lane adds {} ms to a body of 90 KB, and a stream of 2 KB takes {} ms",
    ),
    _Input(
        "codec_event_seconds",
        "CPU s",
        (_Row("Codec lane: 300 open streams of 50 events/s", _CPU),),
        lambda _, percent: percent / 100 / (300 * 50),
        "300 codec streams of 50 events/s took {} % of a core",
    ),
    _Input(
        "stream_mebibytes",
        "MiB",
        (_Row("Memory of the gateway after 1,000 more streams", r"(\d+) MiB"),),
        lambda measured, after: max(0.0, after - measured["gateway_mebibytes"]) / 1000,
        "a gateway had {} MiB after 1,000 streams, with what it has without any taken off",
    ),
    _Input(
        "litellm_library_mebibytes",
        "MiB",
        (_Row("Memory with LiteLLM loaded, after the load", r"worker (\d+) MiB"),),
        lambda measured, after: max(0.0, after - measured["litellm_mebibytes"]),
        "the worker had {} MiB after load; the measured one had nothing to translate and did not load LiteLLM",
    ),
)


def inputs(page: str, measured: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """Return value, unit and source of each input by name. Raises ValueError for a row that the page does not have."""
    found = {}
    for each in _INPUTS:
        numbers = [_number(page, row) for row in each.rows]
        said = "benchmarks.md: " + each.said.format(*numbers)
        value = each.value(measured, *map(float, numbers))
        found[each.name] = {"value": float(f"{value:.4g}"), "unit": each.unit, "source": said}
    return found


def _number(page: str, row: _Row) -> str:
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and cells[1].startswith(row.what) and (found := re.search(row.number, cells[3])):
            return found[1]
    raise ValueError(f"docs/benchmarks.md: no row {row.what!r} with {row.number!r}")
