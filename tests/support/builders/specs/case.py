"""What the tables of specs have in common: the shape of a case, and builders of specs."""

from dataclasses import dataclass
from typing import Any, Final

from claude_gateway.names import Kind

Spec = dict[str, Any]
TARGET: Final[Spec] = {"model": "openai/gpt-5", "credential": "openai"}
SECRET: Final[Spec] = {"name": "openai"}


@dataclass(frozen=True, slots=True)
class Case:
    """A spec and, where it is refused, the field and a part of the message that says so."""

    name: str
    kind: Kind
    spec: Spec
    field: str = ""
    message: str = ""


def route(target: Spec | None = None, **spec: Any) -> Spec:
    """A ModelRoute's spec with one target, with these changes."""
    return {"models": ["smart"], "targets": [{**TARGET, **(target or {})}], **spec}


NOT_URL = "write `http://` or `https://`, a host, and optionally a port and a path"
