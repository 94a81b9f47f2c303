"""Targets from a bundle, and what becomes of those that are no longer configured."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from tests.support.processes.worker import ENTRY, KEY, bundle, deployment

from claude_gateway.contract.bundle import BundleError, secret_entry
from claude_gateway.contract.policy import Egress
from claude_gateway.contract.target import Aws, Google, Role
from claude_gateway.contract.target import Target as PolicyTarget
from claude_gateway_proxy.litellm.guard import Dial
from claude_gateway_proxy.litellm.live import retire
from claude_gateway_proxy.litellm.targets import ModelRefused, Target, build


def target(ident: str = "t", model: str = "openai/*") -> Target:
    return Target(id=ident, model=model, api_base=None, api_key="k", timeout=None, dial=None)


def test_a_target_has_its_key_from_the_bundle() -> None:
    table = build(bundle(deployment("t", "hosted_vllm/m", api_base="http://vllm:8000/v1")))
    found = table.targets["t"]
    assert (found.api_key, found.api_base, found.dial) == (KEY, "http://vllm:8000/v1", Dial("vllm", 8000))
    assert table.preload
    assert table.egress == Egress(loopback=True)
    assert KEY not in repr(found)
    assert KEY not in repr(table)


def test_a_keyless_target_has_none() -> None:
    table = build(bundle(deployment("t", "anthropic/m", api_base=None, secret=None)))
    assert table.targets["t"].api_key is None
    assert not table.preload


def test_targets_of_rules_are_in_the_table() -> None:
    whole = bundle(deployment("t", "hosted_vllm/m", api_base="http://vllm:8000/v1"))
    document = json.loads(whole.gateway)
    (only,) = document["routes"]
    moved = {**only, "targets": [], "rules": [{"name": "one", "match": {"images": True}, "targets": only["targets"]}]}
    table = build(replace(whole, gateway=json.dumps({**document, "routes": [moved]}).encode()))
    assert table.targets["t"].api_key == KEY


@pytest.mark.parametrize("value", [b"os.environ/HOME", b"oidc/file/etc/passwd", b"\xff"])
def test_a_key_that_is_a_reference_or_no_text_is_refused(value: bytes) -> None:
    entry = secret_entry("evil", value)
    wanted = bundle(deployment("t", "openai/m", api_base=None, secret=entry), secrets={entry: value})
    with pytest.raises(BundleError, match=r"evil\.\w+"):
        build(wanted)


def test_entries_are_named_in_errors_and_values_are_not() -> None:
    with pytest.raises(BundleError) as raised:
        build(bundle(deployment("t", "openai/m", api_base=None), deployment("t", "openai/m", api_base=None)))
    assert KEY not in str(raised.value)
    assert ENTRY


def test_an_open_target_takes_the_clients_model() -> None:
    assert target().resolved("gpt-5") == "openai/gpt-5"
    assert target().resolved("org/model:8b@x+y_z.1") == "openai/org/model:8b@x+y_z.1"
    assert target(model="openai/gpt-5").resolved("anything at all") == "openai/gpt-5"


@pytest.mark.parametrize(
    "model", ["", "/a", "a/", "a//b", "../a", "a/../b", ".", "a?b", "a#b", "a%2fb", "a b", "ä", "a\n"]
)
def test_a_model_that_leads_elsewhere_is_refused(model: str) -> None:
    with pytest.raises(ModelRefused):
        target().resolved(model)


AWS_PLACE = {"aws_region_name": "us-east-1", "aws_bedrock_runtime_endpoint": "https://bedrock.example"}
GOOGLE_PLACE = {"vertex_project": "p", "vertex_location": "global"}


def in_cloud(secret: bytes | None, place: Mapping[str, str], *, role: Role | None = None) -> Target:
    """A target in a cloud, as the control plane renders it."""
    entry = None if secret is None else secret_entry("cloud", secret)
    aws = Aws(region=place["aws_region_name"], role=role) if "aws_region_name" in place else None
    written = PolicyTarget(
        id="t",
        provider="vertex_ai" if aws is None else "bedrock",
        model="*",
        base_url=place.get("aws_bedrock_runtime_endpoint"),
        secret=entry,
        aws=aws,
        google=Google(project=place["vertex_project"], location=place["vertex_location"]) if aws is None else None,
    )
    secrets = {} if entry is None or secret is None else {entry: secret}
    return build(bundle(written, secrets=secrets)).targets["t"]


def test_a_target_in_a_cloud_has_place_and_identity() -> None:
    keys = in_cloud(b'{"accessKeyId":"A","secretAccessKey":"S"}', AWS_PLACE)
    assert keys.api_key is None
    assert keys.cloud == {
        **AWS_PLACE,
        "aws_access_key_id": "A",
        "aws_secret_access_key": "S",
        "aws_session_token": "",
    }
    assert keys.dial == Dial("bedrock.example", 443)
    token = in_cloud(b'{"accessKeyId":"A","secretAccessKey":"S","sessionToken":"T"}', AWS_PLACE)
    assert token.cloud is not None
    assert token.cloud["aws_session_token"] == "T"
    bearer = in_cloud(b'{"bearerToken":"B"}', AWS_PLACE)
    assert (bearer.api_key, bearer.cloud) == ("B", AWS_PLACE)
    google = in_cloud(b'{"type":"service_account"}', GOOGLE_PLACE)
    assert google.cloud == {**GOOGLE_PLACE, "vertex_credentials": {"type": "service_account"}}
    assert in_cloud(None, GOOGLE_PLACE).cloud == GOOGLE_PLACE
    assert all("secret" not in repr(found).lower() for found in (keys, token, bearer, google))


def test_a_target_in_a_role_has_the_keys_that_each_request_brings() -> None:
    role = Role(arn="arn:aws:iam::123456789012:role/claude")
    found = in_cloud(b'{"accessKeyId":"A","secretAccessKey":"S"}', AWS_PLACE, role=role)
    assert found.cloud == AWS_PLACE, "those that assume the role call no model"
    spending = found.spending('["RA", "RS", "RT"]')
    assert spending.cloud == {
        **AWS_PLACE,
        "aws_access_key_id": "RA",
        "aws_secret_access_key": "RS",
        "aws_session_token": "RT",
    }
    with pytest.raises(ValueError, match="Expecting value"):
        found.spending(None)


@pytest.mark.parametrize(
    "secret",
    [b"x", b"[]", b"{}", b'{"bearerToken":5}', b'{"bearerToken":"os.environ/HOME"}', b'{"type":"oidc/x"}'],
)
@pytest.mark.parametrize("place", [AWS_PLACE, GOOGLE_PLACE])
def test_what_is_no_identity_is_refused(secret: bytes, place: dict[str, str]) -> None:
    with pytest.raises(BundleError, match=r"cloud\.\w+"):
        in_cloud(secret, place)


def test_an_open_target_in_a_cloud_takes_ids_of_its_own_region_only() -> None:
    open_one = in_cloud(b'{"bearerToken":"B"}', AWS_PLACE)
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-5-5"
    for model in ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", arn):
        assert open_one.resolved(model) == f"bedrock/{model}"
    for model in (
        arn.replace("us-east-1", "eu-west-1"),
        arn.replace("us-east-1", "evil.example/x"),
        "eu-west-1/anthropic.claude-opus-5-5",
        "agentcore/x",
        "mantle/openai.gpt-5.4",
        f"converse/{arn}",
        "",
        ".x",
    ):
        with pytest.raises(ModelRefused):
            open_one.resolved(model)
    vertex = in_cloud(None, GOOGLE_PLACE)
    assert vertex.resolved("claude-sonnet-4-5@20250929") == "vertex_ai/claude-sonnet-4-5@20250929"
    with pytest.raises(ModelRefused):
        vertex.resolved("agent_engine/x")


def test_retired_targets_stay_for_a_while_and_not_in_any_number() -> None:
    old = {"a": target("a"), "b": target("b")}
    retired = retire({}, old=old, new={"b": old["b"]}, now=0.0)
    assert list(retired) == ["a"]
    assert list(retire(retired, old={}, new={}, now=599.0)) == ["a"]
    assert not retire(retired, old={}, new={}, now=601.0)
    assert not retire(retired, old={}, new={"a": old["a"]}, now=1.0)
    many = {str(number): target(str(number)) for number in range(6_000)}
    assert list(retire(retired, old=many, new={}, now=1.0)) == [str(number) for number in range(1_000, 6_000)]
