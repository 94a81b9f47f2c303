"""Users' mistakes as values: the object, the field, what is wrong and how to fix it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from claude_gateway.names import Reason


class Severity(StrEnum):
    """An error does not work as written; a warning works, but probably not as intended."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """An object's kind, namespace and name; a part that could not be read is empty."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.full_name}"

    @property
    def full_name(self) -> str:
        """The name with its namespace."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake.

    ``field`` is the path as the user wrote it, such as ``spec.targets[0].credential``; the path ends before a mapping
    key that is not a plain word (such as a label). ``document`` is the position of the manifest among those read; it
    is set only if ``object`` does not identify the manifest (it has no name, or a duplicate one). ``other`` is the
    object that this one conflicts with. No part ever holds a secret value.
    """

    object: ObjectRef
    field: str
    reason: Reason
    message: str
    fix: str
    severity: Severity = Severity.ERROR
    document: int | None = None
    other: ObjectRef | None = None

    def __str__(self) -> str:
        return f"{self.object}: {self.field}: {self.message}. {self.fix}"


def ordered(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Sort problems into an order that does not depend on the order of the manifests."""
    return tuple(
        sorted(
            problems, key=lambda p: (p.object, p.field, p.reason, p.message, -1 if p.document is None else p.document)
        )
    )
