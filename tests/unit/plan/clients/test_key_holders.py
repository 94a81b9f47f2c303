"""Whose each client key is: keys, hashes and lists of people; and when a key ends."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.builders.objects import CLIENT_KEY, manifest, plan, secret, world

from claude_gateway.contract import client_keys
from claude_gateway.contract.bundle import BundleError
from claude_gateway.contract.client_keys import Holder
from claude_gateway.names import Kind, Reason
from claude_gateway.plan.clients.key_holders import LONGEST_LIST, MOST_LISTED
from claude_gateway.plan.decide import Plan, decide
from claude_gateway.plan.problem import Severity

_END = "2027-01-31T00:00:00Z"
_SECONDS = int(datetime(2027, 1, 31, tzinfo=UTC).timestamp())


def hashed(key: str) -> str:
    return f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def client(*keys: dict[str, Any], name: str = "team", created: str | None = None, namespace: str = "default") -> Any:
    spec = {"keys": list(keys)}
    return manifest(Kind.GATEWAY_CLIENT, name, spec, created=created, namespace=namespace)


def holders(decided: Plan) -> dict[str, Holder]:
    entry = decided.policy.client_keys
    return {} if entry is None else client_keys.read(decided.bundle.secrets[entry])


def decided_at(*manifests: object, at: datetime) -> Plan:
    return decide(world(*manifests), at)


def digest(key: str) -> str:
    return hashed(key).removeprefix("sha256:")


def test_a_hash_serves_in_place_of_the_key() -> None:
    written = client({"hash": hashed("one"), "user": "bob", "team": "red", "expiresAt": _END})
    assert holders(plan(written)) == {digest("one"): Holder("default/team", "bob", "red", _SECONDS)}
    stored = secret("stored", {"key": f"{hashed('two')}\n"})
    assert holders(plan(stored, client({"secretRef": {"name": "stored"}}))) == {digest("two"): Holder("default/team")}


def test_a_list_of_people() -> None:
    lines = f"""
# the platform team
alice@example.com {hashed("a1")}
alice@example.com {hashed("a2")} expires={_END} team=platform
bob {hashed("b")}   team=red\r
"""
    decided = plan(secret("people", {"key": lines}), client({"hashesFrom": {"name": "people"}}))
    assert holders(decided) == {
        digest("a1"): Holder("default/team", "alice@example.com"),
        digest("a2"): Holder("default/team", "alice@example.com", "platform", _SECONDS),
        digest("b"): Holder("default/team", "bob", "red"),
    }
    assert decided.problems == ()


@pytest.mark.parametrize(
    "line",
    [
        "alice",
        "alice cgw_the-key-itself-0123456789",
        f"alice {hashed('x').upper()}",
        f"alice@ {hashed('x')}",
        f"{'a' * 255} {hashed('x')}",
        f"alice {hashed('x')} expires=tomorrow",
        f"alice {hashed('x')} expires=2027-02-30T00:00:00Z",
        f"alice {hashed('x')} {_END}",
        f"alice {hashed('x')} team=",
        f"alice {hashed('x')} color=red",
        f"alice {hashed('x')} team=a team=b",
        f"alice {hashed('x')} x y",
        f"{hashed('x')} alice",
        "\udcff\x00",
    ],
)
def test_a_line_that_is_not_in_form_is_named_and_never_shown(line: str) -> None:
    text = f"ok {hashed('ok')}\n{line}\n".encode("utf-8", "replace").decode()
    decided = plan(secret("people", {"key": text}), client({"hashesFrom": {"name": "people"}}))
    assert set(holders(decided)) == {digest("ok")}
    (problem,) = decided.problems
    assert (problem.field, problem.reason) == ("spec.keys[0].hashesFrom", Reason.HASHES_INVALID)
    assert problem.message.endswith(": 2")
    assert "cgw_the-key" not in repr(decided)


def test_many_bad_lines_are_one_problem() -> None:
    decided = plan(secret("people", {"key": "bad\n" * 8}), client({"hashesFrom": {"name": "people"}}))
    (problem,) = decided.problems
    assert problem.message.endswith("1, 2, 3, 4, 5, ...")


@pytest.mark.parametrize("text", ["", "\n\n", "# nobody\n"])
def test_an_empty_list_is_a_problem(text: str) -> None:
    (problem,) = plan(secret("people", {"key": text}), client({"hashesFrom": {"name": "people"}})).problems
    assert "empty" in problem.message


def test_a_list_is_bounded() -> None:
    lines = "".join(f"p{number} {hashed(str(number))}\n" for number in range(10_002))
    decided = plan(secret("people", {"key": lines}), client({"hashesFrom": {"name": "people"}}))
    assert len(holders(decided)) == 10_000
    assert decided.problems[0].message.endswith("10001, 10002")


@pytest.mark.parametrize(
    ("ref", "reason"),
    [
        ({"name": "gone"}, Reason.SECRET_NOT_FOUND),
        ({"name": "people", "key": "gone"}, Reason.SECRET_KEY_NOT_FOUND),
        ({"name": "bare"}, Reason.SECRET_NOT_LABELLED),
    ],
)
def test_a_list_that_cannot_be_read(ref: dict[str, str], reason: Reason) -> None:
    bare = secret("bare", {"key": "x"}, labels={})
    decided = plan(secret("people", {"other": "x"}), bare, client({"hashesFrom": ref}))
    assert [problem.reason for problem in decided.problems] == [reason]


def test_who_has_the_key_itself_comes_before_who_has_its_hash() -> None:
    """Hashes may be read by others than the owner of the key; a claim with one takes nobody's key."""
    thief = client({"hash": hashed(CLIENT_KEY)}, name="thief", created="2025-01-01T00:00:00Z", namespace="other")
    owner = client({"secretRef": {"name": "k"}}, name="owner", created="2026-01-01T00:00:00Z")
    decided = plan(secret("k", {"key": CLIENT_KEY}), thief, owner)
    assert holders(decided) == {digest(CLIENT_KEY): Holder("default/owner")}
    (problem,) = decided.problems
    assert (problem.object.name, problem.field, problem.reason) == ("thief", "spec.keys[0].hash", Reason.KEY_TAKEN)
    assert [found.name for found in decided.policy.clients] == ["default/owner"]


