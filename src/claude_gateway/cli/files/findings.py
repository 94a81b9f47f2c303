"""Findings: mistakes in users' files with their positions, found while reading or deciding."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from claude_gateway.cli.files.manifests import Place, UnreadableFileError
from claude_gateway.plan.problem import ObjectRef, Severity

UNREADABLE: Final = "Unreadable"
VARIABLE_NOT_SET: Final = "VariableNotSet"


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake in a file. If the file itself cannot be read, ``object`` is None and ``field`` is empty."""

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
        """The object's name for people; empty if there is no object."""
        if self.object is None:
            return ""
        return str(self.object) if self.object.name else self.object.kind


def of_file(error: UnreadableFileError) -> Finding:
    """Return the finding for a file that cannot be read."""
    return Finding(
        place=error.place,
        severity=Severity.ERROR,
        object=None,
        field="",
        reason=UNREADABLE,
        message=str(error),
        fix=error.fix,
    )


def of_passed_over(path: Path, why: str) -> Finding:
    """Return the warning about something that looks like a YAML file but is not read."""
    fix = "Rename, repair or remove it."
    return Finding(Place(path), Severity.WARNING, object=None, field="", reason=UNREADABLE, message=why, fix=fix)


def as_warning(finding: Finding) -> Finding:
    """Return the finding as a warning, which is shown but does not fail the command."""
    return replace(finding, severity=Severity.WARNING)


def text(finding: Finding) -> str:
    """Format a finding as two lines; the first has the form of compiler messages, which editors can follow."""
    about = f"{finding.about}: " if finding.about else ""
    field = f"{finding.field}: " if finding.field else ""
    head = f"{finding.place}: {finding.severity}: {about}{field}{finding.message} [{finding.reason}]"
    return f"{head}\n  {finding.fix}" if finding.fix else head


def as_json(findings: Iterable[Finding]) -> str:
    """Format findings as a JSON list for tools."""
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
    """Format a finding as a workflow command, which GitHub shows as an annotation of the line."""
    place = finding.place
    where = f"file={_property(str(place.path))},line={place.line},col={place.column}"
    message = _data(f"{finding.about}: {finding.message}. {finding.fix}".removeprefix(": "))
    return f"::{finding.severity} {where},title={_property(finding.reason)}::{message}"


def count(findings: Iterable[Finding]) -> str:
    """Count findings, such as ``2 errors, 1 warning``."""
    found = list(findings)
    errors = sum(f.is_error for f in found)
    return f"{plural(errors, 'error')}, {plural(len(found) - errors, 'warning')}"


def plural(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 route`` or ``2 routes``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
