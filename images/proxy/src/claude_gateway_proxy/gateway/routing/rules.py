"""Which of a route's rules matches a request: the first one whose conditions all hold.

The conditions are evaluated in the order of their cost: headers first, then a small part of the body, then the whole
conversation. Each fact is computed at most once for a request, however many rules use it.
"""

from collections.abc import Sequence
from typing import Protocol

from claude_gateway.contract.client import Client
from claude_gateway.contract.patterns import matches
from claude_gateway.contract.route import Match, RouteRule, Thinking
from claude_gateway.contract.target import Format
from claude_gateway_proxy.gateway.body.facts import Facts


class Matched(Protocol):
    """The facts that a rule can use."""

    @property
    def client(self) -> Client: ...
    @property
    def format(self) -> Format: ...
    @property
    def facts(self) -> Facts: ...


def first_match(rules: Sequence[RouteRule], request: Matched) -> RouteRule | None:
    """Return the first rule that matches a request; None: the route's own targets are for it."""
    return next((rule for rule in rules if holds(rule.match, request)), None)


def holds(match: Match, request: Matched) -> bool:
    """Return whether all conditions of a match hold for a request."""
    facts = request.facts
    return (
        (not match.formats or request.format in match.formats)
        and (not match.clients or request.client.name in match.clients)
        and (not match.headers or _has_headers(match, facts))
        and (match.subagent is None or facts.subagent is match.subagent)
        and (not match.agent_types or _any(match.agent_types, (facts.agent.agent_type,)))
        and (not match.effort or facts.effort in match.effort)
        and (match.thinking is None or _thinks(match.thinking, facts))
        and (match.thinking_budget_at_least is None or _budget(facts) >= match.thinking_budget_at_least)
        and (match.tools is None or (facts.tools > 0) is match.tools)
        and (not match.server_tools or _any(match.server_tools, facts.server_tools))
        and (not match.request_classes or facts.request_class in match.request_classes)
        and (match.images is None or facts.images is match.images)
        and (match.documents is None or facts.documents is match.documents)
        and (match.input_tokens_at_least is None or facts.has_input_tokens(match.input_tokens_at_least))
    )


def _has_headers(match: Match, facts: Facts) -> bool:
    wanted = {(name.encode(), value.encode()) for name, value in match.headers}
    return wanted.issubset((name, value) for name, value in facts.headers)


def _any(patterns: Sequence[str], names: Sequence[str]) -> bool:
    return any(name and matches(pattern, name) for name in names for pattern in patterns)


def _thinks(wanted: Thinking, facts: Facts) -> bool:
    match wanted:
        case Thinking.ENABLED:
            return facts.thinking.enabled
        case Thinking.ADAPTIVE:
            return facts.thinking.adaptive
        case Thinking.DISABLED:
            return not facts.thinking.enabled


def _budget(facts: Facts) -> int:
    thinking = facts.thinking
    return (thinking.budget or 0) if thinking.enabled else 0
