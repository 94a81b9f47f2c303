"""Targets in clouds: which models are Claude, where they are, and what is spent there."""

import json
from typing import Any

import pytest
import yaml
from tests.support.builders.objects import (
    PRIVATE_KEY,
    aws_keys,
    bedrock,
    credential,
    key_file,
    manifest,
    plan,
    route,
    secret,
    target,
    vertex,
)

from claude_gateway.contract.policy import Egress
from claude_gateway.contract.target import Attribution, Aws, Format, Google, Role, Target, Wire
from claude_gateway.names import ConditionType, Reason
from claude_gateway.plan.decide import Plan

CLAUDE = (Format.MESSAGES, Format.COUNT_TOKENS)
LOOPBACK = Egress(loopback=True)
ARN = "arn:aws:bedrock:us-east-1:123456789012"


def decided(*targets: dict[str, Any], others: tuple[Any, ...] = (), egress: Egress | None = None) -> Plan:
    given = {(m["kind"], m["metadata"]["name"]) for m in others}
    standard = [aws_keys(), key_file(), bedrock(), vertex()]
    kept = [m for m in standard if (m["kind"], m["metadata"]["name"]) not in given]
    return plan(*kept, *others, route(targets=targets), egress=egress)


def only(found: Plan) -> Target:
    assert {problem.reason for problem in found.problems} <= {Reason.PRICE_UNKNOWN}
    (one,) = found.policy.routes[0].targets
    return one


def spent(found: Plan) -> dict[str, Any]:
    """What the secret part holds for the only target."""
    entry = only(found).secret
    assert entry is not None
    held: dict[str, Any] = json.loads(found.bundle.secrets[entry])
    return held


def problems_of(found: Plan, kind: str = "ClaudeCredential") -> list[tuple[str, str]]:
    return [(p.field, p.reason) for p in found.problems if p.object.kind == kind]


def litellm(found: Plan) -> dict[str, Any]:
    (deployment,) = yaml.safe_load(found.bundle.litellm)["model_list"]
    params: dict[str, Any] = deployment["litellm_params"]
    return params


@pytest.mark.parametrize(
    ("model", "wire"),
    [
        ("bedrock/*", Wire.BEDROCK),
        ("bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0", Wire.BEDROCK),
        ("bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", Wire.BEDROCK),
        ("bedrock/global.anthropic.claude-opus-5-5", Wire.BEDROCK),
        (f"bedrock/{ARN}:inference-profile/us.anthropic.claude-opus-5-5", Wire.BEDROCK),
        ("bedrock/arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-5-5", Wire.BEDROCK),
        (f"bedrock/{ARN}:application-inference-profile/abc123", Wire.BEDROCK),
        (f"bedrock/converse/{ARN}:application-inference-profile/abc123", None),
        ("bedrock/converse/anthropic.claude-opus-5-5", None),
        ("bedrock/amazon.nova-pro-v1:0", None),
        ("bedrock/us.meta.llama3-3-70b-instruct-v1:0", None),
        ("bedrock/amazon.titan-text-lite-v1:0:4k", None),
        (f"bedrock/{ARN}:imported-model/abc123", None),
        ("vertex_ai/*", Wire.VERTEX),
        ("vertex_ai/claude-sonnet-4-5@20250929", Wire.VERTEX),
        ("vertex_ai/gemini-2.5-pro", None),
        ("vertex_ai/meta/llama-4-maverick-17b-128e-instruct-maas", None),
    ],
)
def test_claude_is_spoken_to_as_the_cloud_does_and_all_else_by_litellm(model: str, wire: Wire | None) -> None:
    one = only(decided(target(model, "bedrock" if model.startswith("bedrock") else "vertex")))
    assert (one.wire, one.formats) == (wire, CLAUDE if wire else ())
    assert (one.base_url is not None) == (wire is not None)
    assert one.model == model.partition("/")[2]


@pytest.mark.parametrize("provider", ["bedrock", "vertex"])
def test_formats_say_that_a_model_is_claude(provider: str) -> None:
    model = f"bedrock/{ARN}:imported-model/abc123" if provider == "bedrock" else "vertex_ai/1234567890"
    one = only(decided(target(model, provider, formats=["Messages"])))
    assert one.formats == (Format.MESSAGES,)
    assert one.wire is not None


