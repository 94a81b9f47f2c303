"""Names of models: the short ones that Claude Code knows, and those of the projects that this backend replaces."""

import re
from typing import Final

import msgspec

from claude_gateway_claude_code import failures

SHORT: Final = ("default", "opus", "sonnet", "haiku")
"""What ``/v1/models`` lists; Claude Code resolves each to its newest model."""

_LISTED_SINCE: Final = "2025-01-01T00:00:00Z"
_DEFAULT: Final = ("opus", "sonnet")
_PREFIX: Final = re.compile(r"(?:claude-code-sdk|claude-code|anthropic)/")
_RETIRED: Final = re.compile(r"claude-(?:3|2|instant)\b.*")
"""Generations that Anthropic retired; also ids that never were, which one of the old projects listed."""
_FAMILY: Final = re.compile(r"opus|sonnet|haiku")
_NAME: Final = re.compile(r"[A-Za-z0-9][\w.:@/\[\]-]{0,199}")


def candidates(name: str) -> tuple[str, ...]:
    """Return the models to ask, in order, as Claude Code takes them; empty if the name is not one.

    ``default`` is Opus, and Sonnet where Opus is not to be had. A retired model is the newest of its family.
    """
    plain = _PREFIX.sub("", name, count=1)
    if not _NAME.fullmatch(plain):
        return ()
    lower = plain.lower()
    if lower == "default":
        return _DEFAULT
    if lower in SHORT:
        return (lower,)
    if _RETIRED.fullmatch(lower):
        family = _FAMILY.search(lower)
        return ("sonnet" if family is None else family[0],)
    return (plain,)


def listed(name: str) -> bytes:
    """Return the document of all models, or of one if ``name`` is not empty. Raises Failure (404)."""
    known = [
        {"type": "model", "id": short, "display_name": f"Claude Code: {short}", "created_at": _LISTED_SINCE}
        for short in SHORT
    ]
    if not name:
        page = {"data": known, "has_more": False, "first_id": SHORT[0], "last_id": SHORT[-1]}
        return msgspec.json.encode(page)
    for model in known:
        if model["id"] == name:
            return msgspec.json.encode(model)
    raise failures.unknown_model(name)
