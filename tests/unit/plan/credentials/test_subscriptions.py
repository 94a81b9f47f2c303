"""A person's subscription serves only its owner, however objects try to share it."""

import json
from typing import Any

import pytest
from tests.support.builders.objects import (
    LOGIN_TOKEN,
    Manifest,
    client,
    credential,
    login_file,
    plan,
    route,
    secret,
    setup_token,
    subscription,
    target,
)
from tests.support.builders.subscriptions import ALICE, BACKEND_KEY, URL, decided, only

from claude_gateway.contract.policy import Egress
from claude_gateway.names import ConditionType, Reason
from claude_gateway.plan.decide import Plan
from claude_gateway.plan.problem import Severity

ONLY_ALICE = {"from": "Clients", "clients": ["alice"]}


def mine(**fields: Any) -> Manifest:
    """A route to Alice's subscription for her client alone."""
    return route("mine", **{"models": ["sonnet"], "targets": [to()], "allowedClients": ONLY_ALICE, **fields})


def to(credential: str = "mine", model: str = "claude-code/sonnet", **fields: Any) -> Manifest:
    return target(model, credential, **fields)


def alice(**fields: Any) -> Manifest:
    return client("alice", owner=ALICE, **fields)


def sound() -> list[Manifest]:
    return [secret(), setup_token(), subscription(), alice(), mine()]


def targets(plan: Plan, name: str = "default/mine") -> list[Any]:
    return [target for entry in plan.policy.routes if entry.name == name for target in entry.targets]


@pytest.mark.parametrize("around", ["{}", "\ufeff{}", "{}\r\n", "\ufeff {} \n"])
@pytest.mark.parametrize("method", ["SetupToken", "Login"])
def test_a_secret_that_was_written_by_hand_may_have_a_mark_and_line_ends(method: str, around: str) -> None:
    file = json.dumps({"claudeAiOauth": {"accessToken": LOGIN_TOKEN, "refreshToken": "", "scopes": None}, "x": 1})
    key, text = ("token", LOGIN_TOKEN) if method == "SetupToken" else (".credentials.json", file)
    found = decided(secret(), secret("login", {key: around.format(text)}), subscription(method=method), alice(), mine())
    assert found.problems == ()
    (rendered,) = targets(found)
    assert found.bundle.secrets[rendered.login] == LOGIN_TOKEN.encode()


def test_the_owner_is_served_by_the_backend_with_their_own_login() -> None:
    found = decided(*sound())
    assert found.problems == ()
    (rendered,) = targets(found)
    assert (rendered.base_url, rendered.wire, rendered.model) == (URL, "Anthropic", "sonnet")
    assert found.bundle.secrets[rendered.secret] == BACKEND_KEY
    assert found.bundle.secrets[rendered.login] == LOGIN_TOKEN.encode()
    (entry,) = found.policy.routes
    assert entry.only_clients == ("default/alice",)
    assert LOGIN_TOKEN not in found.policy.model_dump_json()
    assert LOGIN_TOKEN.encode() not in found.bundle.litellm


def test_the_data_plane_may_reach_the_backend_and_authors_may_not() -> None:
    assert decided(*sound(), claude_code_url="http://localhost:4100").policy.egress.hosts == ("localhost",)
    allowed = Egress(hosts=("localhost",))
    assert decided(*sound(), claude_code_url="http://localhost:4100", egress=allowed).policy.egress == allowed
    assert decided(secret(), credential(), client(), route()).policy.egress == Egress()


def test_a_refreshed_login_is_another_entry_of_the_same_slice() -> None:
    before, after = decided(*sound()), decided(secret(), setup_token(token=LOGIN_TOKEN + "2"), *sound()[2:])
    assert targets(before)[0].login.rpartition(".")[0] == targets(after)[0].login.rpartition(".")[0]
    assert targets(before)[0].login != targets(after)[0].login


def test_claude_codes_own_file_is_read_and_only_its_access_token_leaves_it() -> None:
    found = decided(secret(), login_file(), subscription(method="Login"), alice(), mine())
    assert found.problems == ()
    assert found.bundle.secrets[targets(found)[0].login] == LOGIN_TOKEN.encode()
    assert not any(b"sk-ant-ort01" in value for value in found.bundle.secrets.values())


def test_nothing_works_unless_the_installation_runs_claude_code() -> None:
    found = plan(*sound())
    first = found.problems[0]
    assert (first.field, first.reason) == ("spec.subscription", Reason.SUBSCRIPTIONS_OFF)
    assert "docs/terms.md" in first.fix
    assert targets(found) == []
    assert LOGIN_TOKEN.encode() not in found.bundle.secrets.values()