@pytest.mark.parametrize(
    ("region", "base_url"),
    [
        ("us-east-1", "https://bedrock-runtime.us-east-1.amazonaws.com"),
        ("us-gov-west-1", "https://bedrock-runtime.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"),
        ("us-iso-east-1", "https://bedrock-runtime.us-iso-east-1.c2s.ic.gov"),
        ("us-isob-east-1", "https://bedrock-runtime.us-isob-east-1.sc2s.sgov.gov"),
    ],
)
def test_a_region_has_its_address(region: str, base_url: str) -> None:
    one = only(decided(target("bedrock/*", "bedrock"), others=(bedrock(region=region),)))
    assert (one.aws, one.google, one.base_url) == (Aws(region=region), None, base_url)


@pytest.mark.parametrize(
    ("location", "base_url"),
    [
        ("us-east5", "https://us-east5-aiplatform.googleapis.com"),
        ("global", "https://aiplatform.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_a_location_has_its_address(location: str, base_url: str) -> None:
    one = only(decided(target("vertex_ai/*", "vertex"), others=(vertex(location=location),)))
    assert (one.google, one.aws) == (Google(project="my-project", location=location), None)
    assert one.base_url == base_url


def test_another_address_is_the_credentials_to_name() -> None:
    at_bedrock = bedrock(baseURL="https://vpce-1.example/")
    at_vertex = vertex(baseURL="https://psc.example/v1/")
    assert only(decided(target("bedrock/*", "bedrock"), others=(at_bedrock,))).base_url == "https://vpce-1.example"
    assert only(decided(target("vertex_ai/*", "vertex"), others=(at_vertex,))).base_url == "https://psc.example"
    other = decided(target("vertex_ai/gemini-2.5-pro", "vertex"), others=(at_vertex,))
    assert only(other).base_url == litellm(other)["api_base"] == "https://psc.example"
    inside = decided(target("bedrock/*", "bedrock"), others=(bedrock(baseURL="http://169.254.169.254"),))
    assert problems_of(inside) == [("spec.bedrock.baseURL", Reason.ADDRESS_NOT_ALLOWED)]


def test_an_address_with_a_path_is_for_claude_alone() -> None:
    relay = vertex(baseURL="https://relay.example/vertex/v1")
    assert only(decided(target("vertex_ai/*", "vertex"), others=(relay,))).base_url == "https://relay.example/vertex"
    found = decided(target("vertex_ai/gemini-2.5-pro", "vertex"), others=(relay,))
    assert problems_of(found, "ModelRoute") == [("spec.targets[0].model", Reason.CREDENTIAL_MISMATCH)]
    assert found.policy.routes[0].targets == ()


def test_an_aws_identity_is_keys_and_maybe_a_token_or_a_bearer_token() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "s3cret"}
    asked = target("bedrock/*", "bedrock")
    long_lived = {"accessKeyId": "AKIA", "secretAccessKey": "s3cret"}
    assert spent(decided(asked, others=(aws_keys(**keys),))) == long_lived
    assert spent(decided(asked, others=(aws_keys(**keys, AWS_SESSION_TOKEN="t"),))) == {
        **long_lived,
        "sessionToken": "t",
    }
    bearer = decided(asked, others=(aws_keys(**keys, AWS_BEARER_TOKEN_BEDROCK="b"),))
    assert spent(bearer) == {"bearerToken": "b"}


def test_a_role_is_assumed_by_keys_and_not_by_an_api_key() -> None:
    arn, keys = "arn:aws:iam::123456789012:role/claude", {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s"}
    role = {"arn": arn, "externalID": "outside", "sessionTags": ["Client", "Team"]}
    asked, assuming = target("bedrock/*", "bedrock"), bedrock(assumeRole=role)
    found = only(decided(asked, others=(aws_keys(**keys), assuming)))
    assert found.aws is not None
    told_aws = (Attribution.CLIENT, Attribution.TEAM)
    assert found.aws.role == Role(arn=arn, external_id="outside", session_tags=told_aws)
    refused = decided(asked, others=(aws_keys(**keys, AWS_BEARER_TOKEN_BEDROCK="b"), assuming))
    assert problems_of(refused, "ClaudeCredential") == [("spec.bedrock.secretRef", Reason.SECRET_VALUE_INVALID)]


def test_a_key_file_is_cut_down_to_what_is_of_use() -> None:
    held = spent(decided(target("vertex_ai/*", "vertex")))
    assert sorted(held) == [
        "client_email",
        "client_id",
        "private_key",
        "private_key_id",
        "project_id",
        "token_uri",
        "type",
    ]
    assert held["private_key"] == PRIVATE_KEY


def test_without_a_secret_the_pods_identity_is_spent() -> None:
    for given, model in ((bedrock(secret=None), "bedrock/*"), (vertex(secret=None), "vertex_ai/*")):
        found = decided(target(model, given["metadata"]["name"]), others=(given,))
        assert only(found).secret is None
        assert found.bundle.secrets == {}
        assert "os.environ" not in found.bundle.litellm.decode()


def test_litellm_is_told_place_and_identity() -> None:
    found = litellm(decided(target("bedrock/amazon.nova-pro-v1:0", "bedrock")))
    assert found["model"] == "bedrock/amazon.nova-pro-v1:0"
    assert found["aws_region_name"] == "us-east-1"
    assert found["aws_bedrock_runtime_endpoint"] == "https://bedrock-runtime.us-east-1.amazonaws.com"
    assert found["aws_access_key_id"].endswith("_AWS_ACCESS_KEY_ID")
    assert found["aws_secret_access_key"].endswith("_AWS_SECRET_ACCESS_KEY")
    bearer = aws_keys(AWS_BEARER_TOKEN_BEDROCK="b")
    assert "api_key" in litellm(decided(target("bedrock/amazon.nova-pro-v1:0", "bedrock"), others=(bearer,)))
    google = litellm(decided(target("vertex_ai/gemini-2.5-pro", "vertex")))
    assert (google["vertex_project"], google["vertex_location"]) == ("my-project", "us-east5")
    assert google["vertex_credentials"].startswith("os.environ/CLAUDE_GATEWAY_KEY_DEFAULT_GOOGLE_KEY_")
    assert google["api_base"] == "https://us-east5-aiplatform.googleapis.com"


@pytest.mark.parametrize(
    ("values", "field", "reason"),
    [
        ({"AWS_ACCESS_KEY_ID": "AKIA"}, "spec.bedrock.secretRef.name", Reason.SECRET_KEY_NOT_FOUND),
        ({"AWS_SECRET_ACCESS_KEY": "x"}, "spec.bedrock.secretRef.name", Reason.SECRET_KEY_NOT_FOUND),
        (
            {"AWS_ACCESS_KEY_ID": "a b", "AWS_SECRET_ACCESS_KEY": "x"},
            "spec.bedrock.secretRef.name",
            Reason.SECRET_VALUE_INVALID,
        ),
        ({"AWS_BEARER_TOKEN_BEDROCK": ""}, "spec.bedrock.secretRef.name", Reason.SECRET_VALUE_INVALID),
    ],
)
def test_an_aws_identity_that_cannot_be_had(values: dict[str, str], field: str, reason: Reason) -> None:
    found = decided(target("bedrock/*", "bedrock"), others=(aws_keys(**values),))
    assert problems_of(found) == [(field, reason)]
    assert problems_of(found, "ModelRoute") == [("spec.targets[0].credential", Reason.CREDENTIAL_NOT_USABLE)]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"type": "external_account"}, "not the key of a service account"),
        ({"type": "authorized_user"}, "not the key of a service account"),
        ({"private_key": "x"}, "no private key"),
        ({"client_email": "me"}, "has no valid `client_email`"),
        ({"client_email": 5}, "not plain text"),
        ({"project_id": "\u00e9"}, "not plain text"),
        ({"token_uri": "https://evil.example/token"}, "`token_uri` other than"),
        ({"token_uri": "http://169.254.169.254/token"}, "`token_uri` other than"),
        ({"token_uri": "http://127.0.0.1:1/token"}, "`token_uri` other than"),
    ],
)
def test_a_key_file_that_is_not_used(fields: dict[str, Any], wrong: str) -> None:
    found = decided(target("vertex_ai/*", "vertex"), others=(key_file(**fields),))
    assert problems_of(found) == [("spec.vertex.secretRef.key", Reason.SECRET_VALUE_INVALID)]
    assert any(wrong in problem.message for problem in found.problems)
    assert found.policy.routes[0].targets == ()


