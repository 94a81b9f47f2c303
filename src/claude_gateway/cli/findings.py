"""What is wrong in users' files: a Problem of the brain, or of reading, together with where it stands."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from claude_gateway.cli.manifests import Place, UnreadableFileError
from claude_gateway.plan.problem import ObjectRef, Severity

UNREADABLE: Final = "Unreadable"
VARIABLE_NOT_SET: Final = "VariableNotSet"


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake in a file. ``object`` is None and ``field`` empty where the file itself cannot be read."""

    place: Place
    severity: Severity
    object: ObjectRef | None
    field: str
    reason: str
    message: str
    fix: str

    @property
    def is_error(self) -> bool:
        """Whether something does not work as written."""
        return self.severity is Severity.ERROR

    @property
    def about(self) -> str:
        """The object as people name it; empty where there is none."""
        if self.object is None:
            return ""
        return str(self.object) if self.object.name else self.object.kind


def of_file(error: UnreadableFileError) -> Finding:
    """The finding for a file that cannot be read."""
    return Finding(
        place=error.place,
        severity=Severity.ERROR,
        object=None,
        field="",
        reason=UNREADABLE,
        message=str(error),
        fix=error.fix,
    )


def as_warning(finding: Finding) -> Finding:
    """The same finding, to be shown and not to be failed for."""
    return replace(finding, severity=Severity.WARNING)


def text(finding: Finding) -> str:
    """Two lines for people; the first is as compilers write it, so that editors can jump there."""
    about = f"{finding.about}: " if finding.about else ""
    head = f"{finding.place}: {finding.severity}: {about}{finding.message} [{finding.reason}]"
    return f"{head}\n  {finding.fix}" if finding.fix else head


def as_json(findings: Iterable[Finding]) -> str:
    """A JSON list for tools."""
    rows = [
        {
            "file": str(f.place.path),
            "line": f.place.line,
            "column": f.place.column,
            "severity": f.severity.value,
            "object": f.about,
            "field": f.field,
            "reason": f.reason,
            "message": f.message,
            "fix": f.fix,
        }
        for f in findings
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False)


def github(finding: Finding) -> str:
    """A workflow command that GitHub shows as an annotation of the line."""
    place = finding.place
    where = f"file={_property(str(place.path))},line={place.line},col={place.column}"
    message = _data(f"{finding.about}: {finding.message}. {finding.fix}".removeprefix(": "))
    return f"::{finding.severity} {where},title={_property(finding.reason)}::{message}"


def count(findings: Iterable[Finding]) -> str:
    """Such as ``2 errors, 1 warning``."""
    found = list(findings)
    errors = sum(f.is_error for f in found)
    return f"{plural(errors, 'error')}, {plural(len(found) - errors, 'warning')}"


def plural(number: int, noun: str) -> str:
    """Such as ``1 route`` or ``2 routes``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
