"""Programs that ask the Claude Code backend directly: one key opens one login, and the operator makes it if it may."""

import hashlib
import json
from typing import Any

import pytest
from tests.support.builders.objects import CLIENT_KEY, LOGIN_TOKEN, client, secret, setup_token, subscription
from tests.support.builders.subscriptions import decided, only

from claude_gateway.names import Kind, Reason
from claude_gateway.plan.problem import ObjectRef

KEY = "cgw_key-of-the-notebook-0123456789"
CALLER = {"name": "notebook", "secretName": "notebook"}
NOTEBOOK = secret("notebook", {"key": KEY})


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def test_a_key_opens_the_login_of_its_credential() -> None:
    found = decided(setup_token(), subscription(caller=CALLER), NOTEBOOK)
    assert found.problems == ()
    assert json.loads(found.callers.document) == {digest(KEY): {"name": "notebook", "login": LOGIN_TOKEN}}
    assert found.callers.wanted == ()
    assert LOGIN_TOKEN not in repr(found.callers)


def test_nobody_is_a_caller_by_default() -> None:
    assert decided(setup_token(), subscription()).callers.document == b"{}"


def test_the_operator_makes_the_key_only_where_it_may() -> None:
    objects = [setup_token(), subscription(caller=CALLER)]
    found = decided(*objects, caller_secrets=frozenset({"default/notebook"}))
    assert found.problems == ()
    assert found.callers.wanted == (ObjectRef(kind=Kind.SECRET, namespace="default", name="notebook"),)
    problem = only(decided(*objects, caller_secrets=frozenset({"other/notebook"})))
    assert (problem.field, problem.reason) == ("spec.subscription.caller.secretName", Reason.SECRET_NOT_FOUND)
    assert "`claudeCode.callerSecrets`" in problem.fix


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        ([secret("notebook", {"key": KEY}, labels={})], Reason.SECRET_NOT_LABELLED),
        ([secret("notebook", {"other": KEY})], Reason.SECRET_KEY_NOT_FOUND),
        ([secret("notebook", {"key": "a b"})], Reason.SECRET_VALUE_INVALID),
        ([secret("notebook", {"key": "k" * 31})], Reason.KEY_TOO_SHORT),
        ([secret("notebook", {"key": CLIENT_KEY}), secret(), client()], Reason.KEY_TAKEN),
    ],
)
def test_a_key_that_cannot_be_used_leaves_the_credential_alone(objects: list[Any], reason: Reason) -> None:
    found = decided(setup_token(), subscription(caller=CALLER), *objects)
    assert (only(found).field, only(found).reason) == ("spec.subscription.caller.secretName", reason)
    assert found.callers.document == b"{}"
    assert found.callers.wanted == ()


def test_a_key_opens_no_second_login() -> None:
    second = [subscription("zweite", secret="other", caller=CALLER), setup_token("other", LOGIN_TOKEN + "2")]
    found = decided(setup_token(), subscription(caller=CALLER), NOTEBOOK, *second)
    assert (only(found).object.name, only(found).reason) == ("zweite", Reason.KEY_TAKEN)
    assert [entry["login"] for entry in json.loads(found.callers.document).values()] == [LOGIN_TOKEN]


def test_a_credential_without_a_login_has_no_callers() -> None:
    found = decided(subscription(caller=CALLER), NOTEBOOK)
    assert only(found).reason is Reason.NOT_SIGNED_IN
    assert found.callers.document == b"{}"
