"""Routes whose targets depend on the role of a request: thinking, long, with images, with a search of the web."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from claude_gateway.cli.importing.draft import Draft, Json, NotAccepted
from claude_gateway.cli.importing.report import Report

_MOST_TARGETS: Final = 8
FORWARD_FIX: Final = "Clients send their gateway key as `x-gateway-key`; see the how-to on one's own login."
_THINKING_FIX: Final = "If the thinker gets too many, match `effort` or `thinkingBudgetAtLeast` in its rule instead."
VERTEX_FIX: Final = "Set VERTEX_PROJECT and VERTEX_LOCATION, and import again."


def rule(name: str, match: Mapping[str, Any], targets: Sequence[Json]) -> Json:
    """Return a rule: the targets that serve requests of a role."""
    return {"name": name, "match": dict(match), "targets": list(targets)[:_MOST_TARGETS]}


def add(
    draft: Draft,
    report: Report,
    name: str,
    *,
    names: Sequence[str],
    targets: Sequence[Json],
    rules: Sequence[Json],
    at: str,
) -> None:
    """Add a route with rules. ``at`` is the setting that it comes from."""
    for each in rules:
        if "thinking" in each["match"]:
            report.lose(at, "current versions of Claude Code ask to think in nearly every request", _THINKING_FIX)
    spec = {"models": list(names), "targets": list(targets), **({"rules": list(rules)} if rules else {})}
    try:
        draft.route(name, spec)
    except NotAccepted as refused:
        report.lose(at, f"{refused.field}: {refused}", "Correct the value, and import again.")
