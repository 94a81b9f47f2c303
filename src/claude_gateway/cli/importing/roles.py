"""Routes whose targets depend on the role of a request: thinking, long, with images, with a search of the web."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from claude_gateway.cli.importing.draft import Draft, Json, NotAccepted
from claude_gateway.cli.importing.report import Report

FORWARD_FIX: Final = "Clients send their gateway key as `x-gateway-key`; see the how-to on one's own login."
VERTEX_FIX: Final = "Write the models as `vertex_ai/...`, and import again."


def rule(name: str, match: Mapping[str, Any], targets: Sequence[Json]) -> Json:
    """Return a rule: the targets that serve requests of a role."""
    return {"name": name, "match": dict(match), "targets": list(targets)}


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
        fix = f"Clients use the name `{each['name']}`, such as `/model {each['name']}` in Claude Code."
        report.lose(at, f"requests do not choose {each['name']} by themselves", fix)
        _add(draft, report, each["name"], {"models": [each["name"]], "targets": each["targets"]}, at=at)
    _add(draft, report, name, {"models": list(names), "targets": list(targets)}, at=at)


def _add(draft: Draft, report: Report, name: str, spec: Json, *, at: str) -> None:
    if spec in draft.routes.values():
        return
    try:
        draft.route(name, spec)
    except NotAccepted as refused:
        report.lose(at, f"{refused.field}: {refused}", "Correct the value, and import again.")
