"""What ``serve`` makes of the files over time: an object that became bad goes on as it was when it was good."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from claude_gateway.cli import config
from claude_gateway.cli.config import Decision, Gathered
from claude_gateway.cli.manifests import Document
from claude_gateway.names import Kind
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.problem import ObjectRef
from claude_gateway.plan.world import Settings, read


@dataclass(frozen=True, slots=True)
class Memory:
    """What was good at last: the documents of each file, and the manifest of each object."""

    files: Mapping[Path, tuple[Document, ...]] = field(default_factory=dict, repr=False)
    objects: Mapping[ObjectRef, Mapping[str, Any]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Step:
    """One look at the files: ``decision`` is about what they say, ``plan`` is what to serve.

    The two differ where ``kept`` names objects, or ``kept_files`` files, that go on as they were.
    """

    decision: Decision
    plan: Plan
    memory: Memory = field(repr=False)
    kept: tuple[ObjectRef, ...] = ()
    kept_files: tuple[Path, ...] = ()


def look(sources: Sequence[Path], variables: Mapping[str, str], memory: Memory, *, rules: Settings) -> Step:
    """Read the files and decide; what is wrong now is served as ``memory`` has it."""
    gathered = config.gather(sources, variables, before=memory.files)
    decision = config.decide_on(gathered, rules=rules)
    bad = {finding.object for finding in decision.errors if finding.object is not None}
    files = _files(decision, bad, memory)
    served: list[Mapping[str, Any]] = []
    done: set[ObjectRef] = set()
    kept: list[ObjectRef] = []
    for document in (document for documents in files.values() for document in documents):
        ref = config.ref(document.manifest)
        good = memory.objects.get(ref)
        if ref not in bad or good is None:
            served.append(document.manifest)
        elif ref not in done:
            served.append(good)
            if good != document.manifest:
                kept.append(ref)
        done.add(ref)
    plan = decision.plan
    if served != [document.manifest for document in gathered.documents]:
        plan = decide(read(served, rules), datetime.now(UTC))
    sound = {ref: m for m in served if (ref := config.ref(m)) not in bad or ref in memory.objects}
    return Step(
        decision=decision,
        plan=plan,
        memory=Memory(files=files, objects=sound),
        kept=tuple(kept),
        kept_files=tuple(p for p, documents in files.items() if p in memory.files and _kept(p, documents, gathered)),
    )


def _files(decision: Decision, bad: set[ObjectRef], memory: Memory) -> dict[Path, tuple[Document, ...]]:
    """The documents by file; a file with an object that cannot be told which it is counts as it was."""
    nameless = {ref for ref in bad if not ref.name or ref.kind not in {kind.value for kind in Kind}}
    unclear = {finding.place.path for finding in decision.errors if finding.object in nameless}
    return {
        path: memory.files.get(path, documents) if path in unclear else documents
        for path, documents in decision.gathered.files.items()
    }


def _kept(path: Path, documents: tuple[Document, ...], gathered: Gathered) -> bool:
    unreadable = any(f.object is None and f.place.path in (path, path.parent) for f in gathered.findings)
    return unreadable or documents != gathered.files[path]
