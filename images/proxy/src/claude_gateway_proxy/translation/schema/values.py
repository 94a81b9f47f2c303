"""Values of a JSON Schema of unknown quality, read as the types that they should have."""

from collections.abc import Sequence
from typing import Any

Schema = dict[str, Any]
"""A JSON Schema: an open vocabulary that is passed on, so its values have no type of their own."""


def as_object(value: object) -> Schema:
    """Return an object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> Sequence[Any]:
    """Return a list; an empty one for anything else."""
    return value if isinstance(value, list) else ()


def as_names(value: object) -> list[str]:
    """Return the strings of a list."""
    return [name for name in as_list(value) if isinstance(name, str)]
