"""The configuration that ``serve`` uses over time: an object with a mistake keeps its last valid version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from claude_gateway.cli.files import config
from claude_gateway.cli.files.config import Decision, Gathered
from claude_gateway.cli.files.manifests import Document
from claude_gateway.names import Kind
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.problem import ObjectRef
from claude_gateway.plan.world import Settings


@dataclass(frozen=True, slots=True)
class LastValid:
    """The last valid configuration: the documents of each file, and the manifest of each object."""

    files: Mapping[Path, tuple[Document, ...]] = field(default_factory=dict, repr=False)
    objects: Mapping[ObjectRef, Mapping[str, Any]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The result of loading the files: ``decision`` is about their content, ``plan`` is what to serve.

    The two differ if objects (``kept``) or whole files (``kept_files``) keep their last valid version.
    """

    decision: Decision
    plan: Plan
    last: LastValid = field(repr=False)
    kept: tuple[ObjectRef, ...] = ()
    kept_files: tuple[Path, ...] = ()


def load(sources: Sequence[Path], variables: Mapping[str, str], last: LastValid, *, rules: Settings) -> LoadResult:
    """Read the files and decide; objects that are invalid now are served as they are in ``last``."""
    gathered = config.gather(sources, variables, before=last.files)
    decision = config.decide_on(gathered, rules=rules)
    bad = {finding.object for finding in decision.errors if finding.object is not None}
    files = _files(decision, bad, last)
    documents = [document for in_file in files.values() for document in in_file]
    served, kept = _choose(documents, bad, last)
    plan = decision.plan
    if served != [document.manifest for document in gathered.documents]:
        plan = decide(read(served, rules), datetime.now(UTC))
    valid = {ref: m for m in served if (ref := config.ref(m)) not in bad or ref in last.objects}
    return LoadResult(
        decision=decision,
        plan=plan,
        last=LastValid(files=files, objects=valid),
        kept=kept,
        kept_files=tuple(p for p, documents in files.items() if p in last.files and _kept(p, documents, gathered)),
    )


def _choose(
    documents: Sequence[Document], bad: set[ObjectRef], last: LastValid
) -> tuple[list[Mapping[str, Any]], tuple[ObjectRef, ...]]:
    """Return the manifests to serve, and the objects among them that keep a valid version other than the current one.

    An invalid object that was never valid is served as it is: ``decide`` leaves out its invalid parts. One that was
    valid is served once in that version, even if its files now hold it more than once.
    """
    served: list[Mapping[str, Any]] = []
    kept: list[ObjectRef] = []
    seen: set[ObjectRef] = set()
    for document in documents:
        ref = config.ref(document.manifest)
        valid = last.objects.get(ref) if ref in bad else None
        if valid is None:
            served.append(document.manifest)
        elif ref not in seen:
            served.append(valid)
            kept.extend([ref] if valid != document.manifest else [])
        seen.add(ref)
    return served, tuple(kept)


def _files(decision: Decision, bad: set[ObjectRef], last: LastValid) -> dict[Path, tuple[Document, ...]]:
    """Return the documents by file; a file with an object that cannot be identified keeps its last valid content."""
    nameless = {ref for ref in bad if not ref.name or ref.kind not in {kind.value for kind in Kind}}
    unclear = {finding.place.path for finding in decision.errors if finding.object in nameless}
    return {
        path: last.files.get(path, documents) if path in unclear else documents
        for path, documents in decision.gathered.files.items()
    }


def _kept(path: Path, documents: tuple[Document, ...], gathered: Gathered) -> bool:
    unreadable = any(f.object is None and f.is_error and f.place.path in (path, path.parent) for f in gathered.findings)
    return unreadable or documents != gathered.files[path]
