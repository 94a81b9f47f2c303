"""Changes to the real CRDs, one by one: what breaks stored objects is found, and what only adds is not."""

import copy
from collections.abc import Callable
from typing import Any, Final

import pytest
import yaml
from tools import crdcompat

from claude_gateway.api.crd import crd_yaml

CRDS: Final[dict[str, Any]] = {
    crd["metadata"]["name"]: crd for crd in (yaml.safe_load(text) for text in crd_yaml().values())
}
ROUTES: Final = "modelroutes.claudegateway.io"
SPEC: Final = f"{ROUTES} v1alpha1.spec"

Change = Callable[[dict[str, Any]], object]


def spec(crds: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = crds[ROUTES]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return found


def target(crds: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = spec(crds)["properties"]["targets"]["items"]
    return found


def after(change: Change, before: Change = dict.keys) -> list[crdcompat.Finding]:
    old, new = copy.deepcopy(CRDS), copy.deepcopy(CRDS)
    before(old)
    before(new)
    change(new)
    return crdcompat.compare(old, new)


def add_rule(schema: dict[str, Any], rule: str) -> None:
    schema.setdefault("x-kubernetes-validations", []).append({"rule": rule, "message": "no"})


def test_a_tree_is_compatible_with_itself() -> None:
    assert crdcompat.compare(CRDS, CRDS) == []


BREAKING: Final[dict[str, tuple[Change, str]]] = {
    "kind": (lambda crds: crds.pop(ROUTES), f"{ROUTES}: the kind is gone"),
    "version": (
        lambda crds: crds[ROUTES]["spec"]["versions"][0].update(served=False),
        "v1alpha1: the version is no longer served",
    ),
    "scope": (lambda crds: crds[ROUTES]["spec"].update(scope="Cluster"), "scope was Namespaced, is Cluster"),
    "plural": (lambda crds: crds[ROUTES]["spec"]["names"].update(plural="routes"), "names.plural was modelroutes"),
    "status": (lambda crds: crds[ROUTES]["spec"]["versions"][0].pop("subresources"), "subresource status is gone"),
    "field": (lambda crds: target(crds)["properties"].pop("model"), f"{SPEC}.targets[].model: the field is gone"),
    "required": (
        lambda crds: target(crds).setdefault("required", []).append("baseURL"),
        f"{SPEC}.targets[].baseURL: is required now",
    ),
    "type": (lambda crds: target(crds)["properties"]["model"].update(type="integer"), "type was string, is integer"),
    "shorter": (lambda crds: target(crds)["properties"]["model"].update(maxLength=3), ", is 3"),
    "fewer": (lambda crds: spec(crds)["properties"]["targets"].update(maxItems=1), ", is 1"),
    "more": (lambda crds: spec(crds)["properties"]["targets"].update(minItems=9), ", is 9"),
    "pattern": (lambda crds: target(crds)["properties"]["model"].update(pattern="^a$"), "is ^a$"),
    "enum": (
        lambda crds: target(crds)["properties"]["model"].update(enum=["one"]),
        "model: no longer accepts any other value",
    ),
    "format": (lambda crds: target(crds)["properties"]["model"].update(format="uri"), "format was not set, is uri"),
    "one-of": (lambda crds: target(crds).update(oneOf=[{"required": ["credential"]}]), "oneOf was not set"),
    "list": (
        lambda crds: spec(crds)["properties"]["models"].update({"x-kubernetes-list-type": "map"}),
        "x-kubernetes-list-type was",
    ),
    "items": (lambda crds: spec(crds)["properties"]["targets"].pop("items"), "targets: items is gone"),
    "rule": (lambda crds: add_rule(spec(crds), "size(self.targets) < 2"), "has a new rule: size(self.targets) < 2"),
}


@pytest.mark.parametrize(("change", "said"), BREAKING.values(), ids=BREAKING)
def test_what_breaks_stored_objects_is_found(change: Change, said: str) -> None:
    (finding,) = after(change)
    assert finding.broken
    assert said in str(finding)


def test_a_value_that_an_enum_loses_is_named() -> None:
    def before(crds: dict[str, Any]) -> None:
        target(crds)["properties"]["model"]["enum"] = ["one", "two"]

    (finding,) = after(lambda crds: target(crds)["properties"]["model"].update(enum=["two", "three"]), before)
    assert finding.what == "no longer accepts one"


def test_null_and_unknown_fields_that_are_no_longer_kept_are_found() -> None:
    def before(crds: dict[str, Any]) -> None:
        target(crds)["nullable"] = True
        target(crds)["x-kubernetes-preserve-unknown-fields"] = True

    def change(crds: dict[str, Any]) -> None:
        target(crds)["nullable"] = False
        del target(crds)["x-kubernetes-preserve-unknown-fields"]

    assert [finding.what for finding in after(change, before)] == [
        "no longer accepts null",
        "no longer keeps unknown fields",
    ]


COMPATIBLE: Final[dict[str, Change]] = {
    "field": lambda crds: target(crds)["properties"].update(fresh={"type": "string", "maxLength": 3}),
    "kind": lambda crds: crds.update({"fresh.claudegateway.io": {}}),
    "version": lambda crds: crds[ROUTES]["spec"]["versions"].append({"name": "v1beta1", "served": True, "schema": {}}),
    "longer": lambda crds: target(crds)["properties"]["model"].update(maxLength=10**6),
    "unbounded": lambda crds: spec(crds)["properties"]["targets"].pop("maxItems"),
    "not-required": lambda crds: target(crds).pop("required"),
    "description": lambda crds: target(crds).update(description="Other words."),
    "rule-gone": lambda crds: spec(crds).pop("x-kubernetes-validations", None),
    "column": lambda crds: crds[ROUTES]["spec"]["versions"][0].pop("additionalPrinterColumns", None),
}


@pytest.mark.parametrize("change", COMPATIBLE.values(), ids=COMPATIBLE)
def test_what_only_adds_or_allows_is_compatible(change: Change) -> None:
    assert after(change) == []


def test_a_rule_about_a_new_field_is_shown_and_breaks_nothing() -> None:
    def change(crds: dict[str, Any]) -> None:
        spec(crds)["properties"]["fresh"] = {"type": "string"}
        add_rule(spec(crds), "!has(self.fresh) || self.fresh != ''")

    (finding,) = after(change)
    assert not finding.broken
    assert "self.fresh" in finding.what


def test_the_committed_crds_are_read_of_tree_and_commit() -> None:
    of_tree = crdcompat.of_tree(crdcompat.ROOT)
    assert set(of_tree) == set(CRDS)
    assert set(crdcompat.of_commit(crdcompat.ROOT, "HEAD"))
