"""Converts pydantic's JSON schema to the structural schema that an API server accepts.

Keywords that an API server rejects are rewritten (references, ``anyOf`` with null, ``const``, exclusive bounds, sets)
or dropped (titles and defaults). Defaults are stated in descriptions instead, because a value that the API server
injects would be a permanent difference for GitOps tools. A model without a structural form is a bug, and raises
``NotStructural`` when the CRDs are generated.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from claude_gateway.api.rule import VALIDATIONS

JsonSchema = dict[str, Any]

KEPT: Final = frozenset(
    {
        *("type", "format", "description", "enum", "pattern", "nullable", "required", VALIDATIONS),
        *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minimum", "maximum"),
    }
)
DROPPED: Final = frozenset({"title", "default", "$defs", "examples"})
_ORDER: Final = {"type": -2, "description": -1, VALIDATIONS: 1, "required": 2, "properties": 3, "items": 3}
"""Keywords to write first or last, for readability; the others keep their order."""
_UNION: Final = frozenset({"oneOf", "discriminator"})
_VARIANTS: Final = "write one optional field per variant and a rule that exactly one is set"


class NotStructural(Exception):  # noqa: N818 - names the finding
    """A model has no structural schema; the message says where, and what to write instead."""


def structural(model: type[BaseModel]) -> JsonSchema:
    """Return the structural schema of a model; raises NotStructural."""
    schema = model.model_json_schema(mode="validation", by_alias=True)
    return _convert(schema, defs=schema.get("$defs", {}), path=model.__name__)


def _convert(schema: JsonSchema, *, defs: Mapping[str, JsonSchema], path: str) -> JsonSchema:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name not in defs:
            raise NotStructural(f"{path}: {name} contains itself; a structural schema cannot be recursive")
        # A field's own description takes precedence over that of the model it refers to.
        schema = {**defs[name], **{key: value for key, value in schema.items() if key != "$ref"}}
        return _convert(schema, defs={key: value for key, value in defs.items() if key != name}, path=path)
    if "anyOf" in schema:
        outer = {key: value for key, value in schema.items() if key != "anyOf"}
        return _alternatives(schema["anyOf"], outer=outer, defs=defs, path=path)
    converted: JsonSchema = {}
    for key, value in sorted(schema.items(), key=lambda item: _ORDER.get(item[0], 0)):
        converted.update(_keyword(key, value, defs=defs, path=path))
    return converted


def _alternatives(
    options: list[JsonSchema], *, outer: JsonSchema, defs: Mapping[str, JsonSchema], path: str
) -> JsonSchema:
    """Convert ``anyOf``: with null it is an optional field; "integer or string" has its own keyword."""
    real = [option for option in options if option.get("type") != "null"]
    if len(real) == 1:
        return _convert({**real[0], **outer}, defs=defs, path=path)
    if sorted(str(option.get("type")) for option in real) == ["integer", "string"]:
        return {**_convert(outer, defs=defs, path=path), "x-kubernetes-int-or-string": True}
    raise NotStructural(f"{path}: a union has no structural form; {_VARIANTS}")


def _keyword(key: str, value: Any, *, defs: Mapping[str, JsonSchema], path: str) -> JsonSchema:
    """Convert one keyword into zero, one or two structural keywords."""
    match key, value:
        case "properties", _:
            fields = {name: _convert(field, defs=defs, path=f"{path}.{name}") for name, field in value.items()}
            return {"properties": fields}
        case "items", _:
            return {"items": _convert(value, defs=defs, path=f"{path}[]")}
        case "additionalProperties", False:
            return {}
        case "additionalProperties", True:
            return {"x-kubernetes-preserve-unknown-fields": True}
        case "additionalProperties", _:
            return {"additionalProperties": _convert(value, defs=defs, path=f"{path}.*")}
        case "const", _:
            return {"enum": [value]}
        case (("exclusiveMinimum" | "exclusiveMaximum"), _):
            return {key.removeprefix("exclusive").lower(): value, key: True}
        case "uniqueItems", True:
            return {"x-kubernetes-list-type": "set"}
        case _ if key in KEPT:
            return {key: value}
        case _ if key in DROPPED:
            return {}
    raise NotStructural(f"{path}: `{key}` has no structural form; {_VARIANTS if key in _UNION else 'remove it'}")