@pytest.mark.parametrize(
    ("ends", "words"),
    [("2026-01-01T00:00:00Z", "ended at 2026-01-01"), ("2026-01-20T00:00:00+01:00", "ends at 2026-01-19T23:00:00")],
)
@pytest.mark.parametrize("who", ["", "bob"])
def test_a_key_that_ends_soon_is_a_warning(ends: str, words: str, who: str) -> None:
    written = client({"hash": hashed("one"), "expiresAt": ends, **({"user": who} if who else {})})
    decided = decided_at(written, at=datetime(2026, 1, 10, tzinfo=UTC))
    (problem,) = decided.problems
    assert (problem.reason, problem.severity) == (Reason.KEY_EXPIRING, Severity.WARNING)
    assert words in problem.message
    assert (f"of {who}" in problem.message) == bool(who)
    assert len(holders(decided)) == 1, "the gateway itself rejects it, and says why"


def test_a_key_that_ends_later_is_none() -> None:
    assert (
        decided_at(client({"hash": hashed("one"), "expiresAt": _END}), at=datetime(2026, 1, 10, tzinfo=UTC)).problems
        == ()
    )


def test_a_hash_that_is_written_wrong_is_no_key() -> None:
    stored = secret("stored", {"key": "sha256:0123456789"})
    (problem,) = plan(stored, client({"secretRef": {"name": "stored"}})).problems
    assert problem.reason is Reason.KEY_NOT_ALLOWED


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a":1}', '{"a":["x"]}', '{"a":["x","y","z","soon"]}', "[" * 99_999])
def test_a_table_that_is_none(text: str) -> None:
    with pytest.raises(BundleError):
        client_keys.read(text)


def test_a_table_is_read_as_it_was_written() -> None:
    held = {"a": Holder("ns/x"), "b": Holder("ns/x", "bob", "red", 7), "c": Holder("ns/y", team="t")}
    assert client_keys.read(client_keys.table(held)) == held


def _people(*names: str) -> str:
    return "".join(f"{name} {hashed(name)}\n" for name in names)


def test_a_list_belongs_to_one_client_and_is_read_once() -> None:
    """Small objects that all name one large list must not make each decision slow."""
    ref = {"hashesFrom": {"name": "people"}}
    first, second = (
        client(ref, ref, ref, created="2025-01-01T00:00:00Z"),
        client(ref, ref, name="second", created="2026-01-01T00:00:00Z"),
    )
    decided = plan(secret("people", {"key": _people("alice", "bob") + "bad\n"}), first, second)
    assert {holder.client for holder in holders(decided).values()} == {"default/team"}
    found = [(problem.object.name, problem.field, problem.reason) for problem in decided.problems]
    assert found == [
        ("second", "spec.keys[0].hashesFrom", Reason.KEY_TAKEN),
        ("second", "spec.keys[1].hashesFrom", Reason.KEY_TAKEN),
        ("team", "spec.keys[0].hashesFrom", Reason.HASHES_INVALID),
    ]
    assert "already belong to GatewayClient default/team" in decided.problems[0].message


def test_keys_of_a_list_that_belong_to_somebody_are_one_problem() -> None:
    first = client({"hashesFrom": {"name": "people"}}, created="2025-01-01T00:00:00Z")
    copy = client({"hashesFrom": {"name": "copy"}}, name="copy", created="2026-01-01T00:00:00Z")
    lists = [
        secret("people", {"key": _people("alice", "bob")}),
        secret("copy", {"key": _people("alice", "bob", "carol")}),
    ]
    decided = plan(*lists, first, copy)
    assert holders(decided)[digest("carol")].client == "default/copy"
    (problem,) = decided.problems
    assert (problem.object.name, problem.reason) == ("copy", Reason.KEY_TAKEN)


def test_the_lists_of_a_namespace_are_bounded_together() -> None:
    size = MOST_LISTED // LONGEST_LIST
    lists = [secret(f"l{number}", {"key": "\n" * (LONGEST_LIST - 2) + _people(f"p{number}")}) for number in range(size)]
    clients = [
        client({"hashesFrom": {"name": f"l{number}"}}, name=f"c{number}", created=f"2025-01-{number + 1:02}T00:00:00Z")
        for number in range(size)
    ]
    young = client({"hashesFrom": {"name": "more"}}, name="young", created="2026-01-01T00:00:00Z")
    elsewhere = client({"hashesFrom": {"name": "more"}}, name="elsewhere", namespace="other")
    more = [secret("more", {"key": _people("late")}), secret("more", {"key": _people("there")}, namespace="other")]
    decided = plan(*lists, *more, *clients, young, elsewhere)
    assert len(holders(decided)) == size + 1
    (problem,) = decided.problems
    assert (problem.object.name, problem.field) == ("young", "spec.keys[0].hashesFrom")
    assert problem.reason is Reason.TOO_LARGE
