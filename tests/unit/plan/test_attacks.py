"""A route author as an attacker: no field reads, redirects or smuggles a key that is not theirs."""

import itertools
from typing import Any

import pytest
from tests.support import builders
from tests.support.builders import (
    NOW,
    aws_keys,
    bedrock,
    client,
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
from claude_gateway.names import LABEL_CREDENTIAL, Reason
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.world import Settings, read

VICTIM_KEY = "sk-victim-key-0123456789"


def victim() -> list[dict[str, Any]]:
    """What is there already: a key of the namespace ``victim`` and a key of ``default`` for Anthropic."""
    return [
        secret(values={"api": VICTIM_KEY}, namespace="victim"),
        credential(namespace="victim"),
        secret(values={"api": VICTIM_KEY}),
        credential(),
    ]


def served(decided: Plan, name: str = "default/attack") -> list[Any]:
    return [target for entry in decided.policy.routes if entry.name == name for target in entry.targets]


def attack(*targets: dict[str, Any], egress: Egress | None = None, **fields: Any) -> Plan:
    return plan(*victim(), route("attack", targets=targets, **fields), egress=egress)


MODELS = [
    "os.environ/OPENAI_API_KEY",
    "openai/os.environ/OPENAI_API_KEY",
    "openai/x/OS.ENVIRON/OPENAI_API_KEY",
    "oidc/google/https://evil.example",
    "anthropic/oidc/google/x",
    "anthropic/OIDC/google/x",
    "anthropic/../openai/x",
    "anthropic/x/../../admin",
    "anthropic/x/./y",
    "anthropic/x//y",
    "anthropic/x/",
    "anthropic//x",
    "anthropic/https://evil.example/x",
    "anthropic/x/HTTPS:evil.example",
    "anthropic/http:evil",
    "anthropic/x\nx-api-key: y",
    "anthropic/x\r\n",
    "anthropic/x\n",
    "anthropic/x\x00",
    "anthropic/x y",
    "anthropic/x?key=1",
    "anthropic/x#y",
    "anthropic/x%2f..%2fy",
    "anthropic/mod\u00e8le",
    "anthropic/\uff58",
    "anthropic/x\u202ey",
    "anthropic/{model}",
    "anthropic/$HOME",
    "anthropic/*x",
    "anthropic/x*",
    "anthropic/",
    "/x",
    "anthropic",
    "Anthropic/x",
    "ANTHROPIC/x",
    "anthropic /x",
    "\u0430nthropic/x",
    "auto_router/x",
    "custom/x",
    "huggingface/https://evil.example/x",
    "nlp_cloud/x.evil.example",
    "replicate/x",
]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("fields", [{}, {"baseURL": "https://mine.example"}])
def test_no_model_name_smuggles_anything(model: str, fields: dict[str, str]) -> None:
    decided = attack(target(model, **fields))
    assert served(decided) == []
    assert any(p.object.name == "attack" and p.field == "spec.targets[0].model" for p in decided.problems)
    assert decided.bundle is not None
    assert decided.bundle.secrets == {}


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
    assert decided.bundle is not None
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
    assert decided.bundle is not None
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
    assert decided.bundle is not None
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
    assert decided.bundle is not None
    (held,) = decided.bundle.secrets.values()
    assert b"evil" not in held
    assert b"credential_source" not in held
    assert VICTIM_KEY not in repr(decided)


def test_a_clients_login_cannot_be_had_by_a_route() -> None:
    decided = attack({"model": "anthropic/*", "forwardClientToken": True, "baseURL": "https://evil.example"})
    assert served(decided) == []
    sneaky = attack({"model": "openai/x", "forwardClientToken": True, "baseURL": "https://evil.example"})
    assert served(sneaky) == []


def test_an_alias_takes_no_name_from_anybody() -> None:
    decided = plan(
        *victim(), route("mine", models=["claude-opus"]), route("attack", models=["opus"], namespace="attacker")
    )
    assert [entry.alias for entry in decided.policy.routes] == [None, None]


def test_a_credential_of_another_namespace_is_out_of_reach() -> None:
    reached = plan(
        secret(values={"api": VICTIM_KEY}, namespace="victim"),
        credential(namespace="victim"),
        *(
            route(f"r{i}", models=[f"m{i}"], targets=[target(credential=name)])
            for i, name in enumerate(
                ["anthropic", "victim/anthropic", "victim.anthropic", "../victim/anthropic", "anthropic.victim"]
            )
        ),
    )
    assert all(entry.targets == () for entry in reached.policy.routes)
    assert reached.bundle is not None
    assert reached.bundle.secrets == {}


@pytest.mark.parametrize("name", ["keys", "victim/keys", "victim.keys", "../victim/keys"])
def test_a_secret_of_another_namespace_is_out_of_reach(name: str) -> None:
    stolen = plan(
        secret(values={"api": VICTIM_KEY}, namespace="victim"),
        credential("attack", secret=name),
        route("attack", targets=[target(credential="attack")]),
    )
    assert served(stolen) == []
    assert VICTIM_KEY not in repr(stolen)


def test_a_secret_that_its_owner_did_not_label_is_never_used() -> None:
    for labels in ({}, {LABEL_CREDENTIAL: "false"}, {LABEL_CREDENTIAL: ""}, {"credential": "true"}):
        decided = plan(secret(labels=labels), credential(), client(), route("attack", targets=[target()]))
        assert served(decided) == []
        assert decided.policy.clients == ()
        assert decided.bundle is not None
        assert decided.bundle.secrets == {}


def test_a_key_goes_to_its_own_address_whatever_the_target_says() -> None:
    decided = attack(target(), {"model": "anthropic/x", "credential": "anthropic", "baseURL": "https://evil.example"})
    assert served(decided) == []
    honest = attack(target())
    assert [only.base_url for only in served(honest)] == ["https://api.anthropic.com"]
    assert b"evil.example" not in (decided.bundle.litellm if decided.bundle else b"")


@pytest.mark.parametrize("provider", ["openai", "hosted_vllm", "litellm_proxy", "openrouter", "gemini", "ollama"])
def test_a_key_is_for_its_own_provider_only(provider: str) -> None:
    decided = attack(target(f"{provider}/x", credential="anthropic"))
    assert served(decided) == []
    assert [p.reason for p in decided.problems if p.object.name == "attack"] == [Reason.CREDENTIAL_MISMATCH]


def test_a_keyless_target_gets_no_key() -> None:
    (only,) = served(attack(target("anthropic/x", baseURL="https://mine.example")))
    assert only.secret is None
    decided = attack(target("anthropic/x", baseURL="https://mine.example"))
    assert decided.bundle is not None
    assert b"api_key" not in decided.bundle.litellm


@pytest.mark.parametrize(
    "fields",
    [
        {"api_key": "os.environ/CLAUDE_GATEWAY_KEY_VICTIM"},
        {"apiKey": "os.environ/CLAUDE_GATEWAY_KEY_VICTIM"},
        {"api_base": "https://evil.example"},
        {"organization": "os.environ/CLAUDE_GATEWAY_KEY_VICTIM"},
        {"extra_headers": {"x": "os.environ/X"}},
        {"headers": {}},
        {"parameters": {"organization": "os.environ/CLAUDE_GATEWAY_KEY_VICTIM"}},
        {"parameters": {"extra_body": {"api_key": "x"}}},
        {"parameters": {"reasoningEffort": "os.environ/X"}},
        {"parameters": {"reasoningEffort": "oidc/x"}},
        {"parameters": {"temperature": "os.environ/X"}},
        {"parameters": {"temperature": float("nan")}},
        {"parameters": {"topP": float("inf")}},
        {"maxOutputTokens": "os.environ/X"},
        {"weight": "os.environ/X"},
    ],
)
@pytest.mark.parametrize("strict", [True, False])
def test_no_parameter_smuggles_anything(fields: dict[str, Any], strict: bool) -> None:
    decided = plan(*victim(), route("attack", targets=[target(**fields)]), strict=strict)
    assert decided.bundle is not None
    rendered = (decided.bundle.gateway + decided.bundle.litellm).decode()
    references = [line.strip() for line in rendered.splitlines() if "os.environ/" in line]
    assert all(line.startswith('api_key: "os.environ/CLAUDE_GATEWAY_KEY_DEFAULT_KEYS_API_') for line in references)
    assert not any(
        word in rendered for word in ("VICTIM", "evil", "oidc/", "organization", "extra_", "NaN", "Infinity")
    )


@pytest.mark.parametrize("where", ["target", "credential"])
@pytest.mark.parametrize(
    "base_url",
    [
        "os.environ/URL",
        "oidc/google",
        "http://169.254.169.254/latest",
        "http://2852039166/",
        "http://[::ffff:169.254.169.254]/",
        "http://localhost./",
        "http://LOCALHOST/",
        "http://127.1/",
        "http://0x7f.1/",
        "https://api.anthropic.com@evil.example/",
        "https://evil.example\\@api.anthropic.com/",
        "https://evil.example/?x=https://api.anthropic.com",
        "https://evil.example#api.anthropic.com",
        "https://\uff11\uff12\uff17.\uff10.\uff10.\uff11/",
        "file:///etc/passwd",
        "unix:///run/litellm.sock",
        "http://host/\nx: y",
    ],
)
def test_no_address_reaches_inside(base_url: str, where: str) -> None:
    attacker = secret("mine", values={"api": "sk-attacker-key-0123"})
    if where == "target":
        decided = attack(target("openai/x", baseURL=base_url))
    else:
        decided = plan(
            attacker,
            credential("mine", secret="mine", baseURL=base_url),
            route("attack", targets=[target(credential="mine")]),
        )
    assert served(decided) == []
    assert any("baseURL" in p.field for p in decided.problems)


@pytest.mark.parametrize(
    "namespace", ["../victim", "victim/x", "a.b", "", "A", "x" * 64, "oidc/x", "oidc", "os.environ"]
)
def test_no_namespace_names_another_place(namespace: str) -> None:
    decided = plan(
        secret(namespace=namespace),
        credential(namespace=namespace),
        client(namespace=namespace),
        route(namespace=namespace),
    )
    assert decided.policy.routes == ()
    assert decided.policy.clients == ()
    assert decided.bundle is not None
    assert decided.bundle.secrets == {}


def test_entries_of_the_secret_part_are_plain_file_names() -> None:
    wild = secret("a" + "." * 100 + "b", values={"..": VICTIM_KEY, "a.b": f"{VICTIM_KEY}2"})
    decided = plan(
        wild,
        *(credential(f"c{i}", secret=wild["metadata"]["name"], key=key) for i, key in enumerate(["..", "a.b"])),
        route(targets=[target(credential="c0"), target(credential="c1")]),
    )
    assert decided.bundle is not None
    assert len(decided.bundle.secrets) == 2
    for entry in decided.bundle.secrets:
        assert "/" not in entry
        assert len(entry) <= 249
        assert entry.startswith("default.a")


def test_an_older_route_elsewhere_takes_a_name_but_never_a_key() -> None:
    decided = plan(
        *victim(),
        route("mine"),
        route("attack", namespace="attacker", created="1960-01-01T00:00:00Z", targets=[target()]),
    )
    assert served(decided, "attacker/attack") == []
    assert decided.bundle is not None
    assert decided.bundle.secrets == {}


def test_a_client_key_of_another_namespace_cannot_be_read() -> None:
    decided = plan(secret(namespace="victim"), client("attack"))
    assert decided.policy.clients == ()


def test_a_foreign_document_changes_nothing() -> None:
    attacks = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "keys", "namespace": "default"},
            "stringData": {"api": "evil"},
        },
        manifest(
            "ClaudeCredential",
            "anthropic",
            {"apiKey": {"provider": "anthropic", "secretRef": {"name": "x"}, "baseURL": "https://evil.example"}},
        ),
        {"apiVersion": "evil.io/v1", "kind": "ModelRoute", "metadata": {"name": "sonnet"}, "spec": {}},
    ]
    before = plan(*builders.sound())
    for extra in itertools.chain(*(itertools.combinations(attacks, n) for n in (1, 2, 3))):
        after = plan(*builders.sound(), *extra)
        assert (after.policy, after.bundle) == (before.policy, before.bundle)
