"""Credentials: which key, for which provider, to which address."""

from typing import Any

import pytest
from tests.support.builders.objects import API_KEY, credential, plan, route, secret, target

from claude_gateway.contract.policy import Egress
from claude_gateway.names import ConditionType, Reason
from claude_gateway.plan.credentials.credentials import entry_ref
from claude_gateway.plan.decide import Plan


def decided(*manifests: Any, egress: Egress | None = None) -> Plan:
    return plan(route(), *manifests, egress=egress)


def problems_of(found: Plan) -> list[tuple[str, str]]:
    return [(p.field, p.reason) for p in found.problems if p.object.kind == "ClaudeCredential"]


def conditions(found: Plan) -> dict[str, tuple[str, str]]:
    (status,) = [status for status in found.statuses if status.object.kind == "ClaudeCredential"]
    return {condition.type: (condition.status, condition.reason) for condition in status.conditions}


def test_a_key_goes_to_the_secret_part_and_its_name_elsewhere() -> None:
    found = decided(secret(), credential())
    (only,) = found.policy.routes[0].targets
    assert only.base_url == "https://api.anthropic.com"
    assert only.secret is not None
    assert only.secret.startswith("default.keys.api.")
    assert found.bundle.secrets == {only.secret: API_KEY.encode()}


def test_keys_that_no_target_uses_stay_out_of_the_bundle() -> None:
    found = plan(secret(), credential())
    assert found.bundle.secrets == {}


def test_white_space_around_a_value_is_cut_off() -> None:
    plain, padded = decided(secret(), credential()), decided(secret(values={"api": f" {API_KEY}\r\n"}), credential())
    assert plain.bundle == padded.bundle


@pytest.mark.parametrize(
    ("manifests", "field", "reason"),
    [
        ([], "spec.apiKey.secretRef.name", Reason.SECRET_NOT_FOUND),
        ([secret(namespace="other")], "spec.apiKey.secretRef.name", Reason.SECRET_NOT_FOUND),
        ([secret(labels={})], "spec.apiKey.secretRef.name", Reason.SECRET_NOT_LABELLED),
        (
            [secret(labels={"claudegateway.io/credential": "True"})],
            "spec.apiKey.secretRef.name",
            Reason.SECRET_NOT_LABELLED,
        ),
        ([secret(values={})], "spec.apiKey.secretRef.key", Reason.SECRET_KEY_NOT_FOUND),
        ([secret(values={"api": ""})], "spec.apiKey.secretRef.key", Reason.SECRET_VALUE_INVALID),
        ([secret(values={"api": " \n"})], "spec.apiKey.secretRef.key", Reason.SECRET_VALUE_INVALID),
        ([secret(values={"api": "Bearer abc"})], "spec.apiKey.secretRef.key", Reason.SECRET_VALUE_INVALID),
        ([secret(values={"api": "two\nlines"})], "spec.apiKey.secretRef.key", Reason.SECRET_VALUE_INVALID),
        ([secret(values={"api": "a\x00b"})], "spec.apiKey.secretRef.key", Reason.SECRET_VALUE_INVALID),
        ([secret(values={"api": "schlüssel"})], "spec.apiKey.secretRef.key", Reason.SECRET_VALUE_INVALID),
        ([secret(values={"api": "k" * 8193})], "spec.apiKey.secretRef.key", Reason.SECRET_VALUE_INVALID),
        ([{**secret(values={}), "data": {"api": "%"}}], "spec.apiKey.secretRef.key", Reason.SECRET_VALUE_INVALID),
    ],
)
def test_a_key_that_cannot_be_had(manifests: list[Any], field: str, reason: Reason) -> None:
    found = decided(credential(), *manifests)
    assert problems_of(found) == [(field, reason)]
    assert conditions(found) == {
        ConditionType.ACCEPTED: ("True", Reason.ACCEPTED),
        ConditionType.RESOLVED_REFS: ("False", reason),
    }
    assert found.policy.routes[0].targets == ()


