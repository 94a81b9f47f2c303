"""Loads configuration files: reads them, fills in variables, decides, and locates every Problem."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import envfile, findings, manifests, mistakes
from claude_gateway.cli.files.findings import Finding
from claude_gateway.cli.files.manifests import Document, Place, UnreadableFileError
from claude_gateway.contract.policy import Egress
from claude_gateway.names import FORWARD_HOST, Kind, Reason
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.problem import ObjectRef, Problem, Severity
from claude_gateway.plan.world import Settings

_DEFAULT_NAMESPACE: Final = "default"
_STAND_IN: Final = "variable-{}-is-not-set"


@dataclass(frozen=True, slots=True)
class Gathered:
    """The objects of all files with variables filled in, and the findings about files and variables."""

    files: Mapping[Path, tuple[Document, ...]] = field(repr=False)
    findings: tuple[Finding, ...] = ()

    @property
    def documents(self) -> tuple[Document, ...]:
        """All objects, in the order of the files."""
        return tuple(document for documents in self.files.values() for document in documents)


CLAUDE_CODE_URL: Final = "http://localhost:4100"
"""Where files are assumed to be served by a Claude Code backend; ``localhost`` is the one loopback name it allows."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The Plan for files; ``findings`` are all mistakes, in the order of the files."""

    gathered: Gathered = field(repr=False)
    plan: Plan
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that are errors, not warnings."""
        return tuple(finding for finding in self.findings if finding.is_error)


def settings(
    *,
    loopback: bool = True,
    allow_hosts: Sequence[str] = (),
    forward_to: Sequence[str] = (FORWARD_HOST,),
    claude_code_url: str = CLAUDE_CODE_URL,
    claude_code_key: bytes = b"",
    client_certificates: bool = False,
) -> Settings:
    """Return how to read files: strictly, and by default with targets on this machine and a Claude Code backend."""
    return Settings(
        egress=Egress(loopback=loopback, hosts=tuple(allow_hosts)),
        forward_hosts=tuple(forward_to),
        strict=True,
        claude_code_url=claude_code_url,
        claude_code_key=claude_code_key,
        client_certificates=client_certificates,
    )


def gather(
    sources: Sequence[Path], variables: Mapping[str, str], *, before: Mapping[Path, tuple[Document, ...]] | None = None
) -> Gathered:
    """Read all files. An unreadable file or folder is a finding, and keeps its content from ``before``."""
    found: dict[Path, tuple[Document, ...]] = {}
    problems: list[Finding] = []
    for source in sources:
        try:
            paths = manifests.files(source)
        except OSError as error:
            gone = UnreadableFileError(Place(source), f"cannot be read: {error.strerror}", fix="Check the path.")
            problems.append(findings.of_file(gone))
            found.update({path: was for path, was in (before or {}).items() if source in (path, path.parent)})
            continue
        problems.extend(findings.of_passed_over(path, why) for path, why in manifests.passed_over(source))
        for path in paths:
            if path in found:
                continue
            try:
                documents = manifests.read(path)
            except UnreadableFileError as error:
                problems.append(findings.of_file(error))
                found[path] = (before or {}).get(path, ())
                continue
            if not documents:
                problems.append(findings.of_passed_over(path, "the file holds no object"))
            elif path != source and manifests.other_json(path, documents):
                problems.append(findings.of_passed_over(path, "it has no `kind`, so it is taken for another program's"))
                documents = []
            filled = [_fill(document, variables) for document in documents]
            found[path] = tuple(document for document, _ in filled)
            problems.extend(finding for _, unset in filled for finding in unset)
    return Gathered(files=found, findings=tuple(problems))


def gathered(documents: Sequence[Document], variables: Mapping[str, str]) -> Gathered:
    """Return objects that are not in files, with variables filled in."""
    filled = [_fill(document, variables) for document in documents]
    found = {document.path: tuple(each for each, _ in filled) for document in documents}
    return Gathered(files=found, findings=tuple(finding for _, unset in filled for finding in unset))


def decide_on(gathered: Gathered, *, rules: Settings) -> Decision:
    """Decide, and locate every Problem in the files."""
    documents = gathered.documents
    now = datetime.now(UTC)
    plan = decide(read((document.manifest for document in documents), rules), now)
    checked = plan
    if any(document.checked is not None for document in documents):
        checked = decide(read((document.checked or document.manifest for document in documents), rules), now)
    index = _index(documents)
    problems = [_finding(problem, documents, index) for problem in checked.problems]
    problems += [finding for document in documents for finding in _secret_findings(document)]
    order = {path: position for position, path in enumerate(gathered.files)}
    everything = sorted(
        (*gathered.findings, *problems),
        key=lambda f: (order.get(f.place.path, -1), f.place.line, f.place.column, f.reason, f.message),
    )
    return Decision(gathered=gathered, plan=plan, findings=tuple(everything))


def load(sources: Sequence[Path], variables: Mapping[str, str], *, rules: Settings | None = None) -> Decision:
    """Read and decide once. Raises Trouble if there are no files."""
    gathered = gather(sources, variables)
    if not gathered.files and not gathered.findings:
        where = ", ".join(str(source) for source in sources)
        raise Trouble(f"no YAML or JSON files in {where}", fix=manifests.WANTED)
    return decide_on(gathered, rules=rules or settings())


def ref(manifest: Mapping[str, Any]) -> ObjectRef:
    """Return the reference of a manifest; missing parts are empty."""
    metadata = manifest.get("metadata")
    names = metadata if isinstance(metadata, dict) else {}
    namespace = names.get("namespace", _DEFAULT_NAMESPACE)
    return ObjectRef(kind=_text(manifest.get("kind")), namespace=_text(namespace), name=_text(names.get("name")))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _fill(document: Document, variables: Mapping[str, str]) -> tuple[Document, list[Finding]]:
    """Fill variables into a Secret's ``stringData``; a value whose variable is not set is dropped."""
    data = document.manifest.get("stringData")
    if document.manifest.get("kind") != Kind.SECRET or not isinstance(data, dict):
        return document, []
    filled: dict[Any, Any] = {}
    stand_ins: dict[Any, Any] = {}
    unset: list[Finding] = []
    for key, value in data.items():
        name = envfile.reference(value) if isinstance(value, str) else None
        if name is None:
            filled[key] = value
        elif variables.get(name):
            filled[key] = variables[name]
        else:
            stand_ins[key] = _STAND_IN.format(name)
            unset.append(_unset(document, str(key), name))
    manifest = {**document.manifest, "stringData": filled}
    checked = {**manifest, "stringData": {**filled, **stand_ins}} if unset else None
    return replace(document, manifest=manifest, checked=checked), unset


