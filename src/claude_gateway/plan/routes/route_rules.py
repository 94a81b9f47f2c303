"""The rules of a route, as the data plane holds them, and warnings about rules that no request reaches."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Final

from claude_gateway.api.model_route import ModelRouteSpec
from claude_gateway.api.route_match import RouteMatch
from claude_gateway.contract import tenancy
from claude_gateway.contract.route import Match, RequestClass, Route, RouteRule, Thinking
from claude_gateway.contract.target import Format, Target
from claude_gateway.names import Kind, Reason
from claude_gateway.plan.problem import ObjectRef, Problem, Severity
from claude_gateway.plan.routes.covering import contradiction, coverage

_NAMED: Final = 4
"""The most clients that messages name for one rule: a route may list a thousand in all."""


def rules(
    owner: ObjectRef, spec: ModelRouteSpec, targets: Mapping[str | None, tuple[Target, ...]]
) -> tuple[RouteRule, ...]:
    """Return the rules of a route; ``targets`` are those that can serve, by the name of their rule.

    A rule without such a target keeps its place, because its requests must not go to the targets of other rules.
    """
    return tuple(
        RouteRule(name=rule.name, match=_match(owner.namespace, rule.match), targets=targets.get(rule.name, ()))
        for rule in spec.rules_ or ()
    )


def warnings(owner: ObjectRef, route: Route, *, clients: AbstractSet[ObjectRef], release: str) -> Iterator[Problem]:
    """Yield a warning for each rule that no request reaches, and for each client in a rule that cannot match.

    ``clients`` are all GatewayClients, ``release`` is the release's namespace.
    """
    covering = coverage(tuple(rule.match for rule in route.rules))
    for index, rule in enumerate(route.rules):
        at = f"spec.rules[{index}]"
        yield from _unreachable(owner, route, index, covering[index], at=f"{at}.match")
        absent = (
            problem
            for number, client in enumerate(rule.match.clients)
            for problem in _absent(owner, route, client, clients, at=f"{at}.match.clients[{number}]", release=release)
        )
        yield from islice(absent, _NAMED)


def _match(namespace: str, written: RouteMatch) -> Match:
    return Match(
        thinking=None if written.thinking is None else Thinking(written.thinking),
        thinking_budget_at_least=written.thinking_budget_at_least,
        effort=written.effort or (),
        input_tokens_at_least=written.input_tokens_at_least,
        images=written.images,
        documents=written.documents,
        tools=written.tools,
        server_tools=written.server_tools or (),
        formats=tuple(map(Format, written.formats or ())),
        headers=tuple(sorted((header.name, header.value) for header in written.headers or ())),
        clients=tuple(name if "/" in name else f"{namespace}/{name}" for name in written.clients or ()),
        request_classes=tuple(map(RequestClass, written.request_classes or ())),
        agent_types=written.agent_types or (),
        subagent=written.subagent,
    )


def _unreachable(owner: ObjectRef, route: Route, index: int, covering: int | None, *, at: str) -> Iterator[Problem]:
    """Yield the first reason why no request reaches a rule; ``covering`` is the rule that covers it, or itself."""
    mine, earlier = route.rules[index].match, route.rules[:index]
    together = contradiction(mine)
    if together is not None:
        message = f"{together} never hold together, so no request reaches this rule"
        yield _warning(owner, at, Reason.RULE_CONFLICTING, message, "Remove one of the conditions, or the rule.")
        return
    same = next((rule.name for rule in earlier if rule.match == mine), None)
    if same is not None:
        message = f"the conditions are those of the rule `{same}`, which comes first, so no request reaches this rule"
        yield _warning(owner, at, Reason.RULE_CONFLICTING, message, "Change the conditions of one, or remove one.")
        return
    if covering is None:
        return
    wider = route.rules[covering].name
    before = "the rules before it together match" if covering == index else f"the rule `{wider}` before it matches"
    message = f"{before} all requests that this rule matches, so none reaches it"
    fix = "Move this rule up, or narrow the conditions of the rules before it."
    yield _warning(owner, at, Reason.RULE_UNREACHABLE, message, fix)


def _absent(
    owner: ObjectRef, route: Route, client: str, clients: AbstractSet[ObjectRef], *, at: str, release: str
) -> Iterator[Problem]:
    """Yield why a client can never match. A route must not learn whether a client in another namespace exists."""
    namespace, _, name = client.partition("/")
    if not tenancy.may_use(route, client, release=release):
        message = f"the route does not admit the client `{client}`, so the rule matches none of its requests"
        yield _warning(
            owner,
            at,
            Reason.RULE_CONFLICTING,
            message,
            "Admit it in `spec.allowedClients`, or remove it from the list.",
        )
    elif namespace == owner.namespace and ObjectRef(Kind.GATEWAY_CLIENT, namespace, name) not in clients:
        message = f"GatewayClient {client} does not exist"
        yield _warning(owner, at, Reason.CLIENT_NOT_FOUND, message, "Create it, or remove it from the list.")


def _warning(owner: ObjectRef, at: str, reason: Reason, message: str, fix: str) -> Problem:
    return Problem(owner, at, reason, message, fix, severity=Severity.WARNING)
