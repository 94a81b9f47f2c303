"""Certificates of clients: whose names a client may list, and whose a certificate is that two clients match."""

from typing import Any

import pytest
from tests.support.builders.objects import NOW, manifest, plan, sound

from claude_gateway.contract.certificate_name import CertificateName, NameKind, namespace_of_pods, patterns
from claude_gateway.names import ConditionType, Kind, Reason
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.problem import Severity
from claude_gateway.plan.world import Settings

_ID = "spiffe://example.org/ns/team-a/sa/ci"


def listing(
    *names: dict[str, str], name: str = "dev", namespace: str = "default", created: str | None = None
) -> dict[str, Any]:
    spec = {"certificates": list(names)}
    return manifest(Kind.GATEWAY_CLIENT, name, spec, namespace=namespace, created=created)


def reasons(decided: Plan) -> list[tuple[str, str, Reason]]:
    return [(str(problem.object), problem.field, problem.reason) for problem in decided.problems]


def ranked(decided: Plan) -> list[str]:
    """The names of the clients, the one whose claims come first in front."""
    return [client.name for client in sorted(decided.policy.clients, key=lambda client: client.certificate_rank)]


def test_a_client_has_the_names_as_the_gateway_compares_them() -> None:
    fingerprint = f"sha256:{'0' * 64}"
    decided = plan(
        listing(
            {"uri": _ID},
            {"email": "Alice@Example.COM"},
            {"dns": "Build.Example.com"},
            {"commonName": "Alice"},
            {"fingerprint": fingerprint},
            {"dns": "build.example.com"},
        )
    )
    (client,) = decided.policy.clients
    assert client.certificates == (
        CertificateName(kind=NameKind.URI, value=_ID),
        CertificateName(kind=NameKind.EMAIL, value="Alice@example.com"),
        CertificateName(kind=NameKind.DNS, value="build.example.com"),
        CertificateName(kind=NameKind.COMMON_NAME, value="Alice"),
        CertificateName(kind=NameKind.FINGERPRINT, value=fingerprint),
    )
    assert decided.problems == ()


def test_a_name_belongs_to_the_older_client() -> None:
    old = listing({"email": "alice@example.com"}, namespace="team-a", created="2025-01-01T00:00:00Z")
    young = listing(
        {"email": "alice@EXAMPLE.com"}, {"dns": "b.example"}, namespace="team-b", created="2025-02-01T00:00:00Z"
    )
    decided = plan(young, old)
    assert reasons(decided) == [("GatewayClient team-b/dev", "spec.certificates[0].email", Reason.CERTIFICATE_TAKEN)]
    assert "already belong to GatewayClient team-a/dev" in decided.problems[0].message
    assert [len(client.certificates) for client in decided.policy.clients] == [1, 1]
    assert ranked(decided) == ["team-a/dev", "team-b/dev"]


def test_names_of_two_kinds_do_not_meet() -> None:
    first = listing({"dns": "alice"}, name="a", namespace="team-a")
    second = listing({"commonName": "alice"}, name="b", namespace="team-b")
    assert plan(first, second).problems == ()


def test_the_release_comes_before_all_others() -> None:
    squatter = listing({"commonName": "alice"}, namespace="team-a", created="2025-01-01T00:00:00Z")
    own = listing({"commonName": "alice"}, created="2026-01-01T00:00:00Z")
    decided = plan(squatter, own)
    assert reasons(decided) == [
        ("GatewayClient team-a/dev", "spec.certificates[0].commonName", Reason.CERTIFICATE_TAKEN)
    ]
    assert ranked(decided) == ["default/dev"]


def test_an_older_pattern_covers_younger_names_and_patterns() -> None:
    old = listing({"uri": "spiffe://example.org/*"}, name="old", created="2025-01-01T00:00:00Z")
    young = listing(
        {"uri": _ID},
        {"uri": "spiffe://example.org/ns/*"},
        {"uri": "spiffe://example.net/x"},
        name="young",
        created="2025-02-01T00:00:00Z",
    )
    decided = plan(young, old)
    assert reasons(decided) == [
        ("GatewayClient default/young", f"spec.certificates[{number}].uri", Reason.CERTIFICATE_TAKEN)
        for number in range(2)
    ]
    assert "which lists `spiffe://example.org/*`" in decided.problems[0].message


def test_a_younger_pattern_gets_what_older_names_leave() -> None:
    old = listing({"uri": _ID}, name="old", created="2025-01-01T00:00:00Z")
    young = listing({"uri": "spiffe://example.org/*"}, name="young", created="2025-02-01T00:00:00Z")
    decided = plan(young, old)
    assert decided.problems == ()
    assert ranked(decided) == ["default/old", "default/young"]


def test_a_client_may_list_a_name_beside_its_own_pattern() -> None:
    assert plan(listing({"uri": "spiffe://example.org/*"}, {"uri": _ID}, {"uri": _ID})).problems == ()


