"""A route author as an attacker: no field moves an identity in a cloud, or reaches one that is not theirs."""

from typing import Any

import pytest
from tests.support.builders.objects import (
    NOW,
    VICTIM_KEY,
    aws_keys,
    bedrock,
    key_file,
    manifest,
    plan,
    route,
    served,
    target,
    vertex,
)

from claude_gateway.names import Reason
from claude_gateway.plan.decide import decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.world import Settings


def cloud_victim() -> list[dict[str, Any]]:
    """What is there already: identities of ``default`` in both clouds."""
    return [
        aws_keys(AWS_BEARER_TOKEN_BEDROCK=VICTIM_KEY),
        bedrock(),
        bedrock("pods", secret=None),
        key_file(),
        vertex(),
    ]


CLOUD_MODELS = [
    "bedrock/eu-west-1/anthropic.claude-opus-5-5",
    "bedrock/evil.example/anthropic.claude-opus-5-5",
    "bedrock/arn:aws:bedrock:evil.example/x:123456789012:inference-profile/us.anthropic.claude-opus-5-5",
    "bedrock/arn:aws:bedrock:evil.example:123456789012:inference-profile/us.anthropic.claude-opus-5-5",
    "bedrock/arn:aws:bedrock:us-east-1@evil.example:123456789012:inference-profile/us.anthropic.claude-opus-5-5",
    "bedrock/arn:aws:bedrock:eu-west-1:123456789012:inference-profile/us.anthropic.claude-opus-5-5",
    "bedrock/arn:aws:sagemaker:us-east-1:123456789012:endpoint/x",
    "bedrock/arn:aws:bedrock:us-east-1:123456789012:inference-profile/a/../../b",
    "bedrock/converse/arn:aws:bedrock:evil.example/x:123456789012:inference-profile/us.anthropic.claude-opus-5-5",
    "bedrock/agent/ABCDEF/XYZ",
    "bedrock/agentcore/arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/x",
    "bedrock/mantle/openai.gpt-5.4",
    "bedrock/async_invoke/twelvelabs.marengo",
    "bedrock/llama/arn:aws:bedrock:eu-west-1:123456789012:imported-model/x",
    "bedrock/converse/invoke/anthropic.claude-opus-5-5",
    "bedrock/anthropic.claude/../../x",
    "bedrock/.anthropic.claude",
    "bedrock/anthropic.claude@evil.example",
    "vertex_ai/claude:evil",
    "vertex_ai/projects/victim/locations/global/endpoints/1",
    "vertex_ai/claude/../../x",
    "vertex_ai/@evil.example",
    "vertex_ai/x+y",
]


@pytest.mark.parametrize("model", CLOUD_MODELS)
@pytest.mark.parametrize("formats", [{}, {"formats": ["Messages"]}])
def test_no_model_id_moves_an_identity(model: str, formats: dict[str, Any]) -> None:
    name = "bedrock" if model.startswith("bedrock") else "vertex"
    decided = plan(*cloud_victim(), route("attack", targets=[target(model, name, **formats)]))
    assert served(decided) == []
    assert [p.field for p in decided.problems if p.object.name == "attack"] == ["spec.targets[0].model"]
    assert decided.bundle.secrets == {}


