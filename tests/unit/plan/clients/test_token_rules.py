"""Signed tokens and ServiceAccounts of clients: whose they may be, and what the data plane gets."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.builders.objects import manifest, plan, secret

from claude_gateway.contract.client import ClusterIssuer, TokenRule
from claude_gateway.contract.policy import Egress
from claude_gateway.names import Kind, Reason
from claude_gateway.plan.clients.token_rules import MOST_RULES, MOST_SOURCES
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.problem import Severity
from claude_gateway.plan.world import ClusterKeys, Settings

ISSUER = "https://login.example.com"
SECRET = "a-secret-of-more-than-32-characters!"
_KEYS = ClusterKeys("https://k8s", '{"keys":[]}')
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def jwt(*entries: dict[str, Any], name: str = "dev", namespace: str = "default", created: str | None = None) -> Any:
    return manifest(Kind.GATEWAY_CLIENT, name, {"jwt": list(entries)}, namespace=namespace, created=created)


def issuer(**fields: Any) -> dict[str, Any]:
    return {"issuer": ISSUER, "audiences": ["gw"], **fields}


def reasons(decided: Plan) -> list[tuple[str, str, Reason]]:
    return [(problem.object.namespace, problem.field, problem.reason) for problem in decided.problems]


def test_a_rule_has_everything_that_the_gateway_needs() -> None:
    entry = issuer(jwksURL=f"{ISSUER}/keys", claims={"groups": ["b", "a"]}, userClaim="email", teamClaim="department")
    decided = plan(jwt(entry))
    (client,) = decided.policy.clients
    assert client.tokens == (
        TokenRule(
            issuer=ISSUER,
            jwks_url=f"{ISSUER}/keys",
            audiences=("gw",),
            claims={"groups": ("b", "a")},
            user="email",
            team="department",
        ),
    )
    assert decided.problems == ()


def test_the_secret_of_hs256_is_only_in_the_secret_part() -> None:
    decided = plan(secret("old", {"key": SECRET}), jwt({"secretRef": {"name": "old"}}))
    (client,) = decided.policy.clients
    (entry,) = client.entries
    assert decided.bundle.secrets == {entry: SECRET.encode()}
    assert SECRET not in decided.bundle.gateway.decode() + repr(decided)


@pytest.mark.parametrize(
    ("value", "reason", "severity", "usable"),
    [
        ("short", Reason.KEY_TOO_SHORT, Severity.ERROR, False),
        ("sixteen-chars-ok", Reason.KEY_TOO_SHORT, Severity.WARNING, True),
        ("", Reason.SECRET_VALUE_INVALID, Severity.ERROR, False),
    ],
)
def test_a_bad_secret(value: str, reason: Reason, severity: Severity, usable: bool) -> None:
    decided = plan(secret("old", {"key": value}), jwt({"secretRef": {"name": "old"}}))
    (problem,) = decided.problems
    assert (problem.field.startswith("spec.jwt[0].secretRef"), problem.reason, problem.severity) == (
        True,
        reason,
        severity,
    )
    assert bool(decided.policy.clients) == usable


def test_an_issuer_belongs_to_the_namespace_of_the_oldest_client() -> None:
    old = jwt(issuer(), namespace="team-a", created="2025-01-01T00:00:00Z")
    young = jwt(issuer(), namespace="team-b", created="2025-02-01T00:00:00Z")
    assert reasons(plan(young, old)) == [("team-b", "spec.jwt[0].issuer", Reason.ISSUER_TAKEN)]
    second = jwt(issuer(claims={"groups": ["x"]}), name="second", namespace="team-a")
    assert reasons(plan(old, second)) == []


def test_an_issuer_belongs_to_the_release_before_all_others() -> None:
    squatter = jwt(issuer(), namespace="team-a", created="2025-01-01T00:00:00Z")
    own = jwt(issuer(), created="2026-01-01T00:00:00Z")
    decided = plan(squatter, own)
    assert reasons(decided) == [("team-a", "spec.jwt[0].issuer", Reason.ISSUER_TAKEN)]
    assert [client.name for client in decided.policy.clients] == ["default/dev"]


def test_old_tokens_of_two_tenants_do_not_meet() -> None:
    tenants = [
        part
        for name in ("team-a", "team-b")
        for part in (
            secret("old", {"key": f"{SECRET}{name}"}, namespace=name),
            jwt({"secretRef": {"name": "old"}, "issuer": ISSUER}, namespace=name),
        )
    ]
    decided = plan(*tenants)
    assert decided.problems == ()
    assert len({entry for client in decided.policy.clients for entry in client.entries}) == 2


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example.com",
        "https://127.0.0.1/x",
        "https://localhost:8443",
        "https://169.254.169.254",
        "https://metadata.google.internal",
        "https://10.0.0.7/realms/x",
        "https://192.168.1.1",
        "https://[fd00::1]",
        "https://[::1]",
        "https://100.64.0.1",
        "https://0x7f.1",
        "https://2130706433",
        "https://1.2.3.999",
    ],
)
@pytest.mark.parametrize("field", ["issuer", "jwksURL"])
def test_keys_are_fetched_from_public_https_addresses(url: str, field: str) -> None:
    decided = plan(jwt(issuer(**{field: url})))
    assert reasons(decided) == [("default", f"spec.jwt[0].{field}", Reason.ADDRESS_NOT_ALLOWED)]
    assert decided.policy.clients == ()


@pytest.mark.parametrize(
    ("url", "egress"),
    [
        ("http://127.0.0.1:8080", Egress(loopback=True)),
        ("http://localhost:8080", Egress(loopback=True)),
        ("http://keycloak.auth.svc:8080", Egress(hosts=("keycloak.auth.svc",))),
        ("https://10.0.0.7", Egress(hosts=("10.0.0.7",))),
        ("https://keycloak.auth.svc", Egress()),
    ],
)
def test_the_installation_allows_more_addresses(url: str, egress: Egress) -> None:
    world = read([jwt(issuer(issuer=url))], Settings(egress=egress))
    assert decide(world, _NOW).problems == ()


def test_an_issuer_whose_keys_are_elsewhere_may_be_anything() -> None:
    inside = issuer(issuer="https://10.0.0.7", jwksURL="https://login.example.com/keys")
    assert plan(jwt(inside)).problems == ()


def test_the_secrets_that_one_token_is_tried_with_are_bounded() -> None:
    stored = [secret(f"s{number}", {"key": f"{SECRET}{number}"}) for number in range(65)]
    entries = [
        jwt(
            {"secretRef": {"name": f"s{number}"}},
            name=f"c{number}",
            created=f"2025-01-01T00:{number // 60:02}:{number % 60:02}Z",
        )
        for number in range(65)
    ]
    decided = plan(*stored, *entries)
    assert [(problem.object.name, problem.reason) for problem in decided.problems] == [("c64", Reason.TOO_MANY_SECRETS)]
    assert len(decided.policy.clients) == 64


def accounts(*listed: dict[str, str], name: str = "ci", namespace: str = "default", created: str | None = None) -> Any:
    return manifest(Kind.GATEWAY_CLIENT, name, {"serviceAccounts": list(listed)}, namespace=namespace, created=created)


def in_cluster(*manifests: Any, keys: ClusterKeys | None = _KEYS) -> Plan:
    world = read(manifests, Settings(release="cg", audience="claude-gateway/default/cg"))
    return decide(replace(world, cluster=keys), _NOW)


def test_a_client_names_service_accounts_of_its_own_namespace() -> None:
    decided = in_cluster(accounts({"name": "runner"}, {"name": "runner", "namespace": "team-a"}, namespace="team-a"))
    (client,) = decided.policy.clients
    assert client.service_accounts == ("team-a/runner",)
    assert decided.policy.cluster == ClusterIssuer(
        issuer="https://k8s", audience="claude-gateway/default/cg", keys='{"keys":[]}'
    )
    assert decided.problems == ()


def test_only_the_releases_own_clients_name_those_of_other_namespaces() -> None:
    decided = in_cluster(
        accounts({"name": "runner", "namespace": "team-a"}),
        accounts({"name": "other", "namespace": "team-b"}, namespace="team-a"),
    )
    assert [client.service_accounts for client in decided.policy.clients] == [("team-a/runner",)]
    assert reasons(decided) == [("team-a", "spec.serviceAccounts[0].namespace", Reason.SERVICE_ACCOUNT_NOT_ALLOWED)]


def test_a_service_account_belongs_to_one_client() -> None:
    old = accounts({"name": "runner"}, namespace="team-a", created="2025-01-01T00:00:00Z")
    young = accounts({"name": "runner", "namespace": "team-a"}, created="2025-02-01T00:00:00Z")
    decided = in_cluster(young, old)
    assert [client.name for client in decided.policy.clients] == ["team-a/ci"]
    assert reasons(decided) == [("default", "spec.serviceAccounts[0].name", Reason.SERVICE_ACCOUNT_TAKEN)]


def test_without_the_keys_of_the_cluster_nobody_is_verified() -> None:
    decided = in_cluster(accounts({"name": "runner"}), keys=None)
    assert decided.policy.cluster is None
    assert reasons(decided) == [("default", "spec.serviceAccounts", Reason.ISSUER_UNKNOWN)]
    outside = plan(accounts({"name": "runner"}))
    assert [(problem.reason, problem.severity) for problem in outside.problems] == [
        (Reason.ISSUER_UNKNOWN, Severity.WARNING)
    ]


def test_the_keys_of_the_cluster_are_there_only_where_they_are_needed() -> None:
    assert in_cluster(jwt(issuer())).policy.cluster is None


def test_the_entries_of_a_namespace_for_one_issuer_are_bounded() -> None:
    """The gateway compares a token with each of them."""
    full = [
        jwt(*[issuer(claims={"n": [str(number)]})] * 8, name=f"c{number}", created="2025-01-01T00:00:00Z")
        for number in range(MOST_RULES // 8)
    ]
    young = jwt(issuer(), issuer(issuer=f"{ISSUER}/other"), name="young", created="2026-01-01T00:00:00Z")
    decided = plan(*full, young)
    (kept,) = [client for client in decided.policy.clients if client.name == "default/young"]
    assert [rule.issuer for rule in kept.tokens] == [f"{ISSUER}/other"]
    assert reasons(decided) == [("default", "spec.jwt[0]", Reason.TOO_LARGE)]


def test_the_addresses_for_the_keys_of_one_issuer_are_bounded() -> None:
    """One token with a made-up key would have the gateway ask all of them."""
    entries = [issuer(jwksURL=f"{ISSUER}/{number}") for number in range(MOST_SOURCES + 1)]
    clients = [
        jwt(*entries[:8], created="2025-01-01T00:00:00Z"),
        jwt(entries[8], entries[0], name="young", created="2026-01-01T00:00:00Z"),
    ]
    decided = plan(*clients)
    assert [len(client.tokens) for client in decided.policy.clients] == [8, 1]
    assert reasons(decided) == [("default", "spec.jwt[0].jwksURL", Reason.TOO_LARGE)]
