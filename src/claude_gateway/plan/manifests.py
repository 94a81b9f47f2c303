"""Reads manifests, from files or from an API server, into a World: mistakes become Problems."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from claude_gateway.api.base import Metadata, ModelPattern, Spec
from claude_gateway.api.budget import BudgetSpec
from claude_gateway.api.claude_credential import ClaudeCredentialSpec
from claude_gateway.api.gateway_client import GatewayClientSpec
from claude_gateway.api.model_route import ModelRouteSpec
from claude_gateway.names import API_VERSION, GROUP, LABEL_CREDENTIAL, Kind, Reason
from claude_gateway.plan import schema
from claude_gateway.plan.problem import ObjectRef, Problem, Severity, ordered
from claude_gateway.plan.secret import Secret, read_secret
from claude_gateway.plan.status.stored_status import read_status
from claude_gateway.plan.world import DEFAULT_NAMESPACE, Foreign, Item, Settings, World

_RESERVED_NAMESPACE: Final = "oidc"
"""LiteLLM reads ``oidc/...`` as a reference to a token, and routes are called ``<namespace>/<name>`` there."""
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SPECS: Final[Mapping[str, type[Spec]]] = {
    Kind.MODEL_ROUTE: ModelRouteSpec,
    Kind.CLAUDE_CREDENTIAL: ClaudeCredentialSpec,
    Kind.GATEWAY_CLIENT: GatewayClientSpec,
    Kind.BUDGET: BudgetSpec,
}
_TOP_LEVEL: Final = ("apiVersion", "kind", "metadata", "spec", "status")
_SECRET_TOP_LEVEL: Final = ("apiVersion", "kind", "metadata", "data", "stringData", "type", "immutable")
_METADATA: Final = (
    "name",
    "namespace",
    "labels",
    "annotations",
    "uid",
    "generation",
    "creationTimestamp",
    "resourceVersion",
    "managedFields",
    "ownerReferences",
    "finalizers",
    "generateName",
    "selfLink",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)
_PATTERN: Final[TypeAdapter[str]] = TypeAdapter(ModelPattern)


def read(manifests: Iterable[object], settings: Settings) -> World:
    """Parse manifests, from files or from an API server, into a World; never raises.

    Of two objects with the same kind, namespace and name the first is kept. Empty documents are skipped.
    """
    reader = _Reader(settings)
    for document, manifest in enumerate(manifests):
        if manifest is not None:
            reader.add(manifest, document)
    return reader.world()


class _Reader:
    """Collects the objects and Problems of one ``read``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seen: set[ObjectRef] = set()
        self._items: dict[str, list[Item[Any]]] = {kind: [] for kind in _SPECS}
        self._secrets: dict[ObjectRef, Secret] = {}
        self._problems: list[Problem] = []
        self._foreign: dict[ObjectRef, Foreign] = {}

    def world(self) -> World:
        items = {kind: tuple(sorted(found, key=lambda item: item.ref)) for kind, found in self._items.items()}
        return World(
            settings=self._settings,
            routes=items[Kind.MODEL_ROUTE],
            credentials=items[Kind.CLAUDE_CREDENTIAL],
            clients=items[Kind.GATEWAY_CLIENT],
            budgets=items[Kind.BUDGET],
            secrets=dict(sorted(self._secrets.items())),
            problems=ordered(self._problems),
            foreign=dict(sorted(self._foreign.items())),
        )

    def add(self, manifest: object, document: int) -> None:
        """Read one manifest; what cannot be read becomes a Problem."""
        if not isinstance(manifest, Mapping):
            nowhere = ObjectRef(kind="", namespace="", name="")
            self._problems.append(
                Problem(
                    object=nowhere,
                    field="kind",
                    reason=Reason.INVALID,
                    message="the document is not an object",
                    fix="Write an object with apiVersion, kind, metadata and spec.",
                    document=document,
                )
            )
            return
        ref = reference(manifest)
        unknown = _unknown_kind(manifest, ref, document, strict=self._settings.strict)
        if unknown is not None or not _is_ours(manifest):
            self._problems.extend([unknown] if unknown else [])
            return
        if self._settings.scope is not None and ref.namespace not in self._settings.scope:
            status = read_status(manifest)
            if status.of(self._settings.identity) is not None:
                self._foreign[ref] = Foreign(None, _generation(manifest), status)
            return
        named = _gateway(manifest)
        if named is not None and self._settings.release not in (None, named):
            self._foreign[ref] = Foreign(schema.shown(named), _generation(manifest), read_status(manifest))
            return
        metadata, problems = _metadata(manifest, ref, document)
        self._problems.extend(problems)
        if metadata is None:
            return
        if ref in self._seen:
            self._problems.append(_duplicate(ref, document))
            return
        self._seen.add(ref)
        self._read(manifest, ref, metadata)

    def _read(self, manifest: Mapping[Any, Any], ref: ObjectRef, metadata: Metadata) -> None:
        top_level = _SECRET_TOP_LEVEL if ref.kind == Kind.SECRET else _TOP_LEVEL
        if self._settings.strict:
            below = _fields(ref.kind)
            misplaced = [name for name in manifest if name in below and name not in top_level]
            self._problems.extend(_misplaced(ref, name) for name in misplaced)
            rest = {name: None for name in manifest if name not in misplaced}
            self._problems.extend(_unknown_fields(rest, ref, top_level, at=""))
            self._problems.extend(_unknown_fields(manifest["metadata"], ref, _METADATA, at="metadata."))
        if ref.kind == Kind.SECRET:
            labelled = metadata.labels.get(LABEL_CREDENTIAL) == "true"
            secret, problems = read_secret(manifest, ref, labelled=labelled)
            self._secrets[ref] = secret
            self._problems.extend(problems)
            return
        raw = manifest.get("spec")
        spec, problems = schema.parse(_SPECS[ref.kind], raw, ref=ref, strict=self._settings.strict)
        self._problems.extend(problems)
        self._items[ref.kind].append(
            Item(
                ref=ref,
                metadata=metadata,
                spec=spec,
                claims=_claims(raw) if ref.kind == Kind.MODEL_ROUTE else (),
                status=read_status(manifest),
            )
        )


