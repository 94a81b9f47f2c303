"""How a run is told: as JSON for machines and for the published table, as Markdown for people."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from claude_gateway.conformance.check import Result, Verdict
from claude_gateway.conformance.checks import AREAS

MARKS: Final = {Verdict.PASS: "pass", Verdict.FAIL: "**fail**", Verdict.NOT_APPLICABLE: "n/a"}


def summary(results: Iterable[Result]) -> str:
    """The counts in one line."""
    counts = Counter(result.verdict for result in results)
    passed, failed, rest = (counts[verdict] for verdict in (Verdict.PASS, Verdict.FAIL, Verdict.NOT_APPLICABLE))
    return f"{passed} passed, {failed} failed, {rest} not applicable"


def as_json(results: Sequence[Result], *, name: str, at: datetime) -> str:
    """One object: ``name`` of the gateway, when it was asked, and each check's verdict and evidence by id."""
    found = {r.check.id: {"verdict": r.verdict.value, "evidence": r.evidence} for r in results}
    document = {"gateway": name, "at": at.isoformat(timespec="seconds"), "results": found}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def as_markdown(results: Sequence[Result], *, name: str, at: datetime) -> str:
    """A page with a table per area."""
    parts = [f"# Conformance of {name}", f"{at:%Y-%m-%d %H:%M} UTC: {summary(results)}."]
    for area, title in AREAS.items():
        rows = [result for result in results if result.check.area == area]
        if rows:
            lines = [_row(result) for result in rows]
            parts.append(
                f"## {title}\n\n| Check | Requirement | Verdict | Evidence |\n|---|---|---|---|\n" + "\n".join(lines)
            )
    return "\n\n".join(parts) + "\n"


def cell(text: str) -> str:
    """Text that stays within a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")


def _row(result: Result) -> str:
    check = result.check
    evidence = cell(result.evidence).replace("<", "&lt;")
    return f"| `{check.id}` | {cell(check.requirement)} ({check.source.value}) | {MARKS[result.verdict]} | {evidence} |"
