"""The settings of Claude Code that a client's people get when they sign in at the gateway."""

import json

from claude_gateway.names import Reason
from claude_gateway.plan.problem import ObjectRef, Problem, Severity


def canonical(owner: ObjectRef, text: str | None) -> tuple[str, Problem | None]:
    """Return the settings as one line of JSON with sorted keys; empty, with a Problem, if they are anything else.

    Claude Code computes a checksum of this form to see whether its settings are current. Source: the protocol that
    Anthropic's gateway documents at ``GET /protocol``.
    """
    if text is None:
        return "", None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        return "", _problem(owner, f"not valid JSON: {error}")
    if not isinstance(found, dict):
        return "", _problem(owner, "not a JSON object")
    return json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False), None


def _problem(owner: ObjectRef, why: str) -> Problem:
    """Report settings that cannot be read; the client works without them, so that a typo does not cut users off."""
    fix = "Write the content of a `managed-settings.json`; until then its people get no settings."
    return Problem(owner, "spec.claudeSettings", Reason.INVALID, why, fix, severity=Severity.WARNING)
