"""Turns validation errors of a model into Problems: with the user's own field path, and never with a value."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from claude_gateway.api.base import DNS_SUBDOMAIN, is_duration
from claude_gateway.api.rule import ERROR_TYPE
from claude_gateway.names import Reason
from claude_gateway.plan.problem import ObjectRef, Problem

ModelT = TypeVar("ModelT", bound=BaseModel)

_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_SECONDS: Final = re.compile(r"[1-9][0-9]{0,4}")
_PRINTABLE: Final = re.compile(r"[ -~]{0,253}")
_SUBJECT: Final = re.compile(r"^(Input|String|Tuple|List|Dictionary|Value|Datetime) should")
_NAME: Final = "Use lower-case letters, digits, `-` and `.`, with a letter or a digit at both ends."
_FORMS: Final = {
    "string_type": "Write text, in quotes.",
    "tuple_type": "Write a list, with `- ` before each entry.",
    "int_type": "Write a whole number, without quotes.",
}
"""How to write values, by the type of pydantic's error."""
_PLAIN: Final = (
    (re.compile(r" after validation"), ""),
    (re.compile(r"a valid dictionary( or .*)?$"), "an object"),
    (re.compile(r"a valid (tuple|list)"), "a list"),
    (re.compile(r"a valid string"), "text"),
)


def parse(
    model: type[ModelT], raw: object, *, ref: ObjectRef, strict: bool, at: str = "spec", document: int | None = None
) -> tuple[ModelT | None, list[Problem]]:
    """Validate one part of a manifest; returns None and at least one Problem if it is invalid.

    ``at`` is the path of the part. Unknown fields are Problems if ``strict``, otherwise they are dropped.
    """
    if not isinstance(raw, Mapping):
        message = f"`{at}` is missing" if raw is None else f"`{at}` must be an object"
        return None, [invalid(ref, at, message, f"Write `{at}` with its fields below it.", document=document)]
    try:
        return model.model_validate(raw), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    unknown = [detail["loc"] for detail in details if detail["type"] == "extra_forbidden"]
    if unknown and not strict:
        return parse(model, _without(raw, unknown), ref=ref, strict=True, at=at, document=document)
    units = [_unit(model, detail["loc"], raw) for detail in details]
    return None, [
        _problem(model, *pair, ref=ref, at=at, document=document) for pair in zip(details, units, strict=True)
    ]


def invalid(ref: ObjectRef, field: str, message: str, fix: str, *, document: int | None = None) -> Problem:
    """Return the Problem for a field that violates its schema."""
    return Problem(object=ref, field=field, reason=Reason.INVALID, message=message, fix=fix, document=document)


def unknown_field(ref: ObjectRef, field: str, known: Sequence[str], *, document: int | None = None) -> Problem:
    """Return the Problem for an unknown field, with the most similar known one as the fix."""
    name = field.rpartition(".")[2]
    plain = name.replace("_", "").replace("-", "").lower()
    like = [each for each in known if each.lower() == plain] or difflib.get_close_matches(name, known, n=1)
    fix = f"Did you mean `{like[0]}`?" if like else f"Known fields: {', '.join(known)}."
    return invalid(ref, field, f"`{shown(name)}` is not a known field", fix, document=document)


def shown(text: str) -> str:
    """Return a text as a message may quote it: printable ASCII of at most 253 characters, otherwise a placeholder."""
    return text if _PRINTABLE.fullmatch(text) else "(unprintable)"


def path(at: str, loc: Sequence[int | str]) -> str:
    """Format a location as users write it: ``spec.targets[0].model``; it ends before a key that is not a word."""
    written = at
    for part in loc:
        if isinstance(part, int):
            written += f"[{part}]"
        elif _WORD.fullmatch(part):
            written += f".{part}"
        else:
            break
    return written


def _unit(model: type[BaseModel], loc: Sequence[int | str], raw: object) -> str | None:
    """Return how to write a number that is to be a duration; None for everything else."""
    known = _field(model, loc)
    if known is None or not is_duration(known):
        return None
    for part in loc:
        raw = raw[part] if isinstance(raw, Mapping) and part in raw else None
    number = str(raw) if isinstance(raw, int | str) and not isinstance(raw, bool) else ""
    return f"Write `{number}s` for {number} seconds." if _SECONDS.fullmatch(number) else None


def _problem(
    model: type[BaseModel], detail: ErrorDetails, unit: str | None, *, ref: ObjectRef, at: str, document: int | None
) -> Problem:
    loc = detail["loc"]
    field = path(at, loc)
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown_field(ref, field, _known(model, loc[:-1]), document=document)
    if unit is not None:
        return invalid(ref, field, "the duration has no unit", unit, document=document)
    if kind == ERROR_TYPE:
        return invalid(ref, field, context["wrong"], f"{_capital(context['fix'])}.", document=document)
    known = _field(model, loc)
    about = known.description if known is not None and known.description else None
    if kind == "missing":
        name = shown(str(loc[-1]))
        fix = f"Add `{name}`: {about}" if about else f"Add `{name}`."
        return invalid(ref, field, f"`{name}` is missing", fix, document=document)
    if context.get("pattern") == DNS_SUBDOMAIN:
        return invalid(ref, field, "not a name that Kubernetes accepts", _NAME, document=document)
    unnamed = "" if not loc or field.endswith((str(loc[-1]), "]")) else f"`{shown(str(loc[-1]))}` "
    fix = _form(kind, _known(model, loc) if kind == "model_type" else ())
    fix = " ".join(filter(None, (fix, about))) or "Correct the value."
    return invalid(ref, field, unnamed + _plain(detail["msg"]), fix, document=document)


def _form(kind: str, known: Sequence[str]) -> str:
    """Return how to write a value of the right type; empty where its description says so."""
    if kind == "model_type":
        return f"Write its fields below it: {', '.join(known)}."
    return _FORMS.get(kind, "")


def _plain(message: str) -> str:
    """Rewrite a validator's message for users; it never quotes the input."""
    message = _SUBJECT.sub("must", message)
    for theirs, ours in _PLAIN:
        message = theirs.sub(ours, message)
    return message


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _without(raw: Mapping[Any, Any], locs: Sequence[tuple[int | str, ...]]) -> dict[Any, Any]:
    """Return a tree without the given keys; only the nodes on the paths to them are copied."""
    copy: Any = dict(raw)
    for loc in locs:
        node = copy
        for part in loc[:-1]:
            child = node[part]
            node[part] = dict(child) if isinstance(child, Mapping) else list(child)
            node = node[part]
        node.pop(loc[-1], None)
    return dict(copy)


def _field(model: type[BaseModel], loc: Sequence[int | str]) -> FieldInfo | None:
    """Return the innermost field of a location."""
    found: FieldInfo | None = None
    here: type[BaseModel] | None = model
    for part in loc:
        if isinstance(part, int):
            continue
        match = _by_alias(here).get(part) if here is not None else None
        if match is None:
            return found
        found = match
        here = next(_models(match.annotation), None)
    return found


def _known(model: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    """Return the names of the fields that an object at a location can have."""
    parent = _field(model, loc)
    return list(_by_alias(next(_models(parent.annotation)) if parent is not None else model))


def _by_alias(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models within an annotation such as ``tuple[RouteTarget, ...] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
