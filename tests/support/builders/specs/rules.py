"""Specs of ModelRoutes: their rules."""

from typing import Any, Final

from tests.support.builders.specs.case import TARGET, Case, Spec, route

from claude_gateway.names import Kind

_ROUTE: Final = Kind.MODEL_ROUTE


def ruled(*matches: Spec, name: str | None = None, **rule: Any) -> Spec:
    """A ModelRoute's spec with one rule for each match; ``name`` is that of all of them."""
    rules = [
        {"name": name or f"rule-{number}", "match": match, "targets": [TARGET], **rule}
        for number, match in enumerate(matches)
    ]
    return route(rules=rules)


VALID: Final = (
    Case("a rule", _ROUTE, ruled({"thinking": "Enabled"})),
    Case("16 rules", _ROUTE, ruled(*[{"images": True}] * 16, targets=[TARGET] * 8)),
    Case("a rule for a false condition", _ROUTE, ruled({"tools": False})),
    Case("a budget of any size", _ROUTE, ruled({"thinking": "Enabled", "thinkingBudgetAtLeast": 1})),
    Case("every effort", _ROUTE, ruled({"effort": ["none", "minimal", "low", "medium", "high", "xhigh", "max"]})),
    Case("tools of the upstream", _ROUTE, ruled({"serverTools": ["web_search_*", "*"], "tools": True})),
    Case("two headers", _ROUTE, ruled({"headers": [{"name": n, "value": "a b"} for n in ("x-team", "x-keyboard")]})),
    Case("clients of two namespaces", _ROUTE, ruled({"clients": ["ci", "alice.laptop", "team-b/ci"]})),
    Case("agents", _ROUTE, ruled({"agentTypes": ["*", "Explore", "general-*"], "subagent": True})),
)

INVALID: Final = (
    Case("no condition", _ROUTE, ruled({}), "rules[0].match", "set at least one"),
    Case("only a null condition", _ROUTE, ruled({"images": None}), "rules[0].match", "set at least one"),
    Case("no rules", _ROUTE, route(rules=[]), "rules"),
    Case("17 rules", _ROUTE, ruled(*[{"images": True}] * 17), "rules"),
    Case("two rules of one name", _ROUTE, ruled(*[{"images": True}] * 2, name="a"), "", "name each rule differently"),
    Case("a rule's name with a dot", _ROUTE, ruled({"images": True}, name="a.b"), "rules[0].name", "not a name"),
    Case("a rule without targets", _ROUTE, ruled({"images": True}, targets=[]), "rules[0].targets"),
    Case("9 targets of a rule", _ROUTE, ruled({"images": True}, targets=[TARGET] * 9), "rules[0].targets"),
    Case(
        "a bad target of a rule", _ROUTE, ruled({"tools": True}, targets=[{"model": "x"}]), "rules[0].targets[0].model"
    ),
    Case("thinking as a switch", _ROUTE, ruled({"thinking": True}), "rules[0].match.thinking"),
    Case("no budget", _ROUTE, ruled({"thinkingBudgetAtLeast": 0}), "rules[0].match.thinkingBudgetAtLeast"),
    Case(
        "a budget without thinking",
        _ROUTE,
        ruled({"thinking": "Adaptive", "thinkingBudgetAtLeast": 1}),
        "rules[0].match",
        "never holds together",
    ),
    Case(
        "tools of the upstream and none",
        _ROUTE,
        ruled({"tools": False, "serverTools": ["*"]}),
        "rules[0].match",
        "never holds together",
    ),
    Case("an effort that nobody asks for", _ROUTE, ruled({"effort": ["huge"]}), "rules[0].match.effort[0]"),
    Case("an effort twice", _ROUTE, ruled({"effort": ["low", "low"]}), "rules[0].match.effort"),
    Case("a class that is none", _ROUTE, ruled({"requestClasses": ["main"]}), "rules[0].match.requestClasses[0]"),
    Case("no agent type", _ROUTE, ruled({"agentTypes": ["?"]}), "rules[0].match.agentTypes[0]", "not an agent type"),
    Case("no type of tool", _ROUTE, ruled({"serverTools": ["a b"]}), "rules[0].match.serverTools[0]", "not a type"),
    Case("no client's name", _ROUTE, ruled({"clients": ["a/b/c"]}), "rules[0].match.clients[0]", "not the name"),
    Case(
        "a header in capitals",
        _ROUTE,
        ruled({"headers": [{"name": "X-Team", "value": "red"}]}),
        "rules[0].match.headers[0].name",
        "in lower case",
    ),
    *(
        Case(
            f"the credential in {name}",
            _ROUTE,
            ruled({"headers": [{"name": name, "value": "x"}]}),
            "rules[0].match.headers[0].name",
            "carries a credential",
        )
        for name in ("authorization", "x-api-key", "x-gateway-key", "cookie", "x-amz-security-token", "api-key")
    ),
    Case(
        "a header value in two lines",
        _ROUTE,
        ruled({"headers": [{"name": "x-team", "value": "a\nb"}]}),
        "rules[0].match.headers[0].value",
        "not a header value",
    ),
    Case(
        "a header twice",
        _ROUTE,
        ruled({"headers": [{"name": "x-team", "value": value} for value in ("red", "blue")]}),
        "rules[0].match",
        "names a header twice",
    ),
)
