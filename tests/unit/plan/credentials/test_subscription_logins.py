"""The login of a subscription: what is missing, and who writes its Secret."""

from typing import Any

import pytest
from tests.support.builders.objects import (
    NOW,
    Manifest,
    credential,
    login_file,
    plan,
    secret,
    setup_token,
    subscription,
    world,
)
from tests.support.builders.subscriptions import decided, only, settings

from claude_gateway.names import Reason
from claude_gateway.plan.decide import decide


@pytest.mark.parametrize(
    ("manifests", "method", "reason", "says"),
    [
        ([], "Login", Reason.NOT_SIGNED_IN, "Secret default/login has no `.credentials.json`"),
        ([], "SetupToken", Reason.NOT_SIGNED_IN, "Secret default/login has no `token`"),
        ([secret("login", {"state.json": "{}"})], "Login", Reason.NOT_SIGNED_IN, "nobody has signed in"),
        ([secret("login", {".credentials.json": " \n"})], "Login", Reason.NOT_SIGNED_IN, "nobody has signed in"),
        ([setup_token()], "Login", Reason.NOT_SIGNED_IN, "nobody has signed in"),
        ([login_file()], "SetupToken", Reason.NOT_SIGNED_IN, "nobody has signed in"),
        ([login_file(accessToken="")], "Login", Reason.SECRET_VALUE_INVALID, "`claudeAiOauth.accessToken` has an"),
        ([setup_token(token="two words of it")], "SetupToken", Reason.SECRET_VALUE_INVALID, "not one word"),
        ([setup_token(labels={})], "SetupToken", Reason.SECRET_NOT_LABELLED, "does not have the label"),
    ],
)
def test_what_is_missing_and_where_to_sign_in(
    manifests: list[Manifest], method: str, reason: Reason, says: str
) -> None:
    found = decided(*manifests, subscription(method=method), claude_auth_url="https://claude.example/auth")
    problem = only(found)
    assert (problem.field, problem.reason) == ("spec.subscription.secretName", reason)
    assert says in problem.message
    if reason is not Reason.SECRET_NOT_LABELLED:
        assert "Sign in at https://claude.example/auth or with `claude-gateway login mine`." in problem.fix
        assert ("claude setup-token" in problem.fix) == (method == "SetupToken")
    (status,) = found.statuses
    assert [condition.status for condition in status.conditions] == ["True", "False"]


def test_without_a_known_page_the_command_signs_in() -> None:
    assert only(decided(subscription(method="Login"))).fix == "Sign in with `claude-gateway login mine`."


def test_secrets_that_may_not_be_read_are_not_missing() -> None:
    found = world(subscription())
    unreadable = decide(
        type(found)(settings=settings(), credentials=found.credentials, unreadable=frozenset({"default"})), NOW
    )
    assert only(unreadable).reason is Reason.SECRET_FORBIDDEN


@pytest.mark.parametrize(
    ("metadata", "writer"),
    [
        ({"ownerReferences": [{"kind": "ExternalSecret", "name": "login"}]}, "ExternalSecret login"),
        ({"ownerReferences": ["odd"]}, "somebody without a name"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "x"}}, "argocd.argoproj.io/tracking-id"),
        (
            {"managedFields": [{"manager": "kubectl-create", "fieldsV1": {"f:data": {"f:.credentials.json": {}}}}]},
            "kubectl-create",
        ),
        (
            {"managedFields": [{"manager": "kubectl", "fieldsV1": {"f:stringData": {"f:.credentials.json": {}}}}]},
            "kubectl",
        ),
    ],
)
def test_a_login_that_is_refreshed_has_one_writer(metadata: Any, writer: str) -> None:
    problem = only(decided(login_file(metadata=metadata), subscription(method="Login")))
    assert (problem.field, problem.reason) == ("spec.subscription.secretName", Reason.SECRET_HAS_OTHER_WRITER)
    assert f"is also written by {writer}," in problem.message
    assert "claude-gateway login mine --import FILE" in problem.fix
    at = only(decided(login_file(metadata=metadata), subscription(method="Login"), claude_auth_url="https://x/auth"))
    assert "sign in at https://x/auth" in at.fix
    assert decided(login_file(metadata=metadata, refreshToken=None), subscription(method="Login")).problems == ()


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"annotations": {"note": "mine"}, "managedFields": "odd"},
        {
            "managedFields": [
                "odd",
                {"manager": "kubectl", "fieldsV1": "odd"},
                {"manager": "claude-gateway-auth", "fieldsV1": {"f:data": {"f:.credentials.json": {}}}},
                {"manager": "kubectl", "fieldsV1": {"f:metadata": {"f:labels": {}}}},
                {"manager": "kubectl", "fieldsV1": {"f:data": {"f:note": {}}}},
            ]
        },
    ],
)
def test_the_sign_in_service_is_no_other_writer(metadata: Any) -> None:
    assert decided(login_file(metadata=metadata), subscription(method="Login")).problems == ()


@pytest.mark.parametrize(("manager", "other"), [("Helm", True), ("claude-gateway-auth", False)])
def test_the_label_of_a_tool_is_a_sign_of_its_writing(manager: str, other: bool) -> None:
    labels = {"claudegateway.io/credential": "true", "app.kubernetes.io/managed-by": manager}
    found = decided(login_file(metadata={"labels": labels}), subscription(method="Login"))
    assert bool(found.problems) is other


def test_a_token_that_is_not_refreshed_may_come_from_anywhere() -> None:
    written = setup_token()
    written["metadata"]["ownerReferences"] = [{"kind": "ExternalSecret", "name": "login"}]
    assert decided(written, subscription()).problems == ()


def test_the_sign_in_service_may_write_what_is_named_and_not_somebody_elses() -> None:
    objects = [
        subscription(),
        subscription("second", secret="second"),
        subscription("third", secret="database", namespace="other"),
        subscription("fourth", secret="fourth", namespace="other"),
        setup_token(),
        secret("database", {"password": "x"}, labels={}, namespace="other"),
        credential(),
    ]
    assert decided(*objects).login_secrets == {"default": ("login", "second"), "other": ("fourth",)}
    assert plan(*objects).login_secrets == {}