def _secret_findings(document: Document) -> Iterator[Finding]:
    """Warn of values in a Secret that are probably no keys."""
    if document.manifest.get("kind") != Kind.SECRET:
        return
    for part in ("stringData", "data"):
        values = document.manifest.get(part)
        for key, value in values.items() if isinstance(values, dict) else ():
            known = mistakes.of_secret_value(value, encoded=part == "data") if isinstance(value, str) else None
            if known is None:
                continue
            at = f"{part}.{key}"
            yield Finding(
                place=document.place(at),
                severity=Severity.WARNING,
                object=ref(document.manifest),
                field=at,
                reason=Reason.SECRET_VALUE_INVALID.value,
                message=known[0],
                fix=known[1],
            )


def _unset(document: Document, key: str, name: str) -> Finding:
    path = f"stringData.{key}"
    return Finding(
        place=document.place(path),
        severity=Severity.ERROR,
        object=ref(document.manifest),
        field=path,
        reason=findings.VARIABLE_NOT_SET,
        message=f"the environment variable {name} is not set",
        fix=f"Run `export {name}=...` first, or put {name}=... in a file and pass it with --env-file.",
    )


def _index(documents: Iterable[Document]) -> dict[ObjectRef, Document]:
    found: dict[ObjectRef, Document] = {}
    for document in documents:
        found.setdefault(ref(document.manifest), document)
    return found


def _finding(problem: Problem, documents: Sequence[Document], index: Mapping[ObjectRef, Document]) -> Finding:
    document = documents[problem.document] if problem.document is not None else index.get(problem.object)
    if document is None:
        # The Problem is about everything together, such as a bundle that is too large.
        path = documents[0].path if documents else Path()
        place = Place(path)
    else:
        place = document.place(problem.field)
    return Finding(
        place=place,
        severity=problem.severity,
        object=problem.object,
        field=problem.field,
        reason=problem.reason.value,
        message=problem.message + _elsewhere(problem, place, index),
        fix=problem.fix,
    )


def _elsewhere(problem: Problem, place: Place, index: Mapping[ObjectRef, Document]) -> str:
    """Say where the other object of a conflict is."""
    other = None if problem.other is None else index.get(problem.other)
    if other is None:
        return ""
    found = other.place("metadata.name")
    return f" (line {found.line})" if found.path == place.path else f" ({found})"
