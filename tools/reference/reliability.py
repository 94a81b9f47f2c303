"""``docs/reliability.md``: what is promised under harm, the test of each promise, and how it last ended."""

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools.reference.markdown import code, page, table
from tools.reference.soak import MARKS
from tools.reference.soak import RESULT as SOAK

ROOT: Final = Path(__file__).resolve().parents[2]
SCENARIOS: Final = "tests/chaos"
RESULTS: Final = ROOT / "docs" / "reliability" / "chaos.json"
INTRO: Final = """\
What the product promises while something is broken, and how each promise is tested. The results are those of the last
runs, whatever they say; [soak](soak.md) has the hours under load.

`make chaos` makes a kind cluster of its own, installs the chart, keeps a load on it through every scenario, does the
harm, asserts the promise, and undoes the harm. `make chaos API_MINUTES=3` shortens the longest one."""
LIMITS: Final = """\
- The network plugin of a plain kind cluster does not enforce NetworkPolicies: partitions are packet filters inside the
  network namespaces of the pods, which drop without a word.
- All nodes of kind have the clock of their machine: clock jumps are tested with the processes alone, whose clock a
  small library moves.
- With one node, its restart ends the load too: what is tested is that everything is served again without a hand."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One test: its name, its file from the root, and its promise."""

    name: str
    file: str
    promise: str


def scenarios() -> list[Scenario]:
    """Return the scenarios in the order in which they run."""
    found = []
    for file in sorted((ROOT / SCENARIOS).glob("test_*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                promise = " ".join((ast.get_docstring(node) or "").split())
                found.append(Scenario(node.name, f"{SCENARIOS}/{file.name}", promise))
    return found


def rows(found: Sequence[Scenario], results: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield promise, test and last result of each scenario; ``results`` are by name, as the chaos tests wrote them."""
    for scenario in found:
        where = f"[{code(scenario.name)}](../{scenario.file})"
        yield scenario.promise, where, _said(results.get(scenario.name))


def render() -> str:
    """The whole page."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    soak = json.loads(SOAK.read_text(encoding="utf-8"))
    parts = [
        "## Under harm",
        table(("Promise", "Test", "Last result"), rows(scenarios(), results)),
        *_machines(results),
        "## Over hours",
        f"From the soak of {soak['at'][:10]}: {soak['minutes']:g} minutes, {soak['streams']:,} streams.",
        table(("Promise", "Test", "Last result"), _soaked(soak)),
        "## What the tests cannot show",
        LIMITS,
    ]
    return page(
        "Reliability", INTRO, parts, source=f"{SCENARIOS} and docs/reliability/*.json (`make chaos`, `make soak`)"
    )


def _said(result: Mapping[str, Any] | None) -> str:
    if result is None:
        return "not run yet"
    mark = "kept" if result["passed"] else "**broken**"
    return f"{mark} on {result['at'][:10]}{''.join(f': {text}' for text in result['seen'])}"


def _machines(results: Mapping[str, Any]) -> Iterator[str]:
    for machine in sorted({result["machine"] for result in results.values()}):
        loads = [result["load"] for result in results.values() if result["machine"] == machine]
        yield f"On {machine}, with a load average of {min(loads)} to {max(loads)}."


def _soaked(soak: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for row in soak["rows"]:
        yield f"{row['what']}: {row['goal']}", code("make soak"), f"{MARKS[row['verdict']]}: {row['measured']}"
