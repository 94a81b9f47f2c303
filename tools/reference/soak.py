"""``docs/soak.md`` and its plots: what the last soak showed, from docs/reliability/soak.json."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tools.reference import plots
from tools.reference.markdown import code, page, table

RESULT: Final = Path(__file__).resolve().parents[2] / "docs" / "reliability" / "soak.json"
PLOTS: Final = {
    "rss": ("Resident memory", "MiB"),
    "descriptors": ("File descriptors", "open"),
    "tasks": ("asyncio tasks", "unfinished"),
}
MARKS: Final = {"met": "met", "missed": "**missed**", "unresolved": "not resolved"}
INTRO: Final = """\
`claude-gateway serve` under load for a long time: as many streams as a pod should hold, each by a client of its own; an
edit every few seconds that changes every route and, in turn, rotates all client keys or contains a mistake; and harm on
purpose. `make soak` runs it for two hours with 1,000 streams; `make soak MINUTES=20 STREAMS=200` suits a small machine.

Each request has a plan, drawn before it is sent: its lane, how its client behaves, and for 2 % what the upstream does
to it. The plan says which outcomes are right. A stream is right only if every event arrived once, in order, and none of
another stream. Whatever the plan does not explain is a failure, and one failure fails the run."""
METHOD: Final = """\
Memory is what a process holds itself, without mapped files, which the kernel takes back as it likes. It is judged by a
robust slope: the second half of the run is cut into blocks, each block's median is one point, and
the slope is the median of the slopes of all pairs of points (Theil-Sen), with its 95 % interval. A slope is *met* if
the whole interval is below the goal, *missed* if the whole interval is above it, and *not resolved* where the run was
too short to tell: 20 minutes can show a leak of some MiB an hour, two hours one of 1 MiB.

Descriptors, tasks and threads are flat if the median of the last quarter is at most 5 % (or a few) above that of the
third. Afterwards all clients leave, and what the load had opened must be gone."""


def files() -> dict[str, str]:
    """Return the page and its plots: path from the root → content."""
    document = json.loads(RESULT.read_text(encoding="utf-8"))
    made = {
        f"docs/images/soak-{what}.svg": plots.plot(
            title, times=document["series"]["minutes"], lines=document["series"][what], unit=unit
        )
        for what, (title, unit) in PLOTS.items()
    }
    return {"docs/soak.md": _page(document), **made}


def _page(document: dict[str, Any]) -> str:
    rows = [(row["what"], row["goal"], row["measured"], MARKS[row["verdict"]]) for row in document["rows"]]
    parts = [
        "## The last run",
        _conditions(document),
        table(("What", "Goal", "Measured", ""), rows),
        *(f"![{title} over time](images/soak-{what}.svg)" for what, (title, _) in PLOTS.items()),
        "## How it is judged",
        METHOD,
        "## What happened to the requests",
        table(("Client", "Upstream", "Requests", "Outcomes"), _outcomes(document)),
        *_failures(document),
    ]
    return page("Soak", INTRO, parts, source="docs/reliability/soak.json (`make soak`)")


def _conditions(document: dict[str, Any]) -> str:
    live = document["live_seconds"]
    note = f" {document['note']}" if document["note"] else ""
    return (
        f"On {document['at'][:10]}, {document['minutes']:g} minutes with {document['streams']:,} streams: "
        f"{document['machine']}.{note} {document['requests']:,} requests, of which the upstream failed "
        f"{document['faults']:,}; {document['edits']:,} edits with {document['rotations']} rotations of all keys and "
        f"{document['mistakes']} mistakes. An edit was live after {live['p50']:.2f} s (p50), {live['p95']:.2f} s (p95) "
        f"and {live['most']:.2f} s at most."
    )


def _outcomes(document: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    kinds: dict[tuple[str, str], Counter[str]] = {}
    for _, manner, fault, ending, count in document["outcomes"]:
        kinds.setdefault((manner, fault), Counter())[ending] += count
    for (manner, fault), endings in sorted(kinds.items()):
        said = ", ".join(f"{count:,} {ending}" for ending, count in endings.most_common())
        yield code(manner), code(fault) if fault else "", f"{endings.total():,}", said


def _failures(document: dict[str, Any]) -> Iterator[str]:
    if document["unexplained"]:
        rows = [(what, f"{count:,}") for what, count in sorted(document["unexplained"].items())]
        yield "## Unexplained"
        yield table(("What", "Times"), rows)