@pytest.mark.parametrize(
    ("fields", "field", "reason", "hint"),
    [
        ({"provider": "antropic"}, "spec.apiKey.provider", Reason.PROVIDER_UNKNOWN, "Did you mean `anthropic`?"),
        ({"provider": "zzzzzz"}, "spec.apiKey.provider", Reason.PROVIDER_UNKNOWN, "LiteLLM"),
        ({"provider": "gdc"}, "spec.apiKey.provider", Reason.PROVIDER_NOT_SUPPORTED, "another provider"),
        ({"provider": "bedrock"}, "spec.apiKey.provider", Reason.PROVIDER_NOT_SUPPORTED, "Write `bedrock:`"),
        ({"provider": "vertex_ai"}, "spec.apiKey.provider", Reason.PROVIDER_NOT_SUPPORTED, "Write `vertex:`"),
        ({"provider": "ollama"}, "spec.apiKey.baseURL", Reason.INVALID, "Add the `baseURL`"),
        ({"baseURL": "http://127.0.0.1:8000"}, "spec.apiKey.baseURL", Reason.ADDRESS_NOT_ALLOWED, "allow this host"),
    ],
)
def test_a_spec_that_makes_no_sense(fields: dict[str, Any], field: str, reason: Reason, hint: str) -> None:
    found = decided(secret(), credential(**fields))
    assert problems_of(found) == [(field, reason)]
    assert hint in next(p.fix for p in found.problems if p.object.kind == "ClaudeCredential")
    assert conditions(found)[ConditionType.ACCEPTED] == ("False", reason)
    assert conditions(found)[ConditionType.RESOLVED_REFS] == ("True", Reason.RESOLVED)
    assert found.bundle.secrets == {}


def test_an_unreadable_credential_is_known_but_not_usable() -> None:
    found = decided(secret(), credential(nonsense=1))
    assert conditions(found) == {
        ConditionType.ACCEPTED: ("False", Reason.INVALID),
        ConditionType.RESOLVED_REFS: ("Unknown", Reason.INVALID),
    }
    (problem,) = [p for p in found.problems if p.object.kind == "ModelRoute"]
    assert (problem.field, problem.reason) == ("spec.targets[0].credential", Reason.CREDENTIAL_NOT_USABLE)


@pytest.mark.parametrize(
    ("provider", "base_url", "held"),
    [
        ("anthropic", None, "https://api.anthropic.com"),
        ("anthropic", "https://proxy.example/", "https://proxy.example"),
        ("anthropic", "https://proxy.example/v1", "https://proxy.example"),
        ("anthropic", "https://proxy.example/anthropic/v1/", "https://proxy.example/anthropic"),
        ("openai", None, "https://api.openai.com/v1"),
        ("openai", "https://vllm.example/v1/", "https://vllm.example/v1"),
        ("gemini", None, None),
        ("baseten", None, "https://inference.baseten.co/v1"),
    ],
)
def test_the_address_of_a_key(provider: str, base_url: str | None, held: str | None) -> None:
    fields = {"baseURL": base_url} if base_url else {}
    priced = target(f"{provider}/some-model", prices={"input": "1", "output": "2"})
    found = plan(secret(), credential(provider=provider, **fields), route(targets=[priced]))
    assert found.problems == ()
    assert found.policy.routes[0].targets[0].base_url == held


def test_a_rotated_key_is_a_new_entry() -> None:
    before, after = decided(secret(), credential()), decided(secret(values={"api": "another-key"}), credential())
    assert not before.bundle.secrets.keys() & after.bundle.secrets.keys()
    assert before.policy.routes[0].targets[0].id != after.policy.routes[0].targets[0].id


def test_no_two_keys_share_an_entry() -> None:
    refs = [("a", "x.y", "z"), ("a", "x", "y.z"), ("a", "x" * 253, "y" * 252 + "a"), ("a", "x" * 253, "y" * 252 + "b")]
    entries = [entry_ref(*ref) for ref in refs] + [entry_ref("a", "x"), entry_ref("a", "x.y"), entry_ref("a", "x.y.z")]
    assert len(set(entries)) == len(entries)
    assert all(len(entry) <= 240 for entry in entries)
    assert entry_ref("team-a", "keys", "API_KEY") == "team-a.keys.API_KEY"


def test_a_missing_key_is_reported_with_those_that_exist() -> None:
    (problem,) = plan(secret(), credential(key="token")).problems
    assert problem.message == "Secret default/keys has no key token; it has api, client"
    (problem,) = plan(secret(values={}), credential(key="token")).problems
    assert problem.message.endswith("; it is empty")
    many = {f"k{index}": "sk-test-upstream-key-0123456789" for index in range(7)}
    (problem,) = plan(secret(values=many), credential(key="token")).problems
    assert problem.message.endswith("; it has k0, k1, k2, k3, k4 and 2 more")