@pytest.mark.parametrize("value", ["", "{", "[]", "[" * 5000, '"' + "x" * 20_000 + '"'])
def test_a_key_file_that_is_none(value: str) -> None:
    found = decided(target("vertex_ai/*", "vertex"), others=(secret("google", {"key": value}),))
    assert problems_of(found) == [("spec.vertex.secretRef.key", Reason.SECRET_VALUE_INVALID)]


@pytest.mark.parametrize("given", [bedrock(secret="nope"), vertex(secret="nope"), vertex(secret="aws")])
def test_a_secret_that_is_not_there(given: dict[str, Any]) -> None:
    name = given["metadata"]["name"]
    found = decided(target("bedrock/*" if name == "bedrock" else "vertex_ai/*", name), others=(given,))
    (problem,) = problems_of(found)
    assert problem[1] in (Reason.SECRET_NOT_FOUND, Reason.SECRET_KEY_NOT_FOUND)


@pytest.mark.parametrize(
    "egress", [Egress(loopback=True), Egress(hosts=("127.0.0.1",)), Egress(hosts=("127.0.0.1", "tokens.example"))]
)
def test_tokens_may_come_from_where_the_installation_allows(egress: Egress) -> None:
    host = "http://127.0.0.1:8000" if len(egress.hosts) < 2 else "https://tokens.example"
    file = key_file(token_uri=f"{host}/token")
    assert only(decided(target("vertex_ai/*", "vertex"), others=(file,), egress=egress)).secret is not None


