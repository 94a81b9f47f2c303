"""What the operator may do, and how it notices that it may not."""

import re
from pathlib import Path

import pytest

from claude_gateway_operator.gather import BELIEVE_SECONDS, Rights
from claude_gateway_operator.rights import cluster_rules, own_rules
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


def test_the_readme_has_every_setting_and_every_right() -> None:
    for name, info in Settings.model_fields.items():
        variable = str(info.validation_alias or f"CLAUDE_GATEWAY_OPERATOR_{name.upper()}")
        assert f"`{variable}`" in README
    for rule in (*cluster_rules(selects=True), *own_rules("<release>")):
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
    for rule in (*cluster_rules(selects=True), *own_rules("cg")):
        assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])
        if set(rule["verbs"]) & {"create", "patch", "delete"}:
            scoped = "resourceNames" in rule or rule["resources"] == ["events"]
            assert scoped or all(resource.endswith("/status") for resource in rule["resources"])