def reference(manifest: Mapping[Any, Any]) -> ObjectRef:
    """Return the reference of a manifest as written; missing parts are empty, a missing namespace is ``default``."""
    metadata = manifest.get("metadata")
    names = metadata if isinstance(metadata, Mapping) else {}
    return ObjectRef(
        kind=_text(manifest.get("kind")),
        namespace=_text(names.get("namespace", DEFAULT_NAMESPACE)),
        name=_text(names.get("name")),
    )


def _gateway(manifest: Mapping[Any, Any]) -> str | None:
    """Return the release that an object is for, if it names one; works for invalid objects too."""
    spec = manifest.get("spec")
    named = spec.get("gatewayRef") if isinstance(spec, Mapping) else None
    name = named.get("name") if isinstance(named, Mapping) else None
    return name if isinstance(name, str) and name else None


def _generation(manifest: Mapping[Any, Any]) -> int:
    metadata = manifest.get("metadata")
    found = metadata.get("generation") if isinstance(metadata, Mapping) else None
    return found if isinstance(found, int) else 0


def _text(value: object) -> str:
    return schema.shown(value) if isinstance(value, str) else ""


def _is_ours(manifest: Mapping[Any, Any]) -> bool:
    written = (manifest.get("apiVersion"), manifest.get("kind"))
    return written == ("v1", Kind.SECRET) or (written[0] == API_VERSION and written[1] in list(_SPECS))


