"""Reports of a run: JSON for machines and for the published table, Markdown for people."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from claude_gateway.conformance.check import Outcome, Result
from claude_gateway.conformance.checks import AREAS

MARKS: Final = {Outcome.PASS: "pass", Outcome.FAIL: "**fail**", Outcome.NOT_APPLICABLE: "n/a"}


def summary(results: Iterable[Result]) -> str:
    """Return the counts in one line."""
    counts = Counter(result.outcome for result in results)
    passed, failed, rest = (counts[verdict] for verdict in (Outcome.PASS, Outcome.FAIL, Outcome.NOT_APPLICABLE))
    return f"{passed} passed, {failed} failed, {rest} not applicable"


def as_json(results: Sequence[Result], *, name: str, at: datetime) -> str:
    """Return the report as JSON: the gateway's name, the time, and each check's outcome and evidence by ID."""
    found = {r.check.id: {"verdict": r.outcome.value, "evidence": r.evidence} for r in results}
    document = {"gateway": name, "at": at.isoformat(timespec="seconds"), "results": found}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def as_markdown(results: Sequence[Result], *, name: str, at: datetime) -> str:
    """Return the report as Markdown, with one table per area."""
    parts = [f"# Conformance of {name}", f"{at:%Y-%m-%d %H:%M} UTC: {summary(results)}."]
    for area, title in AREAS.items():
        rows = [result for result in results if result.check.area == area]
        if rows:
            lines = [_row(result) for result in rows]
            parts.append(
                f"## {title}\n\n| Check | Requirement | Outcome | Evidence |\n|---|---|---|---|\n" + "\n".join(lines)
            )
    return "\n\n".join(parts) + "\n"


def cell(text: str) -> str:
    """Escape a text for a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")


def _row(result: Result) -> str:
    check = result.check
    evidence = cell(result.evidence).replace("<", "&lt;")
    return f"| `{check.id}` | {cell(check.requirement)} ({check.source.value}) | {MARKS[result.outcome]} | {evidence} |"
