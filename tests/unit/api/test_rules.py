"""Every rule of the API: what obeys it is accepted; what breaks it is rejected with the field and the fix."""

from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.builders.specs import INVALID, VALID
from tests.support.builders.specs.case import Case, route
from tests.support.builders.specs.credentials import bedrock, credential, subscription, vertex
from tests.support.builders.specs.targets import keyless

from claude_gateway.api.base import Spec, json_name, seconds
from claude_gateway.api.claude_credential import ClaudeCredentialSpec
from claude_gateway.api.gateway_client import GatewayClientSpec
from claude_gateway.api.kinds import KINDS
from claude_gateway.api.model_route import ModelRouteSpec
from claude_gateway.api.rule import ERROR_TYPE, Rule

MODELS = {kind.kind: kind.spec for kind in KINDS}


def path(loc: tuple[int | str, ...]) -> str:
    """A pydantic location as users write it."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


@pytest.mark.parametrize("case", VALID, ids=lambda case: case.name)
def test_accepts_what_obeys_the_rules(case: Case) -> None:
    assert isinstance(MODELS[case.kind].model_validate(case.spec), Spec)


@pytest.mark.parametrize("case", INVALID, ids=lambda case: case.name)
def test_refuses_what_breaks_a_rule_and_names_field_and_fix(case: Case) -> None:
    with pytest.raises(ValidationError) as caught:
        MODELS[case.kind].model_validate(case.spec)
    errors = [(path(error["loc"]), error["msg"]) for error in caught.value.errors()]
    messages = [message for field, message in errors if case.field in field or case.field.split("[")[0] == field]
    assert any(case.message in message for message in messages), errors


def test_one_mistake_is_told_once() -> None:
    with pytest.raises(ValidationError) as caught:
        ModelRouteSpec.model_validate(route({"weight": 0}))
    assert [error["loc"] for error in caught.value.errors()] == [("targets", 0, "weight")]


def test_a_broken_rule_carries_what_is_wrong_and_the_fix_apart() -> None:
    with pytest.raises(ValidationError) as caught:
        ModelRouteSpec.model_validate(route({"model": "gpt-5"}))
    (error,) = caught.value.errors()
    assert error["type"] == ERROR_TYPE
    assert error["ctx"]["wrong"] == "not of the form `provider/model`"
    assert error["msg"] == f"{error['ctx']['wrong']}; {error['ctx']['fix']}"


def test_a_refusal_of_an_address_does_not_repeat_the_secret_in_it() -> None:
    with pytest.raises(ValidationError) as caught:
        ModelRouteSpec.model_validate(keyless("http://me:hunter2@host/"))
    assert "hunter2" not in str([(error["loc"], error["msg"], error.get("ctx")) for error in caught.value.errors()])


@pytest.mark.parametrize("name", ["max_output_tokens", "base_url", "Model", "apiKey", "extraHeaders", "organization"])
def test_refuses_fields_that_nobody_knows(name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelRouteSpec.model_validate(route({name: "os.environ/OTHER_KEY"}))
    assert caught.value.errors()[0]["type"] == "extra_forbidden"


@pytest.mark.parametrize("spec", [None, "text", ["list"], 3])
def test_refuses_a_spec_that_is_no_mapping(spec: object) -> None:
    with pytest.raises(ValidationError):
        ModelRouteSpec.model_validate(spec)


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (credential(), ("openai",)),
        (bedrock(secretRef={"name": "aws"}), ("aws",)),
        (vertex(secretRef={"name": "g"}), ("g",)),
        (subscription(), ("alice-login",)),
        (subscription(caller={"name": "notebook", "secretName": "notebook"}), ("alice-login", "notebook")),
        (bedrock(), ()),
        (vertex(), ()),
    ],
)
def test_a_credential_names_the_secrets_that_it_needs(spec: Any, names: tuple[str, ...]) -> None:
    assert ClaudeCredentialSpec.model_validate(spec).secret_names == names


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ({"serviceAccounts": [{"name": "ci"}]}, ()),
        ({"keys": [{"secretRef": {"name": "a"}}, {"hash": f"sha256:{'0' * 64}"}, {"hashesFrom": {"name": "b"}}]}, "ab"),
        ({"jwt": [{"secretRef": {"name": "c"}}, {"issuer": "https://x", "audiences": ["y"]}]}, "c"),
    ],
)
def test_a_client_names_the_secrets_that_it_needs(spec: Any, names: str) -> None:
    assert GatewayClientSpec.model_validate(spec).secret_names == tuple(names)


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("1h30m", 5400), ("250ms", 0.25), ("1m1m", 120), ("24h", 86400), ("0s", 0)]
)
def test_durations_in_seconds(text: str, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("field", "name"),
    [("models", "models"), ("max_output_tokens", "maxOutputTokens"), ("base_url", "baseURL"), ("jwks_uri", "jwksURI")],
)
def test_fields_are_camel_case_with_acronyms_in_capitals(field: str, name: str) -> None:
    assert json_name(field) == name


def declared_rules(model: type[Spec], seen: set[type[Spec]]) -> list[Rule]:
    """All rules of a model and of those in it, wherever they are declared."""
    if model in seen:
        return []
    seen.add(model)
    found = list(model.rules)
    for field in model.model_fields.values():
        found += _rules_of(field.annotation, seen) + [item for item in field.metadata if isinstance(item, Rule)]
    return found


def _rules_of(annotation: Any, seen: set[type[Spec]]) -> list[Rule]:
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        return declared_rules(annotation, seen)
    found = [item for item in getattr(annotation, "__metadata__", ()) if isinstance(item, Rule)]
    for part in getattr(annotation, "__args__", ()):
        found += _rules_of(part, seen)
    return found


def test_every_rule_is_broken_by_a_case_of_the_table() -> None:
    seen: set[type[Spec]] = set()
    messages = {rule.message for kind in KINDS for rule in declared_rules(kind.spec, seen)}
    assert len(messages) >= 10
    unbroken = {text for text in messages if not any(case.message and case.message in text for case in INVALID)}
    assert unbroken == set()