def _unknown_kind(manifest: Mapping[Any, Any], ref: ObjectRef, document: int, *, strict: bool) -> Problem | None:
    """Return the Problem of an unknown kind or apiVersion; None if it is known, or is to be ignored."""
    if _is_ours(manifest):
        return None
    version = _text(manifest.get("apiVersion"))
    group = version.partition("/")[0]
    located: Any = {"object": ref, "reason": Reason.UNKNOWN_KIND, "document": document}
    if (ref.kind in _SPECS and (group == GROUP or strict)) or (ref.kind == Kind.SECRET and strict):
        expected = "v1" if ref.kind == Kind.SECRET else API_VERSION
        message = f"{ref.kind} does not exist in apiVersion {version}" if version else "the apiVersion is missing"
        return Problem(field="apiVersion", message=message, fix=f"Write apiVersion: {expected}.", **located)
    if group == GROUP or (strict and not ref.kind):
        like = difflib.get_close_matches(ref.kind, list(_SPECS), n=1) or list(_SPECS)
        message = f"the kind {ref.kind!r} is not known" if ref.kind else "the kind is missing"
        return Problem(field="kind", message=message, fix=f"Did you mean {' or '.join(like)}?", **located)
    if strict:
        message = (
            f"{ref.kind} of {version or 'no group'!r} is not a kind that Claude Gateway reads, so it has no effect here"
        )
        fix = f"Remove it, or use one of {', '.join((*_SPECS, Kind.SECRET))}."
        return Problem(field="kind", message=message, fix=fix, severity=Severity.WARNING, **located)
    return None


def _metadata(manifest: Mapping[Any, Any], ref: ObjectRef, document: int) -> tuple[Metadata | None, list[Problem]]:
    """Read an object's metadata; returns None and the Problems if it is invalid."""
    raw = manifest.get("metadata")
    if isinstance(raw, Mapping):
        # kubectl writes `creationTimestamp: null`.
        raw = {name: value for name, value in raw.items() if value is not None}
    metadata, problems = schema.parse(Metadata, raw, ref=ref, strict=False, at="metadata", document=document)
    if metadata is None:
        return None, problems
    if not _NAMESPACE.fullmatch(metadata.namespace) or metadata.namespace == _RESERVED_NAMESPACE:
        fix = "Use at most 63 lower-case letters, digits and `-`."
        message = "a namespace of this name cannot be used"
        return None, [schema.invalid(ref, "metadata.namespace", message, fix, document=document)]
    if metadata.creation_timestamp.tzinfo is None:
        utc = metadata.creation_timestamp.replace(tzinfo=UTC)
        metadata = metadata.model_copy(update={"creation_timestamp": utc})
    return metadata, []


def _duplicate(ref: ObjectRef, document: int) -> Problem:
    return Problem(
        object=ref,
        field="metadata.name",
        reason=Reason.DUPLICATE_OBJECT,
        message=f"another {ref.kind} in namespace {ref.namespace} has the same name, and that one is used",
        fix="Rename or remove one of them.",
        document=document,
        other=ref,
    )


def _fields(kind: str) -> frozenset[str]:
    """Return the names of the fields of a kind's spec."""
    spec = _SPECS.get(kind)
    return frozenset() if spec is None else frozenset(i.alias or n for n, i in spec.model_fields.items())


def _misplaced(ref: ObjectRef, name: str) -> Problem:
    return schema.invalid(ref, name, f"`{name}` belongs below `spec`", f"Indent `{name}` so that it is below `spec`.")


def _unknown_fields(raw: Mapping[Any, Any], ref: ObjectRef, known: Sequence[str], *, at: str) -> list[Problem]:
    return [schema.unknown_field(ref, f"{at}{schema.shown(str(name))}", known) for name in raw if name not in known]


def _claims(spec: object) -> tuple[str, ...]:
    """Return the model names of a route as written, without invalid ones."""
    models = spec.get("models") if isinstance(spec, Mapping) else None
    return tuple(name for name in models if _is_pattern(name)) if isinstance(models, list | tuple) else ()


def _is_pattern(name: object) -> bool:
    try:
        _PATTERN.validate_python(name, strict=True)
    except ValidationError:
        return False
    return True
