"""Specs of ModelRoutes: names, clients, times, limits and what else holds for the whole route."""

from typing import Final

from tests.support.builders.specs.case import Case, Spec, route

from claude_gateway.names import Kind

_ROUTE: Final = Kind.MODEL_ROUTE


def listing(*namespaces: str) -> Spec:
    """The namespaces that something is allowed to."""
    return {"from": "Namespaces", "namespaces": list(namespaces)}


def only(*clients: str) -> Spec:
    """The only clients that something is allowed to."""
    return {"from": "Clients", "clients": list(clients)}


_NOT_DURATION = "write whole numbers with `ms`, `s`, `m` or `h`"
_NO_LENGTH = "write a duration above zero and at most `24h`"


VALID: Final = (
    Case("the shortest route", _ROUTE, route()),
    Case("a pattern", _ROUTE, route(models=["*haiku*", "us.anthropic.claude-*", "claude-sonnet-5-5[1m]"])),
    Case("32 models", _ROUTE, route(models=[f"m{i}" for i in range(32)])),
    Case("only some clients", _ROUTE, route(allowedClients=only("alice", "alice.laptop"))),
    Case("a judge and estimates", _ROUTE, route(safeguardsModel="claude-haiku-5-5", tokenCounts="Estimate")),
    Case("a suspended route", _ROUTE, route(suspend=True)),
    Case("a route that is not suspended", _ROUTE, route(suspend=False)),
    Case("answers are kept", _ROUTE, route(cache={"ttl": "24h"})),
    Case("small answers are kept", _ROUTE, route(cache={"ttl": "1ms", "maxBytes": 1024})),
    Case("limits of a route", _ROUTE, route(limits={"requestsPerMinute": 1, "inputTokensPerMinute": 10**9})),
    Case("agents stay together", _ROUTE, route(affinity="Agent")),
    Case("nothing stays together", _ROUTE, route(affinity="None")),
    Case("only a short total", _ROUTE, route(timeouts={"total": "1m"})),
    Case("first token as long as total", _ROUTE, route(timeouts={"firstToken": "90s", "total": "1m30s"})),
    Case("the longest timeouts", _ROUTE, route(timeouts={"idle": "24h", "total": "23h60m"})),
    Case("clients of its own namespace", _ROUTE, route(allowedClients={"from": "Same"})),
    Case("clients of every namespace", _ROUTE, route(allowedClients={"from": "All"}, allowedRoutes={"from": "All"})),
    Case("clients of some namespaces", _ROUTE, route(allowedClients=listing("team-a", "b"))),
    Case("routes of 64 namespaces", _ROUTE, route(allowedRoutes=listing(*(f"t{i:0>62}" for i in range(64))))),
    Case("a route for one release", _ROUTE, route(gatewayRef={"name": "cg-claude-gateway"})),
)

INVALID: Final = (
    Case("no source", _ROUTE, route(allowedClients={}), "allowedClients.from"),
    Case("an unknown source", _ROUTE, route(allowedClients={"from": "Selector"}), "allowedClients.from"),
    Case("no list", _ROUTE, route(allowedClients={"from": "Namespaces"}), "allowedClients", "`namespaces` is not set"),
    Case(
        "a list for all",
        _ROUTE,
        route(allowedRoutes={"from": "All", "namespaces": ["a"]}),
        "allowedRoutes",
        "`from` is not `Namespaces`",
    ),
    Case("an empty list", _ROUTE, route(allowedClients=listing()), "allowedClients.namespaces"),
    Case("a star", _ROUTE, route(allowedClients=listing("*")), "allowedClients.namespaces[0]", "not a namespace"),
    Case("one twice", _ROUTE, route(allowedRoutes=listing("a", "a")), "allowedRoutes.namespaces"),
    Case("no models", _ROUTE, route(models=[]), "models"),
    Case("33 models", _ROUTE, route(models=[f"m{i}" for i in range(33)]), "models"),
    Case("a model twice", _ROUTE, route(models=["smart", "other", "smart"]), "models"),
    Case("an empty name", _ROUTE, route(models=[""]), "models[0]"),
    Case("a name with a space", _ROUTE, route(models=["my model"]), "models[0]", "not a model name"),
    Case("a null among names", _ROUTE, route(models=["smart", None]), "models[1]"),
    Case("an empty display name", _ROUTE, route(displayName=""), "displayName"),
    Case("a bare number", _ROUTE, route(timeouts={"idle": "90"}), "timeouts.idle", _NOT_DURATION),
    Case("days", _ROUTE, route(timeouts={"total": "1d"}), "timeouts.total", _NOT_DURATION),
    Case("a fraction", _ROUTE, route(timeouts={"firstToken": "1.5s"}), "timeouts.firstToken", _NOT_DURATION),
    Case("no time", _ROUTE, route(timeouts={"idle": "0s"}), "timeouts.idle", _NO_LENGTH),
    Case("more than a day", _ROUTE, route(timeouts={"total": "24h1ms"}), "timeouts.total", _NO_LENGTH),
    Case(
        "first token after all",
        _ROUTE,
        route(timeouts={"firstToken": "2m", "total": "1m59s"}),
        "timeouts",
        "lower `firstToken` or raise `total`",
    ),
    Case(
        "first token after the default total",
        _ROUTE,
        route(timeouts={"firstToken": "31m"}),
        "timeouts",
        "lower `firstToken` or raise `total`",
    ),
    Case(
        "clients that nobody lists",
        _ROUTE,
        route(allowedClients={"from": "Clients"}),
        "allowedClients",
        "list the GatewayClients in `clients`",
    ),
    Case("no clients at all", _ROUTE, route(allowedClients=only()), "allowedClients.clients"),
    Case(
        "clients of namespaces",
        _ROUTE,
        route(allowedClients={"from": "All", "clients": ["alice"]}),
        "allowedClients",
        "set `from` to `Clients`, or remove `clients`",
    ),
    Case("clients for routes", _ROUTE, route(allowedRoutes={"from": "Clients"}), "allowedRoutes.from"),
    Case("many judges", _ROUTE, route(safeguardsModel="claude-*"), "safeguardsModel", "not a single model name"),
    Case("limits without one", _ROUTE, route(limits={}), "limits", "set at least one of `requestsPerMinute`"),
    Case("a limit of nothing", _ROUTE, route(limits={"concurrent": 0}), "limits.concurrent"),
    Case("affinity of another kind", _ROUTE, route(affinity="Cookie"), "affinity"),
    Case("affinity in small letters", _ROUTE, route(affinity="none"), "affinity"),
    Case("counts of another kind", _ROUTE, route(tokenCounts="Guess"), "tokenCounts"),
    Case("answers are kept for ever", _ROUTE, route(cache={}), "cache.ttl"),
    Case("answers are kept for days", _ROUTE, route(cache={"ttl": "25h"}), "cache.ttl", "out of range"),
    Case("answers of any size are kept", _ROUTE, route(cache={"ttl": "1h", "maxBytes": 2**30}), "cache.maxBytes"),
    Case("a route suspended in words", _ROUTE, route(suspend="true"), "suspend"),
    Case("a release without a name", _ROUTE, route(gatewayRef={}), "gatewayRef.name"),
)
