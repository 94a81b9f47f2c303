"""``docs/reference/crds.md``: the objects that users write, from the models."""

from collections.abc import Iterator
from typing import Any

from tools.reference.markdown import block, code, page, table

from claude_gateway.api.crd import CATEGORY, crd_documents, dump
from claude_gateway.api.kinds import KINDS, ObjectKind
from claude_gateway.api.rule import VALIDATIONS
from claude_gateway.names import API_VERSION

INTRO = f"""\
What you write in YAML: for a cluster with `kubectl apply`, without one in the folder of `claude-gateway serve -f DIR`.
All have `apiVersion: {API_VERSION}` and live in a namespace; `kubectl get {CATEGORY}` lists them all. A field without
"required" may be left out. `claude-gateway lint -f DIR` checks the same rules as the API server, and more: whether
what an object names exists."""


def render() -> str:
    """The whole page."""
    schemas = {document["spec"]["names"]["kind"]: _spec(document) for document in crd_documents()}
    parts = [part for kind in KINDS for part in _kind(kind, schemas[kind.kind])]
    return page("ModelRoute, ClaudeCredential, GatewayClient, Budget", INTRO, parts, source="src/claude_gateway/api")


def _spec(document: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return schema


def _kind(kind: ObjectKind, schema: dict[str, Any]) -> Iterator[str]:
    yield f"## {kind.kind}"
    yield f"{kind.description} Short name: `{kind.short_name}`, so `kubectl get {kind.short_name}`."
    yield "The shortest, and one with everything:"
    yield block("---\n".join(dump(example) for example in kind.examples), "yaml")
    yield "### Fields"
    yield table(("Field", "Type", "Meaning"), _fields(schema, "spec"))
    yield "### Rules"
    rules = list(dict.fromkeys(_rules(schema, "spec")))
    yield table(("Field", "Refused with"), rules)
    yield "### What `kubectl get` shows"
    columns = [
        (c.name, code(c.path), c.description + (" Only with `-o wide`." if c.wide else "")) for c in kind.columns
    ]
    yield table(("Column", "Field", "Meaning"), columns)


def _fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, str, str]]:
    required = schema.get("required", [])
    for name, field in schema["properties"].items():
        at = f"{path}.{name}"
        kind = _type(field) + (", required" if name in required else "")
        yield code(at), kind, field["description"]
        inner = field.get("items", field)
        if "properties" in inner:
            yield from _fields(inner, at + ("[]" if "items" in field else ""))


def _type(field: dict[str, Any]) -> str:
    if "enum" in field:
        return " or ".join(code(value) for value in field["enum"])
    match field["type"]:
        case "array":
            return f"list ({field['minItems']} to {field['maxItems']}) of {_type(field['items'])}"
        case "integer" | "number":
            return f"{field['type']}, {field['minimum']} to {field['maximum']}"
        case "string":
            return f"text, {field['minLength']} to {field['maxLength']} characters"
        case kind:
            return str(kind)


def _rules(schema: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    yield from ((code(path), rule["message"]) for rule in schema.get(VALIDATIONS, []))
    if schema.get("x-kubernetes-list-type") == "set":
        yield code(path), "an item that is listed twice"
    if "items" in schema:
        yield from _rules(schema["items"], f"{path}[]")
    for name, field in schema.get("properties", {}).items():
        yield from _rules(field, f"{path}.{name}")
