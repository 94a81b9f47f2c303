"""Rules of a route: their targets count like its own, and rules that no request reaches are warned of."""

from itertools import product
from typing import Any

import pytest
from tests.support.builders import objects
from tests.support.builders.objects import client, credential, plan, route, secret, target

from claude_gateway.contract.route import Match, RequestClass, Thinking
from claude_gateway.contract.target import Format
from claude_gateway.names import ConditionType, Reason
from claude_gateway.plan.decide import Plan
from claude_gateway.plan.problem import Severity
from claude_gateway.plan.routes.covering import covered


def rule(name: str, match: dict[str, Any], *targets: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "match": match, "targets": list(targets) or [target()]}


def decided(*rules: dict[str, Any], others: tuple[Any, ...] = (), **fields: Any) -> Plan:
    written = route(rules=list(rules), **fields)
    return plan(secret(), credential(), credential("openai", provider="openai"), written, *others)


def problems_of(found: Plan) -> list[tuple[str, str]]:
    assert all(problem.severity is Severity.WARNING for problem in found.problems)
    return [(problem.field, problem.reason) for problem in found.problems]


def accepted(found: Plan) -> tuple[str, str]:
    (status,) = [status for status in found.statuses if status.object.kind == "ModelRoute"]
    (condition,) = [each for each in status.conditions if each.type == ConditionType.ACCEPTED]
    return condition.status, condition.reason


def test_a_rule_reaches_the_data_plane() -> None:
    match = {
        "thinking": "Enabled",
        "thinkingBudgetAtLeast": 8000,
        "effort": ["max"],
        "inputTokensAtLeast": 9,
        "images": True,
        "documents": False,
        "tools": True,
        "serverTools": ["web_*"],
        "formats": ["Messages"],
        "headers": [{"name": "x-b", "value": "1"}, {"name": "x-a", "value": "2"}],
        "clients": ["ci", "team/ci"],
        "requestClasses": ["SideReply"],
        "agentTypes": ["Explore"],
        "subagent": False,
    }
    found = decided(rule("one", match, target("openai/gpt-5", "openai"), target()), allowedClients={"from": "All"})
    (entry,) = found.policy.routes
    (only,) = entry.rules
    assert only.match == Match(
        thinking=Thinking.ENABLED,
        thinking_budget_at_least=8000,
        effort=("max",),
        input_tokens_at_least=9,
        images=True,
        documents=False,
        tools=True,
        server_tools=("web_*",),
        formats=(Format.MESSAGES,),
        headers=(("x-a", "2"), ("x-b", "1")),
        clients=("default/ci", "team/ci"),
        request_classes=(RequestClass.SIDE_REPLY,),
        agent_types=("Explore",),
        subagent=False,
    )
    assert [each.id.rpartition(".")[0] for each in entry.all_targets] == [
        "default/sonnet/0",
        "default/sonnet/one.0",
        "default/sonnet/one.1",
    ]
    assert only.targets[0].secret in found.bundle.secrets
    assert problems_of(found) == [("spec.rules[0].match.clients[0]", Reason.CLIENT_NOT_FOUND)]


def test_a_problem_of_a_rules_target_leaves_out_that_target_alone() -> None:
    found = decided(
        rule("gone", {"images": True}, target("openai/x", "nobody")),
        rule("odd", {"tools": True}, target("nonsense/x"), target()),
    )
    assert [(problem.field, problem.reason) for problem in found.problems] == [
        ("spec.rules[0].targets[0].credential", Reason.CREDENTIAL_NOT_FOUND),
        ("spec.rules[1].targets[0].model", Reason.PROVIDER_UNKNOWN),
    ]
    (entry,) = found.policy.routes
    # The rule stays: what it matches is not for the targets of others.
    assert [(each.name, len(each.targets)) for each in entry.rules] == [("gone", 0), ("odd", 1)]
    assert accepted(found) == ("True", Reason.PARTIALLY_ACCEPTED)


def test_a_route_serves_by_the_targets_of_its_rules_alone() -> None:
    found = decided(rule("one", {"images": True}), targets=[target("openai/x", "nobody")])
    (entry,) = found.policy.routes
    assert (entry.targets, len(entry.all_targets)) == ((), 1)
    assert accepted(found)[0] == "True"


def test_warnings_of_a_target_name_its_rule() -> None:
    found = decided(
        rule("one", {"images": True}, target("anthropic/claude-sonnet-4-5")),
        rule("two", {"tools": True}, target("hosted_vllm/x", baseURL="http://vllm:8000/v1/chat/completions")),
    )
    assert problems_of(found) == [
        ("spec.rules[0].targets[0].model", Reason.MODEL_RETIRING),
        ("spec.rules[1].targets[0].baseURL", Reason.BASE_URL_UNUSUAL),
    ]


def test_the_view_for_litellm_keeps_rules_apart() -> None:
    found = decided(rule("one", {"images": True}, target("openai/gpt-5", "openai")))
    assert b'model_name: "default/sonnet"\n' in found.bundle.litellm
    assert b'model_name: "default/sonnet/one"\n' in found.bundle.litellm


_ENABLED = {"thinking": "Enabled"}


