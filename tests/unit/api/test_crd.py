"""The CRDs: valid for an API server and described field by field, and the committed files are current."""

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any, get_args

import pytest
import yaml
from pydantic_core import PydanticUndefined
from tests.support.builders.structural import violations

from claude_gateway.api.base import Spec
from claude_gateway.api.crd import crd_documents, crd_yaml
from claude_gateway.api.kinds import KINDS, ObjectKind
from claude_gateway.names import GROUP, ConditionType

DOCUMENTS = {document["spec"]["names"]["plural"]: document for document in crd_documents()}


def schemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema and all in it."""
    yield schema
    for part in (*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])):
        yield from schemas(part)


def root(plural: str) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENTS[plural]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return found


@pytest.mark.parametrize("plural", DOCUMENTS)
def test_an_api_server_would_take_the_crd(plural: str) -> None:
    assert violations(DOCUMENTS[plural]) == []


@pytest.mark.parametrize("plural", DOCUMENTS)
def test_only_the_status_has_a_default_and_it_claims_nothing(plural: str) -> None:
    defaults = [schema["default"] for schema in schemas(root(plural)) if "default" in schema]
    assert defaults == [root(plural)["properties"]["status"]["default"]]
    conditions = defaults[0]["conditions"]
    later = {
        ConditionType.WARNINGS,
        ConditionType.VALID,
        ConditionType.EXPIRING_SOON,
        ConditionType.TARGETS_EJECTED,
        ConditionType.SPENT,
        ConditionType.SUSPENDED,
    }
    assert {condition["type"] for condition in conditions} == set(ConditionType) - later
    assert {(condition["status"], condition["observedGeneration"]) for condition in conditions} == {("Unknown", 0)}
    assert defaults[0]["observedGeneration"] == 0, "generations begin with 1"


def models(model: type[Spec]) -> Iterator[type[Spec]]:
    """A model and all in it."""
    yield model
    for field in model.model_fields.values():
        for part in parts(field.annotation):
            if isinstance(part, type) and issubclass(part, Spec):
                yield from models(part)


def parts(annotation: object) -> Iterator[object]:
    """An annotation and all in it, such as the model in an optional list of models."""
    yield annotation
    for argument in get_args(annotation):
        yield from parts(argument)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_every_default_is_printed_in_the_description(kind: ObjectKind) -> None:
    for model in models(kind.spec):
        for name, field in model.model_fields.items():
            default = field.get_default()
            if isinstance(default, Spec) or default in (None, PydanticUndefined):
                continue
            text = default[0] if isinstance(default, tuple) else default
            assert f"Default: `{text}`" in (field.description or ""), f"{model.__name__}.{name}"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_examples_are_valid_and_show_every_field(kind: ObjectKind) -> None:
    shown: set[str] = set()
    for example in kind.examples:
        assert example["kind"] == kind.kind
        kind.spec.model_validate(example["spec"])
        shown |= set(_keys(example["spec"]))
    known = {field.alias for model in models(kind.spec) for field in model.model_fields.values()}
    assert shown == known


def _keys(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield key
            yield from _keys(part)
    elif isinstance(value, list):
        for part in value:
            yield from _keys(part)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_columns_show_fields_that_exist(kind: ObjectKind) -> None:
    for column in kind.columns:
        if column.path == ".metadata.creationTimestamp":
            continue
        parts = [root(kind.plural)]
        for step in re.findall(r"[^.\[\]]+|\[[^]]+\]", column.path):
            parts = [found for part in parts for found in fields(part, step)]
        assert parts
        assert all(part["type"] in ("string", "array", "integer") for part in parts)


def fields(part: dict[str, Any], step: str) -> list[dict[str, Any]]:
    """The schemas that one step of a JSONPath leads to: a name, ``*``, names in brackets, or items of a list."""
    if step.startswith(("[?", "[0")):
        return [part["items"]]
    known = part.get("properties", {})
    names = re.findall(r"'(\w+)'", step) or (list(known) if step == "*" else [step])
    return [known[name] for name in names if name in known]


def test_kubectl_finds_the_kinds_by_their_names() -> None:
    names = {plural: document["spec"]["names"] for plural, document in DOCUMENTS.items()}
    assert {plural: name["shortNames"] for plural, name in names.items()} == {
        "modelroutes": ["mr"],
        "claudecredentials": ["ccred"],
        "gatewayclients": ["gwc"],
        "budgets": ["bud"],
    }
    assert all(name["categories"] == ["claude-gateway"] for name in names.values())
    assert all(document["metadata"]["name"] == f"{plural}.{GROUP}" for plural, document in DOCUMENTS.items())
    assert all(document["spec"]["scope"] == "Namespaced" for document in DOCUMENTS.values())
    assert all(document["spec"]["versions"][0]["subresources"] == {"status": {}} for document in DOCUMENTS.values())


def test_base_urls_are_named_as_in_kubernetes() -> None:
    assert "baseURL" in root("modelroutes")["properties"]["spec"]["properties"]["targets"]["items"]["properties"]
    assert "baseURL" in root("claudecredentials")["properties"]["spec"]["properties"]["apiKey"]["properties"]


def test_the_yaml_says_what_the_documents_say_and_that_it_is_generated() -> None:
    texts = crd_yaml()
    assert set(texts) == {"modelroutes.yaml", "claudecredentials.yaml", "gatewayclients.yaml", "budgets.yaml"}
    assert [yaml.safe_load(text) for text in texts.values()] == crd_documents()
    for text in texts.values():
        assert text.startswith("# Generated by tools/generate.py")
        assert "&id" not in text


def spoil(*path: str | int, **changes: Any) -> Callable[[dict[str, Any]], None]:
    """A change of the schema at this path; a value of None removes the keyword."""

    def change(crd: dict[str, Any]) -> None:
        part: Any = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
        for step in path:
            part = part[step]
        for key, value in changes.items():
            part.pop(key.replace("__", "-"), None)
            if value is not None:
                part[key.replace("__", "-")] = value

    return change


SPEC = ("spec", "properties")
TARGETS = (*SPEC, "targets")
CONDITIONS = ("status", "properties", "conditions")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (spoil(*SPEC, "displayName", type=None), "has no type"),
        (spoil(*SPEC, "displayName", description=None), "is not described"),
        (spoil(*SPEC, "displayName", maxLength=None), "without `maxLength`"),
        (spoil(*SPEC, "displayName", default="x"), "`default` has no place"),
        (spoil(*SPEC, "displayName", title="x"), "`title` has no place"),
        (spoil(*SPEC, "displayName", anyOf=[]), "`anyOf` has no place"),
        (spoil(*SPEC, "displayName", format="email"), "format `email`"),
        (spoil(*SPEC, "displayName", pattern="^(?=a).*$"), "RE2 or ECMA"),
        (spoil(*SPEC, "displayName", pattern="a"), "does not cover the whole string"),
        (spoil(*SPEC, "timeouts", additionalProperties=False), "both `properties`"),
        (spoil(*SPEC, "timeouts", required=["none"]), "requires `none`"),
        (spoil(*TARGETS, maxItems=None), "without `maxItems`"),
        (spoil(*TARGETS, minLength=1), "`minLength` has no place"),
        (spoil(*TARGETS, **{"x-kubernetes-list-type": "set"}), "set of what is not a scalar"),
        (spoil(*TARGETS, **{"x-kubernetes-list-type": "bag"}), "is not known"),
        (spoil(*TARGETS, "items", "properties", "weight", exclusiveMinimum=0), "is not a boolean"),
        (spoil(*TARGETS, "items", **{"x-kubernetes-validations": [{"rule": "self.x"}]}), "no message"),
        (spoil(*TARGETS, "items", **{"x-kubernetes-validations": [{"message": "m"}]}), "does not look at"),
        (spoil(*TARGETS, "items", **{"x-kubernetes-validations": [{"rule": "self", "message": "m", "x": 1}]}), "a key"),
        (spoil(*CONDITIONS, **{"x-kubernetes-list-map-keys": ["name"]}), "without required keys"),
        (spoil(*CONDITIONS, **{"x-kubernetes-list-type": None}), "but is not a list map"),
        (spoil("metadata", properties={}), "may only say"),
    ],
)
def test_the_linter_sees_what_an_api_server_would_refuse(
    change: Callable[[dict[str, Any]], None], complaint: str
) -> None:
    crd = copy.deepcopy(DOCUMENTS["modelroutes"])
    change(crd)
    assert any(complaint in found for found in violations(crd)), violations(crd)
