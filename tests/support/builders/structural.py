"""The rules of an API server for CRDs, and our own additional ones, checked without an API server.

From the rules for structural schemas: a type everywhere; nothing but value checks inside ``anyOf`` and the like; no
``$ref``; only known extensions; list maps with required scalar keys. Ours besides: every field described, every
string, list and map bounded (the cost of CEL rules is estimated from the bounds), no default but that of the status, a
message on each rule.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

TYPES: Final = {"object", "array", "string", "integer", "number", "boolean"}
BY_TYPE: Final = {
    "object": {"properties", "required", "additionalProperties", "minProperties", "maxProperties"},
    "array": {"items", "minItems", "maxItems", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"},
    "string": {"minLength", "maxLength", "pattern", "enum", "format"},
    "integer": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum", "format", "multipleOf"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum", "format", "multipleOf"},
    "boolean": {"enum"},
}
EVERYWHERE: Final = {"type", "description", "nullable", "x-kubernetes-validations"}
EXTENSIONS: Final = {"x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields"}
FORMATS: Final = {"int32", "int64", "date-time", "float", "double"}
LIST_TYPES: Final = {"atomic", "set", "map"}
COLUMN: Final = re.compile(
    r"(\.(\*|[A-Za-z]+)(\[[0-9]+\]|\[\?\(@\.type==\"[A-Za-z]+\"\)\]|\['[A-Za-z]+'(,'[A-Za-z]+')*\])*)+"
)
MATCHES: Final = re.compile(r"self\.matches\(r'([^']*)'\)")
NOT_ECMA_AND_RE2: Final = re.compile(r"\(\?|\\[0-9AbBdDGkpPsSwWzZ]|\[\[:|\*\+|\+\+|\?\+")
"""Syntax that RE2, ECMA 262 and Python read in different ways, or not at all."""


def violations(crd: dict[str, Any]) -> list[str]:
    """Return what is wrong with a CRD; empty if nothing is."""
    found: list[str] = []
    spec, names = crd["spec"], crd["spec"]["names"]
    if crd["metadata"]["name"] != f"{names['plural']}.{spec['group']}":
        found.append("metadata.name: is not <plural>.<group>")
    if sum(version["storage"] for version in spec["versions"]) != 1:
        found.append("spec.versions: not exactly one is stored")
    for version in spec["versions"]:
        schema = version["schema"]["openAPIV3Schema"]
        found += _root(schema)
        found += [
            f"column {column['name']}: is not a simple path"
            for column in version.get("additionalPrinterColumns", [])
            if not COLUMN.fullmatch(column["jsonPath"])
        ]
    return found


def _root(schema: dict[str, Any]) -> Iterator[str]:
    if schema.get("type") != "object":
        yield "root: is not an object"
    if schema["properties"].get("metadata") != {"type": "object"}:
        yield "root.metadata: may only say that it is an object"
    status = {name: value for name, value in schema["properties"].get("status", {}).items() if name != "default"}
    for part, fields in (("spec", schema["properties"].get("spec", {})), ("status", status)):
        yield from _schema(fields, part, described=True)


def _schema(schema: dict[str, Any], path: str, *, described: bool) -> Iterator[str]:
    kind = schema.get("type")
    if kind not in TYPES:
        yield f"{path}: has no type"
        return
    for keyword in sorted(set(schema) - EVERYWHERE - BY_TYPE[kind] - EXTENSIONS):
        yield f"{path}: `{keyword}` has no place in a structural {kind}"
    if described and not str(schema.get("description", "")).strip():
        yield f"{path}: is not described"
    if schema.get("format", "int64") not in FORMATS:
        yield f"{path}: format `{schema['format']}` is not known"
    for bound in ("exclusiveMinimum", "exclusiveMaximum"):
        if not isinstance(schema.get(bound, False), bool):
            yield f"{path}: `{bound}` is not a boolean"
    yield from _rules(schema, path)
    yield from {"object": _object, "array": _array, "string": _string}.get(kind, _nothing)(schema, path)


def _nothing(schema: dict[str, Any], path: str) -> Iterator[str]:
    return iter(())


def _rules(schema: dict[str, Any], path: str) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", []):
        if set(rule) - {"rule", "message", "messageExpression", "reason", "fieldPath", "optionalOldSelf"}:
            yield f"{path}: a rule has a key that is not known"
        if not rule.get("message", "").strip() or "\n" in rule["message"] or len(rule["message"]) > 2048:
            yield f"{path}: a rule has no message of one line"
        if "self" not in rule.get("rule", ""):
            yield f"{path}: a rule does not look at the value"
        for pattern in MATCHES.findall(rule.get("rule", "")):
            yield from _pattern(pattern, path)


def _object(schema: dict[str, Any], path: str) -> Iterator[str]:
    fields = schema.get("properties", {})
    if "additionalProperties" in schema:
        if fields:
            yield f"{path}: has both `properties` and `additionalProperties`"
        if "maxProperties" not in schema:
            yield f"{path}: is a map without `maxProperties`"
        if isinstance(schema["additionalProperties"], dict):
            yield from _schema(schema["additionalProperties"], f"{path}.*", described=False)
        else:
            yield f"{path}: `additionalProperties` is not a schema"
    for name in schema.get("required", []):
        if name not in fields:
            yield f"{path}: requires `{name}`, which it does not have"
    for name, field in fields.items():
        yield from _schema(field, f"{path}.{name}", described=True)


def _array(schema: dict[str, Any], path: str) -> Iterator[str]:
    items = schema.get("items", {})
    if "maxItems" not in schema:
        yield f"{path}: is a list without `maxItems`"
    if schema.get("x-kubernetes-list-type", "atomic") not in LIST_TYPES:
        yield f"{path}: `x-kubernetes-list-type` is not known"
    if schema.get("x-kubernetes-list-type") == "set" and items.get("type") in ("object", "array"):
        yield f"{path}: is a set of what is not a scalar"
    if schema.get("x-kubernetes-list-type") == "map":
        keys = schema.get("x-kubernetes-list-map-keys", [])
        if not keys or set(keys) - set(items.get("required", [])):
            yield f"{path}: is a list map without required keys"
    elif "x-kubernetes-list-map-keys" in schema:
        yield f"{path}: has map keys but is not a list map"
    yield from _schema(items, f"{path}[]", described=items.get("type") == "object")


def _string(schema: dict[str, Any], path: str) -> Iterator[str]:
    if "maxLength" not in schema and "enum" not in schema:
        yield f"{path}: is a string without `maxLength`"
    yield from _pattern(schema.get("pattern", "^$"), path)


def _pattern(pattern: str, path: str) -> Iterator[str]:
    if not (pattern.startswith("^") and pattern.endswith("$")):
        yield f"{path}: the pattern does not cover the whole string"
    if NOT_ECMA_AND_RE2.search(pattern):
        yield f"{path}: the pattern uses what RE2 or ECMA 262 do not have"