@pytest.mark.parametrize(
    ("matches", "reason", "word"),
    [
        ([_ENABLED, {"thinking": "Adaptive"}], Reason.RULE_UNREACHABLE, "rule `r0` before it matches"),
        ([_ENABLED, {"thinkingBudgetAtLeast": 9}], Reason.RULE_UNREACHABLE, "`r0`"),
        ([{"inputTokensAtLeast": 9}, {"inputTokensAtLeast": 10}], Reason.RULE_UNREACHABLE, "`r0`"),
        ([{"effort": ["high", "max"]}, {"effort": ["max"], "tools": True}], Reason.RULE_UNREACHABLE, "`r0`"),
        ([{"tools": True}, {"serverTools": ["web_*"]}], Reason.RULE_UNREACHABLE, "`r0`"),
        ([{"serverTools": ["web_*"]}, {"serverTools": ["web_search_*"]}], Reason.RULE_UNREACHABLE, "`r0`"),
        ([{"subagent": True}, {"requestClasses": ["Subagent"]}], Reason.RULE_UNREACHABLE, "`r0`"),
        ([{"agentTypes": ["*"]}, {"agentTypes": ["Explore"]}], Reason.RULE_UNREACHABLE, "`r0`"),
        ([{"images": True}, {"images": False}, {"tools": True}], Reason.RULE_UNREACHABLE, "together match"),
        ([_ENABLED, {"thinking": "Disabled"}, {"effort": ["low"]}], Reason.RULE_UNREACHABLE, "together match"),
        ([{"effort": ["low"]}, {"effort": ["max"]}, {"effort": ["max", "low"]}], Reason.RULE_UNREACHABLE, "together"),
        ([_ENABLED, {"images": True}, _ENABLED], Reason.RULE_CONFLICTING, "are those of the rule `r0`"),
        ([{"subagent": False, "requestClasses": ["Subagent"]}], Reason.RULE_CONFLICTING, "never hold together"),
    ],
)
def test_a_rule_that_no_request_reaches_is_warned_of(matches: list[dict[str, Any]], reason: Reason, word: str) -> None:
    found = decided(*(rule(f"r{number}", match) for number, match in enumerate(matches)))
    assert problems_of(found) == [(f"spec.rules[{len(matches) - 1}].match", reason)]
    assert word in found.problems[0].message
    assert found.problems[0].fix
    assert accepted(found) == ("True", Reason.ACCEPTED)


@pytest.mark.parametrize(
    "matches",
    [
        [{"thinking": "Adaptive"}, _ENABLED],
        [{"thinkingBudgetAtLeast": 9}, _ENABLED],
        [{"inputTokensAtLeast": 10}, {"inputTokensAtLeast": 9}],
        [{"effort": ["max"], "tools": True}, {"effort": ["max"]}],
        [{"effort": ["low"]}, {"tools": True}],
        [{"headers": [{"name": "x-a", "value": "1"}]}, {"headers": [{"name": "x-a", "value": "2"}]}],
        [{"images": True}, {"documents": False}, {"tools": True}],
        [{"agentTypes": ["Explore"]}, {"agentTypes": ["*"]}],
        [{"requestClasses": ["Subagent", "Main"]}, {"subagent": True}],
    ],
)
def test_a_rule_that_some_request_reaches_is_not(matches: list[dict[str, Any]]) -> None:
    assert problems_of(decided(*(rule(f"r{number}", match) for number, match in enumerate(matches)))) == []


def test_what_would_take_too_long_to_look_at_counts_as_reachable() -> None:
    every = [
        Match(formats=(format,), images=images, documents=documents, tools=tools, subagent=subagent)
        for format, images, documents, tools, subagent in product(Format, *[(True, False)] * 4)
    ]
    few = [match for match in every if match.formats == (Format.MESSAGES,)]
    assert covered(Match(formats=(Format.MESSAGES,)), few)
    assert not covered(Match(), every)


def test_a_client_that_may_not_use_the_route_is_warned_of_whether_it_exists_or_not() -> None:
    there = client("ci", namespace="team")
    for others in ((there,), ()):
        found = decided(rule("one", {"clients": ["team/ci"]}), others=others)
        (problem,) = [each for each in found.problems if each.object.kind == "ModelRoute"]
        assert (problem.field, problem.reason) == ("spec.rules[0].match.clients[0]", Reason.RULE_CONFLICTING)
        admitted = decided(rule("one", {"clients": ["team/ci"]}), others=others, allowedClients={"from": "All"})
        assert [each for each in admitted.problems if each.object.kind == "ModelRoute"] == []


def test_a_client_of_the_same_namespace_must_exist() -> None:
    match = {"clients": ["ci", "default/ci"]}
    assert problems_of(decided(rule("one", match))) == [
        ("spec.rules[0].match.clients[0]", Reason.CLIENT_NOT_FOUND),
        ("spec.rules[0].match.clients[1]", Reason.CLIENT_NOT_FOUND),
    ]
    found = decided(rule("one", match), others=(client("ci"), objects.secret("client", {"key": objects.CLIENT_KEY})))
    assert [each for each in found.problems if each.object.kind == "ModelRoute"] == []


def test_a_subscription_in_a_rule_is_its_owners_alone() -> None:
    alice = objects.manifest(
        "ClaudeCredential",
        "alice",
        {"subscription": {"owner": "alice@example.com", "method": "Login", "secretName": "alice-login"}},
    )
    found = decided(rule("one", {"images": True}, target("claude-code/*", "alice"), target()), others=(alice,))
    shared = [each for each in found.problems if each.reason == Reason.SUBSCRIPTION_SHARED]
    assert [each.field for each in shared] == ["spec.allowedClients.from"]
    (entry,) = found.policy.routes
    assert [each.provider for each in entry.all_targets] == ["anthropic", "anthropic"]


def test_of_many_clients_that_do_not_exist_some_are_named() -> None:
    found = decided(rule("a", {"clients": [f"gone-{number}" for number in range(64)]}, target()))
    assert 1 < len(problems_of(found)) < 10
