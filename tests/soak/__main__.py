"""``make soak``: ``serve`` under a thousand streams for minutes or hours, into docs/reliability/soak.json.

Everything is on loopback. Exits 1 if a promise is missed; where a run was too short to say, it says so.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.bench.report import machine
from tests.soak.edits import Files
from tests.soak.plans import FAULTS_SHARE
from tests.soak.run import EDIT_SECONDS, Result, Soak
from tests.soak.system import Serve
from tests.soak.verdicts import MEBIBYTE, Row, faults, requests, rows
from tests.support.processes.child import Process, python

RESULT: Final = Path(__file__).resolve().parents[2] / "docs" / "reliability" / "soak.json"
_POINTS: Final = 180
"""Points of each line of a plot."""
_MEASURES: Final = {"rss": MEBIBYTE, "descriptors": 1, "tasks": 1}


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0, help="how long, after one minute in which streams open")
    parser.add_argument("--streams", type=int, default=1000, help="open streams; fewer for a small machine")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--note", default="", help="conditions that the report should say, such as a busy machine")
    parser.add_argument("--output", type=Path, default=RESULT)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as home, Process(python("tests.soak.upstream")) as upstream:
        port = int(upstream.listening().rpartition(":")[2])
        files = Files(Path(home), upstream=f"http://127.0.0.1:{port}")
        with Serve(Path(home)) as serve:
            soak = Soak(serve, files, streams=chosen.streams, upstream=port, seed=chosen.seed)
            result = asyncio.run(soak.run(seconds=chosen.minutes * 60))
            found = rows(result)
            document = _document(result, found, serve, chosen)
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    for row in found:
        print(f"{row.verdict:10} {row.what}: {row.measured} (goal {row.goal})")
    for failure in result.failures:
        print(f"unexplained: {failure}")
    return int(any(row.verdict == "missed" for row in found))


def _document(result: Result, found: list[Row], serve: Serve, chosen: argparse.Namespace) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "minutes": chosen.minutes,
        "streams": chosen.streams,
        "seed": chosen.seed,
        "fault_share": FAULTS_SHARE,
        "edit_seconds": EDIT_SECONDS,
        "machine": f"{machine()}, load average at the end {os.getloadavg()[2]:.1f}",
        "note": chosen.note,
        "requests": requests(result),
        "faults": faults(result),
        "stale_connections": result.stale,
        "edits": result.edits,
        "mistakes": result.mistakes,
        "rotations": result.rotations,
        "live_seconds": _percentiles(serve.log.live_seconds),
        "rows": [asdict(row) for row in found],
        "outcomes": [[*kind, count] for kind, count in sorted(result.outcomes.items())],
        "unexplained": dict(result.unexplained),
        "failures": result.failures,
        "log_events": dict(Counter(serve.log.events).most_common()),
        "series": _series(result),
    }


def _series(result: Result) -> dict[str, Any]:
    """Return times in minutes and, for each measure, the line of each process."""
    step = max(1, len(result.times) // _POINTS)
    kept = list(range(0, len(result.times), step))
    series: dict[str, Any] = {"minutes": [round(result.times[index] / 60, 2) for index in kept]}
    for what, unit in _MEASURES.items():
        series[what] = {
            name: [round(result.samples[index][name][what] / unit, 1) for index in kept]
            for name, first in result.samples[0].items()
            if what in first
        }
    series["log_mebibytes"] = [round(result.log[index][0] / MEBIBYTE, 2) for index in kept]
    return series


def _percentiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values) or [0.0]
    return {name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] for name, share in _SHARES.items()}


_SHARES: Final = {"p50": 0.5, "p95": 0.95, "most": 1.0}


if __name__ == "__main__":
    sys.exit(main())
