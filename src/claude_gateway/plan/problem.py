"""Users' mistakes as values: which object, which field, what is wrong and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from claude_gateway.names import Reason


class Severity(StrEnum):
    """Whether something does not work as written, or works but hardly as meant."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """An object by kind, namespace and name; a part that could not be read is empty."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake.

    ``field`` is the path as the user wrote it, such as ``spec.targets[0].credential``; a mapping's key that is no
    plain word (a label) ends the path before it. ``document`` is the position of the manifest among those read, set
    only where ``object`` alone does not find it (no name, or the second of two of one name). No part ever holds a
    secret value.
    """

    object: ObjectRef
    field: str
    reason: Reason
    message: str
    fix: str
    severity: Severity = Severity.ERROR
    document: int | None = None

    def __str__(self) -> str:
        return f"{self.object}: {self.field}: {self.message}. {self.fix}"


def ordered(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Sort problems, so that the order of the manifests does not show."""
    return tuple(
        sorted(
            problems, key=lambda p: (p.object, p.field, p.reason, p.message, -1 if p.document is None else p.document)
        )
    )