BOB = client("bob", owner="bob@example.com", secret="bobs")
BOBS = secret("bobs", {"client": "cgw_key-of-bob-0123456789abcdef"})


@pytest.mark.parametrize(
    ("change", "at", "says"),
    [
        ({"allowedClients": {"from": "Same"}}, "spec.allowedClients.from", "more clients than that person's"),
        ({"allowedClients": {"from": "All"}}, "spec.allowedClients.from", "more clients than that person's"),
        (
            {"allowedClients": {"from": "Namespaces", "namespaces": ["default"]}},
            "spec.allowedClients.from",
            "more clients than that person's",
        ),
        (
            {"allowedClients": {"from": "Clients", "clients": ["alice", "bob"]}},
            "spec.allowedClients.clients[1]",
            "GatewayClient default/bob belongs to `bob@example.com`",
        ),
        (
            {"allowedClients": {"from": "Clients", "clients": ["ci"]}},
            "spec.allowedClients.clients[0]",
            "GatewayClient default/ci has no `owner`",
        ),
    ],
)
def test_a_route_for_others_than_the_owner_is_rejected(change: Any, at: str, says: str) -> None:
    ci = client("ci", keys=["ci"], secret="cis")
    cis = secret("cis", {"ci": "cgw_key-of-ci-0123456789abcdefgh"})
    found = decided(*sound()[:-1], BOB, BOBS, ci, cis, mine(**change))
    problem = only(found)
    assert (problem.object.name, problem.field, problem.reason) == ("mine", at, Reason.SUBSCRIPTION_SHARED)
    assert says in problem.message
    assert "Anthropic's terms do not allow it, see docs/terms.md" in problem.message
    assert ALICE in problem.fix
    assert targets(found) == []
    (status,) = (status for status in found.statuses if status.object.kind == "ModelRoute")
    assert (status.conditions[0].type, status.conditions[0].status) == (ConditionType.ACCEPTED, "False")


def test_the_default_is_the_clients_of_the_namespace_and_is_rejected_too() -> None:
    found = decided(*sound()[:-1], route("mine", models=["sonnet"], targets=[to()]))
    assert only(found).field == "spec.allowedClients.from"
    assert targets(found) == []


def test_a_rejected_subscription_leaves_the_other_targets_of_the_route_alone() -> None:
    shared = mine(targets=[to(), target()], allowedClients={"from": "Same"})
    found = decided(*sound()[:-1], credential(), shared)
    assert [each.provider for each in targets(found)] == ["anthropic"]
    (status,) = (status for status in found.statuses if status.object.kind == "ModelRoute")
    assert (status.conditions[0].status, status.conditions[0].reason) == ("True", Reason.PARTIALLY_ACCEPTED)


def test_an_owners_own_key_may_take_over_for_their_subscription() -> None:
    found = decided(*sound()[:-1], credential(), mine(targets=[to(), to(model="claude-code/opus"), target()]))
    assert found.problems == ()
    assert len(targets(found)) == 3


def test_a_client_that_does_not_exist_is_only_worth_a_warning() -> None:
    found = decided(*sound()[:-1], mine(allowedClients={"from": "Clients", "clients": ["alice", "laptop"]}))
    problem = only(found)
    assert (problem.reason, problem.severity) == (Reason.CLIENT_NOT_FOUND, Severity.WARNING)
    assert len(targets(found)) == 1


def test_logins_are_never_pooled_in_a_route() -> None:
    second = [subscription("second", secret="other"), setup_token("other", LOGIN_TOKEN + "other")]
    found = decided(*sound()[:-1], *second, mine(targets=[to(), to("second"), to("second", priority=1)]))
    assert [(problem.field, problem.reason) for problem in found.problems] == [
        ("spec.targets[1].credential", Reason.SUBSCRIPTION_SHARED),
        ("spec.targets[2].credential", Reason.SUBSCRIPTION_SHARED),
    ]
    assert "one login never replaces another" in found.problems[0].message
    assert targets(found) == []


OLD, NEW = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


def test_a_secret_belongs_to_the_oldest_credential_that_names_it() -> None:
    two = [subscription(created=NEW, owner="bob@example.com"), subscription("older", created=OLD)]
    found = decided(secret(), setup_token(), *two)
    problem = only(found)
    assert (problem.object.name, problem.field, problem.reason) == (
        "mine",
        "spec.subscription.secretName",
        Reason.SUBSCRIPTION_SHARED,
    )
    assert "Secret default/login already belongs to ClaudeCredential default/older" in problem.message


def test_a_copy_of_a_login_in_another_namespace_is_the_same_login() -> None:
    there = [setup_token(namespace="other"), subscription(namespace="other", created=NEW)]
    found = decided(secret(), setup_token(), subscription(created=OLD), *there)
    problem = only(found)
    assert (problem.object.namespace, problem.reason) == ("other", Reason.SUBSCRIPTION_SHARED)
    assert "also that of ClaudeCredential default/mine" in problem.message


