"""When Anthropic retires models on its own platforms; clouds have dates of their own.

Source: platform.claude.com/docs/en/about-claude/model-deprecations, as of 29 November 2026. Models without a date that
was announced are not listed.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Final

RETIREMENTS: Final[Mapping[str, tuple[date, str]]] = {
    "claude-3-opus": (date(2026, 1, 5), "claude-opus-5-5"),
    "claude-3-5-sonnet": (date(2025, 10, 28), "claude-sonnet-5-5"),
    "claude-3-7-sonnet": (date(2026, 2, 19), "claude-sonnet-5-5"),
    "claude-3-5-haiku": (date(2026, 2, 19), "claude-haiku-5-5"),
    "claude-3-haiku": (date(2026, 4, 20), "claude-haiku-5-5"),
    "claude-sonnet-4": (date(2026, 6, 15), "claude-sonnet-5-5"),
    "claude-opus-4": (date(2026, 6, 15), "claude-opus-5-5"),
    "claude-sonnet-4-5": (date(2026, 11, 30), "claude-sonnet-5-5"),
}
"""Plain name of a model → the day from which requests fail, and a current model of its kind."""

_SUFFIX: Final = re.compile(r"(?:-(?:20\d{6}|latest|0))?(?:\[1m\])?$")


def retirement(model: str) -> tuple[date, str] | None:
    """Return the day a model is retired and a replacement, by its name with or without date and context suffix."""
    return RETIREMENTS.get(_SUFFIX.sub("", model))
