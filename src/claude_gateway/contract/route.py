"""A route: model names, the targets behind them, and which of its requests go to which of them."""

from enum import StrEnum

from claude_gateway.contract.base import Contract
from claude_gateway.contract.limits import Limits
from claude_gateway.contract.target import Format, Target


class Timeouts(Contract):
    """How long to wait for a target, in seconds."""

    first_token: float = 120.0
    idle: float = 300.0
    total: float = 1800.0


class Thinking(StrEnum):
    """Whether a request asks the model to think. ``ENABLED`` is any way to ask for it, ``ADAPTIVE`` one of these."""

    ENABLED = "Enabled"
    ADAPTIVE = "Adaptive"
    DISABLED = "Disabled"


class RequestClass(StrEnum):
    """What a request of Claude Code is for, in Claude Code's own words."""

    MAIN = "Main"
    SUBAGENT = "Subagent"
    WORKFLOW = "Workflow"
    COMPACTION = "Compaction"
    AUXILIARY = "Auxiliary"
    SIDE_REPLY = "SideReply"


class Match(Contract):
    """Conditions on a request, all of which must hold; of a list, one entry must. What is None or empty holds always.

    ``thinking_budget_at_least`` and ``input_tokens_at_least`` are in tokens, the latter by the gateway's estimate.
    ``server_tools`` and ``agent_types`` are patterns like a route's models. ``headers`` are pairs of a lower-case name
    and the exact value. ``clients`` are full names.
    """

    thinking: Thinking | None = None
    thinking_budget_at_least: int | None = None
    effort: tuple[str, ...] = ()
    input_tokens_at_least: int | None = None
    images: bool | None = None
    documents: bool | None = None
    tools: bool | None = None
    server_tools: tuple[str, ...] = ()
    formats: tuple[Format, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    clients: tuple[str, ...] = ()
    request_classes: tuple[RequestClass, ...] = ()
    agent_types: tuple[str, ...] = ()
    subagent: bool | None = None


class RouteRule(Contract):
    """The targets of the requests that match."""

    name: str
    match: Match
    targets: tuple[Target, ...] = ()


class Affinity(StrEnum):
    """Which requests stay at one of several targets of the same priority."""

    SESSION = "Session"
    AGENT = "Agent"
    CLIENT = "Client"
    NONE = "None"


class Cache(Contract):
    """The response cache of a route: answers of at most ``max_bytes`` are repeated for ``ttl`` seconds."""

    ttl: float
    max_bytes: int = 1024 * 1024


class Mirror(Contract):
    """A candidate that gets a copy of ``percent`` of the conversations."""

    target: Target
    percent: float


class Route(Contract):
    """Model names (``*`` matches any run of characters) and the targets behind them.

    ``models`` holds only the names that this route won. ``name`` is ``<namespace>/<name>``. ``alias`` is one more
    name for clients that list only names of a certain kind, such as Claude Code: ``claude-`` and the first of
    ``models`` without ``*``; who may use that one may use the alias, and nobody else. ``safeguards_model`` is the
    name of the model that judges tool calls for targets that cannot. ``estimate_tokens`` allows to answer a count of
    tokens by an estimate, where a target cannot count. ``affinity`` says what stays at one target.
    ``cache`` is None if answers are not cached.
    ``rules`` are in order: the first one that matches a request has its targets, and ``targets`` are for all others.

    ``clients_from`` are the namespaces whose clients may use the route, besides its own and the release's. Where
    ``only_clients`` is set, only the clients with these full names may use it, and nobody else.
    ``routes_from`` are the namespaces whose routes may take names that this route's names cover. ``*`` is every
    namespace. ``limits`` are those of all requests to the route together. ``suspended``: it has no targets, because
    its owner took it out of service.
    """

    name: str
    models: tuple[str, ...]
    display_name: str | None = None
    alias: str | None = None
    targets: tuple[Target, ...]
    rules: tuple[RouteRule, ...] = ()
    mirror: Mirror | None = None
    cache: Cache | None = None
    timeouts: Timeouts = Timeouts()
    safeguards_model: str | None = None
    estimate_tokens: bool = False
    affinity: Affinity = Affinity.SESSION
    clients_from: tuple[str, ...] = ()
    only_clients: tuple[str, ...] | None = None
    routes_from: tuple[str, ...] = ()
    suspended: bool = False
    limits: Limits | None = None

    @property
    def all_targets(self) -> tuple[Target, ...]:
        """Every target that a request of the route can reach: its own, those of the rules, and that of the mirror."""
        more = () if self.mirror is None else (self.mirror.target,)
        return (*self.targets, *(target for rule in self.rules for target in rule.targets), *more)