@pytest.mark.parametrize(
    ("written", "field", "reason", "hint"),
    [
        (target("bedrock/*", "vertex"), "credential", Reason.CREDENTIAL_MISMATCH, "with `bedrock`"),
        (target("vertex_ai/*", "bedrock"), "credential", Reason.CREDENTIAL_MISMATCH, "with `vertex`"),
        (target("anthropic/*", "bedrock"), "credential", Reason.CREDENTIAL_MISMATCH, "whose provider is"),
        (target("bedrock/*", baseURL="https://x.example"), "credential", Reason.INVALID, "with `bedrock`"),
        (
            target("bedrock/arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-opus-5-5", "bedrock"),
            "model",
            Reason.MODEL_NOT_ALLOWED,
            "as the cloud lists it",
        ),
        (target("bedrock/claude-opus-5-5", "bedrock"), "model", Reason.MODEL_NOT_ALLOWED, "as the cloud lists it"),
        (target("bedrock/*", "bedrock", formats=["Chat"]), "formats", Reason.INVALID, "Messages, CountTokens"),
        (target("vertex_ai/*", "vertex", formats=["Responses"]), "formats", Reason.INVALID, "Messages, CountTokens"),
    ],
)
def test_targets_that_cannot_be(written: dict[str, Any], field: str, reason: Reason, hint: str) -> None:
    found = decided(written)
    assert problems_of(found, "ModelRoute") == [(f"spec.targets[0].{field}", reason)]
    assert hint in found.problems[0].fix


def test_a_rotated_identity_is_a_new_entry() -> None:
    asked = target("bedrock/*", "bedrock")
    before, after = decided(asked), decided(asked, others=(aws_keys(AWS_BEARER_TOKEN_BEDROCK="b"),))
    assert only(before).secret != only(after).secret
    assert only(before).id != only(after).id


def test_an_api_key_and_an_identity_of_one_secret_are_two_entries() -> None:
    both = secret("both", {"api": "sk-key-0123456789", "AWS_BEARER_TOKEN_BEDROCK": "b"})
    found = plan(
        both,
        credential(secret="both"),
        bedrock(secret="both"),
        route(targets=[target(), target("bedrock/*", "bedrock")]),
    )
    assert sorted(entry.rpartition(".")[0] for entry in found.bundle.secrets) == ["default.both", "default.both.api"]


def test_an_unreadable_cloud_credential_is_told() -> None:
    found = plan(manifest("ClaudeCredential", "bedrock", {"bedrock": {"region": "x"}}))
    assert found.statuses[0].conditions[0].type == ConditionType.ACCEPTED
    assert found.statuses[0].conditions[0].status == "False"