@pytest.mark.parametrize(
    ("name", "model"), [("bedrock", "bedrock/*"), ("pods", "bedrock/amazon.nova-pro-v1:0"), ("vertex", "vertex_ai/*")]
)
@pytest.mark.parametrize(
    "fields",
    [
        {"baseURL": "https://evil.example"},
        {"forwardClientToken": True},
        {"region": "eu-west-1"},
        {"aws_region_name": "eu-west-1"},
        {"location": "evil"},
        {"project": "evil"},
        {"parameters": {"aws_bedrock_runtime_endpoint": "https://evil.example"}},
        {"parameters": {"vertex_location": "evil.example/"}},
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_an_identity_stays_in_its_place_whatever_the_target_says(
    name: str, model: str, fields: dict[str, Any], strict: bool
) -> None:
    attempt = {"model": model, "credential": name, **fields}
    decided = plan(*cloud_victim(), route("attack", targets=[attempt]), strict=strict)
    honest = plan(*cloud_victim(), route("attack", targets=[target(model, name)]))
    assert b"evil" not in decided.bundle.gateway + decided.bundle.litellm
    assert b"eu-west-1" not in decided.bundle.gateway + decided.bundle.litellm
    assert [only.base_url for only in served(decided)] in ([], [only.base_url for only in served(honest)])


@pytest.mark.parametrize("field", ["bedrock", "vertex"])
@pytest.mark.parametrize("text", ["evil.example", "us-east-1/", "../x", "us-east-1@evil", "x y", "os.environ/X", ""])
def test_no_place_is_a_host_of_anybody_else(field: str, text: str) -> None:
    spec = {"region": text} if field == "bedrock" else {"project": "my-project", "location": text}
    decided = plan(
        manifest("ClaudeCredential", "attack", {field: spec}),
        route("attack", targets=[target(f"{'bedrock' if field == 'bedrock' else 'vertex_ai'}/*", "attack")]),
    )
    assert served(decided) == []
    assert text.encode() not in decided.bundle.litellm or not text


def test_an_identity_of_the_pods_is_out_of_reach_without_its_credential() -> None:
    for model in ("bedrock/*", "vertex_ai/*"):
        for fields in ({"baseURL": "https://bedrock-runtime.us-east-1.amazonaws.com"}, {"credential": "nobody"}):
            decided = plan(*cloud_victim(), route("attack", targets=[{"model": model, **fields}]))
            assert served(decided) == []


@pytest.mark.parametrize("name", ["victim/aws", "victim.aws", "../victim/aws"])
def test_an_identity_of_another_namespace_is_out_of_reach(name: str) -> None:
    victim_secret = aws_keys(AWS_BEARER_TOKEN_BEDROCK=VICTIM_KEY)
    victim_secret["metadata"]["namespace"] = "victim"
    stolen = plan(
        victim_secret, bedrock("attack", secret=name), route("attack", targets=[target("bedrock/*", "attack")])
    )
    assert served(stolen) == []
    assert VICTIM_KEY not in repr(stolen)


def test_the_identity_of_the_pods_is_for_the_namespaces_that_the_installation_says() -> None:
    manifests = [
        m
        for namespace in ("gateway", "team")
        for m in (
            bedrock(secret=None, namespace=namespace),
            vertex(secret=None, namespace=namespace),
            route(
                "attack",
                models=[namespace],
                namespace=namespace,
                targets=[target("bedrock/*", "bedrock"), target("vertex_ai/*", "vertex")],
            ),
        )
    ]
    rules = Settings(identity_namespaces=frozenset({"gateway"}))
    decided = decide(read(manifests, rules), NOW)
    assert len(served(decided, "gateway/attack")) == 2
    assert served(decided, "team/attack") == []
    mine = [(p.object.namespace, p.field, p.reason) for p in decided.problems if p.object.kind == "ClaudeCredential"]
    assert mine == [
        ("team", "spec.bedrock.secretRef", Reason.IDENTITY_NOT_ALLOWED),
        ("team", "spec.vertex.secretRef", Reason.IDENTITY_NOT_ALLOWED),
    ]


def test_a_key_file_names_no_address_and_no_program() -> None:
    extras: dict[str, Any] = {
        "credential_source": {"executable": {"command": "id"}, "url": "http://169.254.169.254/"},
        "token_info_url": "https://evil.example",
        "universe_domain": "evil.example",
        "auth_uri": "https://evil.example",
    }
    decided = plan(key_file(**extras), vertex(), route("attack", targets=[target("vertex_ai/*", "vertex")]))
    (held,) = decided.bundle.secrets.values()
    assert b"evil" not in held
    assert b"credential_source" not in held
    assert VICTIM_KEY not in repr(decided)
