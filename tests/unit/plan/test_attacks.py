"""A route author as an attacker: no field reads, redirects or smuggles a key that is not theirs."""

import itertools
from typing import Any

import pytest
from tests.support.builders import objects as builders
from tests.support.builders.objects import (
    VICTIM_KEY,
    client,
    credential,
    manifest,
    plan,
    route,
    secret,
    served,
    target,
)

from claude_gateway.contract.policy import Egress
from claude_gateway.names import LABEL_CREDENTIAL, Reason
from claude_gateway.plan.decide import Plan


def victim() -> list[dict[str, Any]]:
    """What is there already: a key of the namespace ``victim`` and a key of ``default`` for Anthropic."""
    return [
        secret(values={"api": VICTIM_KEY}, namespace="victim"),
        credential(namespace="victim"),
        secret(values={"api": VICTIM_KEY}),
        credential(),
    ]


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
    assert decided.bundle.secrets == {}


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
        assert decided.bundle.secrets == {}


def test_a_key_goes_to_its_own_address_whatever_the_target_says() -> None:
    decided = attack(target(), {"model": "anthropic/x", "credential": "anthropic", "baseURL": "https://evil.example"})
    assert served(decided) == []
    honest = attack(target())
    assert [only.base_url for only in served(honest)] == ["https://api.anthropic.com"]
    assert b"evil.example" not in decided.bundle.litellm


@pytest.mark.parametrize("provider", ["openai", "hosted_vllm", "litellm_proxy", "openrouter", "gemini", "ollama"])
def test_a_key_is_for_its_own_provider_only(provider: str) -> None:
    decided = attack(target(f"{provider}/x", credential="anthropic"))
    assert served(decided) == []
    assert [p.reason for p in decided.problems if p.object.name == "attack"] == [Reason.CREDENTIAL_MISMATCH]


def test_a_keyless_target_gets_no_key() -> None:
    (only,) = served(attack(target("anthropic/x", baseURL="https://mine.example")))
    assert only.secret is None
    decided = attack(target("anthropic/x", baseURL="https://mine.example"))
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
    assert decided.bundle.secrets == {}


def test_entries_of_the_secret_part_are_plain_file_names() -> None:
    wild = secret("a" + "." * 100 + "b", values={"..": VICTIM_KEY, "a.b": f"{VICTIM_KEY}2"})
    decided = plan(
        wild,
        *(credential(f"c{i}", secret=wild["metadata"]["name"], key=key) for i, key in enumerate(["..", "a.b"])),
        route(targets=[target(credential="c0"), target(credential="c1")]),
    )
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
