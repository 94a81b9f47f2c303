"""What the operator may do, and how it notices that it may not."""

import re
from pathlib import Path

import pytest

from claude_gateway_operator.gather import BELIEVE_SECONDS, Rights
from claude_gateway_operator.rights import (
    PolicyRule,
    caller_rules,
    claude_code_rules,
    cluster_rules,
    granting_rules,
    login_rules,
    own_rules,
    watched_rules,
)
from claude_gateway_operator.settings import Settings
from claude_gateway_runtime.kube import Forbidden, Retryable

README = (Path(__file__).parents[3] / "operator" / "README.md").read_text()


def test_a_right_that_was_there_must_be_gone_for_a_while() -> None:
    now = 0.0
    rights = Rights(clock=lambda: now)
    rights.lacks("never had", Forbidden("no"))
    rights.has("had")
    with pytest.raises(Retryable):
        rights.lacks("had", Forbidden("no"))
    now = BELIEVE_SECONDS
    rights.lacks("had", Forbidden("no"))
    rights.lacks("had", Forbidden("no"))
    rights.has("had")
    with pytest.raises(Retryable):
        rights.lacks("had", Forbidden("no"))


def every(release: str, *, caller: str) -> list[PolicyRule]:
    granting = granting_rules(release, home="home", namespace="home")
    optional = (*claude_code_rules(release), *caller_rules([caller]), *granting)
    return [*watched_rules(), *own_rules(release), *optional]


def test_the_sign_in_service_may_write_the_named_secrets_or_none() -> None:
    (rule,) = login_rules(["a", "b"])
    assert rule["resourceNames"] == ["a", "b"]
    assert login_rules([]) == []


def test_roles_of_two_releases_never_meet() -> None:
    roles = {
        granting_rules("cg", home=home, namespace="team")[0]["resourceNames"][0] for home in ("one", "two", "team")
    }
    assert roles == {"one.cg-claude-auth", "two.cg-claude-auth", "cg-claude-auth"}


def test_the_readme_has_every_setting_and_every_right() -> None:
    for name, info in Settings.model_fields.items():
        variable = str(info.validation_alias or f"CLAUDE_GATEWAY_OPERATOR_{name.upper()}")
        assert f"`{variable}`" in README
    for rule in (*cluster_rules(selects=True), *every("<release>", caller="<caller>")):
        (row,) = [
            line
            for line in README.splitlines()
            if line.startswith("|")
            and all(f"`{resource}`" in line for resource in rule["resources"])
            and all(f"`{name}`" in line for name in rule.get("resourceNames", ()))
            and re.findall(r"`(\w+)`", line.split("|")[-2]) == rule["verbs"]
        ]
        assert row


def test_no_right_is_for_everything() -> None:
    for rule in (*cluster_rules(selects=True), *every("cg", caller="notebook")):
        assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])
        if set(rule["verbs"]) & {"create", "patch", "delete", "escalate"}:
            scoped = "resourceNames" in rule or rule["resources"] == ["events"]
            assert scoped or all(resource.endswith("/status") for resource in rule["resources"])