@pytest.mark.parametrize(
    "listed",
    [
        "spiffe://example.org/ns/team-b/sa/ci",
        "spiffe://example.org/ns/team-b/*",
        "spiffe://example.org/ns/team-ab/sa/ci",
        "spiffe://example.org/ns/*",
        "spiffe://example.org/*",
        "spiffe://example.org/ns",
        "spiffe://example.org/ns/",
    ],
)
def test_the_pods_of_other_namespaces_are_not_listed(listed: str) -> None:
    decided = plan(listing({"uri": listed}, namespace="team-a"))
    assert reasons(decided) == [
        ("GatewayClient team-a/dev", "spec.certificates[0].uri", Reason.CERTIFICATE_NOT_ALLOWED)
    ]
    assert decided.policy.clients == ()
    assert plan(listing({"uri": listed})).problems == (), "the release's own clients may list any"


@pytest.mark.parametrize(
    "listed",
    [
        _ID,
        "spiffe://example.org/ns/team-a/*",
        "spiffe://example.org/ns/team-a",
        "spiffe://example.org/build/7",
        "spiffe://example.org/build/*",
        "spiffe://example.org",
        "https://example.org/ns/team-b/sa/ci",
        "urn:example:device:7",
    ],
)
def test_other_uris_may_be_listed_in_every_namespace(listed: str) -> None:
    assert plan(listing({"uri": listed}, namespace="team-a")).problems == ()


def test_a_client_with_certificates_alone_is_usable_and_one_whose_names_are_all_taken_is_not() -> None:
    clients = [
        listing({"dns": "a"}, name=name, created=f"2025-01-0{day}T00:00:00Z")
        for day, name in enumerate(("old", "young"), 1)
    ]
    assert [client.name for client in plan(*clients).policy.clients] == ["default/old"]


def unverified(*manifests: dict[str, Any], **settings: Any) -> Plan:
    """Decisions of an installation that verifies no certificates."""
    return decide(read(manifests, Settings(client_certificates=False, **settings)), NOW)


@pytest.mark.parametrize(
    ("settings", "fix"),
    [
        ({"release": "cg"}, ("`tls.clientCA`", "`clients.proxyCertificates`")),
        ({}, ("--tls-client-ca", "CLAUDE_GATEWAY_CLIENT_CERT_FORMAT", "--client-certificates")),
    ],
    ids=["in a cluster", "for files"],
)
def test_a_client_with_certificates_is_warned_where_nobody_verifies_them(
    settings: dict[str, Any], fix: tuple[str, ...]
) -> None:
    decided = unverified(listing({"dns": "a"}, {"dns": "b"}), **settings)
    (problem,) = decided.problems
    assert (problem.severity, problem.reason) == (Severity.WARNING, Reason.CERTIFICATES_UNVERIFIED)
    assert str(problem).startswith("GatewayClient default/dev: spec.certificates: nothing verifies client certificates")
    assert all(setting in problem.fix for setting in fix)
    (status,) = decided.statuses
    found = {condition.type: condition for condition in status.conditions}
    assert found[ConditionType.ACCEPTED].status == "True", "the client's author made no mistake"
    warned = found[ConditionType.WARNINGS]
    assert (warned.status, warned.reason) == ("True", Reason.CERTIFICATES_UNVERIFIED)
    assert warned.message == f"spec.certificates: {problem.message}. {problem.fix}"
    assert [client.name for client in decided.policy.clients] == ["default/dev"], "a proxy may come later"


def test_nobody_else_is_warned_about_certificates() -> None:
    old = listing({"dns": "a"}, created="2025-01-01T00:00:00Z")
    young = listing({"dns": "a"}, name="young", created="2025-02-01T00:00:00Z")
    assert [problem.reason for problem in unverified(*sound()).problems] == []
    decided = unverified(old, young)
    assert [(problem.object.name, problem.reason) for problem in decided.problems] == [
        ("dev", Reason.CERTIFICATES_UNVERIFIED),
        ("young", Reason.CERTIFICATE_TAKEN),
    ], "one whose names are all taken has another problem"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("spiffe://x/a/b", ["spiffe://x/*", "spiffe://x/a/*"]),
        ("spiffe://x/a/*", ["spiffe://x/*", "spiffe://x/a/*"]),
        ("spiffe://x", []),
        ("urn:a/b", []),
        ("", []),
    ],
)
def test_the_patterns_that_match_a_uri(uri: str, expected: list[str]) -> None:
    assert list(patterns(uri)) == expected


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (_ID, "team-a"),
        ("spiffe://example.org/ns/team-a", "team-a"),
        ("spiffe://example.org/ns", None),
        ("spiffe://example.org/build/ns/team-a", None),
        ("spiffe://example.org", None),
        ("https://example.org/ns/team-a/sa/ci", None),
    ],
)
def test_the_namespace_whose_pods_have_an_id(uri: str, expected: str | None) -> None:
    assert namespace_of_pods(uri) == expected
