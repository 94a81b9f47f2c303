"""Prometheus text of several processes merged into one page. Pure.

Each family appears once with all its samples together, and each sample has the label ``process``, so that equal series
of two processes (``process_*``, ``python_*`` and our own) stay apart. Format: Prometheus text exposition 0.0.4.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
LABEL: Final = "process"

_NAME: Final = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABELS: Final = r'(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\.)*",?)*'
_SAMPLE: Final = re.compile(rf"({_NAME})(?:[ \t]*\{{({_LABELS})\}})?[ \t]+([^ \t]+)(?:[ \t]+(-?[0-9]+))?[ \t]*")
_HAS_LABEL: Final = re.compile(rf'(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\]|\\.)*",)*{LABEL}="')
_COMMENT: Final = re.compile(rf"# (HELP|TYPE) ({_NAME})(?: (.*))?")
_SUFFIXES: Final[Mapping[str, tuple[str, ...]]] = {
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("_sum", "_count"),
}


class ExpositionError(ValueError):
    """A text is not in Prometheus exposition format; the message names the line's number, not its content."""


@dataclass(slots=True)
class Family:
    """One metric family: help and type lines, and sample lines."""

    help: str | None = None
    type: str | None = None
    samples: list[str] = field(default_factory=list)

    def owns(self, name: str, sample: str) -> bool:
        """Whether a sample of this name belongs to the family called ``name``."""
        return sample == name or any(sample == name + suffix for suffix in _SUFFIXES.get(self.type or "", ()))


def merge(pages: Iterable[tuple[str, Mapping[str, Family]]]) -> str:
    """Merge the families of several processes, in the order given.

    The first process that has a family decides its type; samples of another type are left out, because a page with two
    types for one name is rejected as a whole.
    """
    merged: dict[str, Family] = {}
    for _, families in pages:
        for name, family in families.items():
            whole = merged.setdefault(name, Family(help=family.help, type=family.type))
            if whole.type == family.type:
                whole.samples.extend(family.samples)
    lines: list[str] = []
    for name, family in merged.items():
        if family.help is not None:
            lines.append(f"# HELP {name} {family.help}")
        lines.append(f"# TYPE {name} {family.type or 'untyped'}")
        lines.extend(family.samples)
    return "".join(f"{line}\n" for line in lines)


def parse(text: str, *, process: str) -> dict[str, Family]:
    """Split one process's text into families and label each sample with the process, unless it says so itself.

    Raises ExpositionError for a line that is neither comment nor sample.
    """
    families: dict[str, Family] = {}
    name = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        if line.startswith("#"):
            comment = _COMMENT.fullmatch(line)
            if comment is not None:
                name = comment[2]
                family = families.setdefault(name, Family())
                if comment[1] == "HELP":
                    family.help = comment[3] or ""
                else:
                    family.type = comment[3]
            continue
        sample = _SAMPLE.fullmatch(line)
        if sample is None:
            raise ExpositionError(f"line {number} is not a sample")
        if name not in families or not families[name].owns(name, sample[1]):
            name = sample[1]
        families.setdefault(name, Family()).samples.append(_labelled(sample, process=process))
    return families


def _labelled(sample: re.Match[str], *, process: str) -> str:
    name, labels, value, timestamp = sample.groups()
    labels = labels or ""
    if not _HAS_LABEL.match(labels):
        labels = f'{LABEL}="{process}",{labels}' if labels else f'{LABEL}="{process}"'
    stamp = f" {timestamp}" if timestamp else ""
    return f"{name}{{{labels}}} {value}{stamp}"
