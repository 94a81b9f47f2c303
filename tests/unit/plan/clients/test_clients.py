"""Clients: who may call, with which keys."""

import hashlib
import json
from typing import Any

import pytest
from tests.support.builders.objects import CLIENT_KEY, client, plan, secret

from claude_gateway.contract.client import Client
from claude_gateway.names import Reason
from claude_gateway.plan.decide import Plan


def keys(decided: Plan) -> dict[str, str]:
    if decided.policy.client_keys is None:
        assert decided.bundle.secrets == {}
        return {}
    stored = json.loads(decided.bundle.secrets[decided.policy.client_keys])
    assert isinstance(stored, dict)
    return stored


def accepted(decided: Plan, name: str = "alice") -> tuple[str, str]:
    (status,) = [status for status in decided.statuses if status.object.name == name]
    return status.conditions[0].status, status.conditions[0].reason


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def test_only_hashes_of_keys_are_kept() -> None:
    decided = plan(secret(), client(models=["claude-*"]))
    assert decided.policy.clients == (Client(name="default/alice", models=("claude-*",)),)
    assert keys(decided) == {digest(CLIENT_KEY): "default/alice"}
    assert decided.policy.client_keys is not None
    assert decided.policy.client_keys.startswith("clients.")


def test_without_a_key_there_is_no_entry() -> None:
    assert keys(plan()) == {}
    assert plan().policy.client_keys is None


def test_two_keys_of_one_client_and_one_of_them_twice() -> None:
    stored = secret(values={"one": CLIENT_KEY, "two": "cgw_another-key-012345", "again": f"{CLIENT_KEY}\n"})
    decided = plan(stored, client(keys=["one", "two", "again"]))
    assert keys(decided) == {digest(CLIENT_KEY): "default/alice", digest("cgw_another-key-012345"): "default/alice"}
    assert decided.problems == ()


def test_a_key_of_two_clients_belongs_to_the_older() -> None:
    stored = secret(values={"client": CLIENT_KEY, "own": "cgw_own-key-0123456789"})
    young = client("alice", keys=["client", "own"], created="2026-02-01T00:00:00Z")
    old = client("bob", created="2026-01-01T00:00:00Z")
    decided = plan(stored, young, old)
    assert keys(decided)[digest(CLIENT_KEY)] == "default/bob"
    (problem,) = decided.problems
    assert (problem.object.name, problem.field, problem.reason) == ("alice", "spec.keys[0].secretRef", Reason.KEY_TAKEN)
    assert accepted(decided) == ("True", Reason.PARTIALLY_ACCEPTED)
    assert accepted(plan(stored, client("alice", created="2026-02-01T00:00:00Z"), old)) == ("False", Reason.KEY_TAKEN)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("cgw_short-key-1", Reason.KEY_TOO_SHORT),
        ("sk-ant-api03-0123456789", Reason.KEY_NOT_ALLOWED),
        ("SK-ANT-api03-0123456789", Reason.KEY_NOT_ALLOWED),
    ],
)
def test_keys_that_are_refused(key: str, reason: Reason) -> None:
    decided = plan(secret(values={"client": key}), client())
    (problem,) = decided.problems
    assert (problem.field, problem.reason) == ("spec.keys[0].secretRef", reason)
    assert "claude-gateway key new" in problem.fix
    assert key not in repr(decided)
    assert decided.policy.clients == ()
    assert accepted(decided) == ("False", reason)


def test_a_missing_secret_of_a_client() -> None:
    decided = plan(client())
    (problem,) = decided.problems
    assert (problem.field, problem.reason) == ("spec.keys[0].secretRef.name", Reason.SECRET_NOT_FOUND)
    (status,) = decided.statuses
    assert [(c.status, c.reason) for c in status.conditions] == [
        ("True", Reason.ACCEPTED),
        ("False", Reason.SECRET_NOT_FOUND),
    ]


def test_an_unreadable_client_may_not_call() -> None:
    unreadable: Any = client(nonsense=1)
    decided = plan(secret(), unreadable)
    assert decided.policy.clients == ()
    assert keys(decided) == {}
    assert accepted(decided) == ("False", Reason.INVALID)


def test_a_brake_has_its_defaults_and_money_in_nanodollars() -> None:
    (free,) = plan(secret(), client()).policy.clients
    assert free.brake is None
    (found,) = plan(secret(), client(brake={"perSession": {"dollars": "0.50"}, "released": ["5e55"]})).policy.clients
    assert found.brake is not None
    assert (found.brake.session.dollars, found.brake.agent.dollars) == (500_000_000, 25_000_000_000)
    assert (found.brake.session.requests, found.brake.hard_percent, found.brake.released) == (2000, 200, ("5e55",))