def test_a_copy_of_a_login_is_known_by_its_refresh_token_too() -> None:
    files = [login_file(), login_file("copy", accessToken=LOGIN_TOKEN + "refreshed")]
    two = [
        subscription(method="Login", created=OLD),
        subscription("copy", method="Login", secret="copy", created=NEW),
    ]
    problem = only(decided(*files, *two))
    assert (problem.object.name, problem.reason) == ("copy", Reason.SUBSCRIPTION_SHARED)


def test_an_account_has_one_owner() -> None:
    second: dict[str, Any] = {"accessToken": LOGIN_TOKEN + "2", "refreshToken": None, "accountUuid": "one"}
    files = [login_file(accountUuid="one"), login_file("bobs-login", **second)]
    first = subscription(method="Login", created=OLD)
    bobs: dict[str, Any] = {"method": "Login", "secret": "bobs-login", "created": NEW}
    problem = only(decided(*files, first, subscription("bobs", owner="bob@example.com", **bobs)))
    assert (problem.object.name, problem.field) == ("bobs", "spec.subscription.owner")
    assert f"whose owner is `{ALICE}`" in problem.message
    assert decided(*files, first, subscription("bobs", owner=ALICE, **bobs)).problems == ()


@pytest.mark.parametrize("token", [LOGIN_TOKEN, LOGIN_TOKEN.upper(), "sk-ant-ort01-" + "c" * 40])
def test_a_login_is_not_an_api_key(token: str) -> None:
    found = plan(secret(values={"api": token, "client": "cgw_test-key-of-alice-0123456789"}), credential(), client())
    problem = only(found)
    assert (problem.field, problem.reason) == ("spec.apiKey.secretRef.key", Reason.SUBSCRIPTION_SHARED)
    assert token not in str(problem)


@pytest.mark.parametrize(
    "address",
    [
        URL,
        "http://cg-claude-code:4100",
        "http://cg-claude-code.gateway:4100/",
        "http://CG-claude-code.gateway.svc.cluster.local:4100",
    ],
)
def test_the_backend_is_not_a_server_that_others_may_name(address: str) -> None:
    found = decided(
        secret(),
        client(),
        credential(baseURL=address),
        route(targets=[target("anthropic/x", baseURL=address)]),
    )
    assert {(problem.object.kind, problem.reason) for problem in found.problems} == {
        ("ClaudeCredential", Reason.SUBSCRIPTION_SHARED),
        ("ModelRoute", Reason.SUBSCRIPTION_SHARED),
    }


@pytest.mark.parametrize(
    "address", ["http://cg-claude-code.gateway.svc:4101", "http://vllm.models.svc:4100", "http://cg-claude-code.other"]
)
def test_other_servers_may_be_named(address: str) -> None:
    assert (
        decided(secret(), client(), credential(), route(targets=[target("anthropic/x", baseURL=address)])).problems
        == ()
    )


def test_an_installation_with_an_impossible_address_rejects_nobodys_server() -> None:
    there = credential(baseURL="http://backend.example")
    assert decided(secret(), client(), there, claude_code_url="http://backend.example:99999").problems == ()


def test_an_address_that_is_none_is_not_the_backends() -> None:
    found = decided(secret(), client(), route(targets=[target("anthropic/x", baseURL="http://[::1]:99999")]))
    assert only(found).reason is Reason.INVALID


def test_a_key_and_a_subscription_are_not_taken_for_each_other() -> None:
    found = decided(
        *sound(),
        credential(),
        route("one", models=["a"], targets=[target("claude-code/sonnet", "anthropic")]),
        route("two", models=["b"], targets=[target("anthropic/x", "mine")], allowedClients=ONLY_ALICE),
        route("three", models=["c"], targets=[target("claude-code/x", baseURL="http://claude.example")]),
    )
    assert [(problem.object.name, problem.reason) for problem in found.problems] == [
        ("one", Reason.CREDENTIAL_MISMATCH),
        ("three", Reason.INVALID),
        ("two", Reason.CREDENTIAL_MISMATCH),
    ]
    assert "Use a credential with `subscription`." in found.problems[0].fix
    assert "ClaudeCredential with `subscription`" in found.problems[1].fix


def test_nobody_judges_with_another_persons_subscription() -> None:
    judged = route("other", models=["gpt"], targets=[target()], safeguardsModel="sonnet")
    problem = only(decided(*sound(), credential(), judged))
    assert (problem.object.name, problem.reason) == ("other", Reason.MODEL_NOT_FOUND)
