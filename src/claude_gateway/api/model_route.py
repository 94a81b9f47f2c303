"""ModelRoute: model names that clients send, and the targets that serve them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field

from claude_gateway.api.allowed import SAME, SAME_CLIENTS, AllowedClients, AllowedNamespaces
from claude_gateway.api.base import (
    DURATION,
    GATEWAY_REF,
    NAMESPACE,
    Duration,
    GatewayRef,
    ModelName,
    ModelPattern,
    Spec,
    seconds,
)
from claude_gateway.api.limits import Limits
from claude_gateway.api.route_match import RouteMatch
from claude_gateway.api.route_target import RouteTarget
from claude_gateway.api.rule import Items, Rule, cel_string, matches

DEFAULT_TOTAL: Final = "30m"


class RouteRule(Spec):
    """The targets of the requests that match."""

    name: Annotated[
        str,
        Field(min_length=1, max_length=63),
        matches(
            NAMESPACE,
            wrong="not a name of a rule",
            fix="use lower-case letters, digits and `-`, such as `thinker`",
        ),
    ] = Field(description="Name of the rule, unique in the route. Logs and warnings show it.")
    match: RouteMatch = Field(description="Conditions on the request; all that are set must hold.")
    targets: Annotated[tuple[RouteTarget, ...], Items("target", most=8)] = Field(
        description="Models that serve the requests that match, instead of the route's `targets`."
    )


class RouteMirror(Spec):
    """A candidate that gets a copy of a share of the requests, unseen by the clients."""

    rules = (
        Rule(
            cel="!has(self.target.forwardClientToken) || !self.target.forwardClientToken",
            holds=lambda self: not self.target.forward_client_token,
            wrong="the mirror forwards the client's own login, which must not be used for a copy",
            fix="set `credential` to the name of a ClaudeCredential instead of `forwardClientToken`",
        ),
    )

    target: RouteTarget = Field(
        description="The candidate. It is paid for like any other target; its `weight` and `priority` have no meaning."
    )
    percent: float = Field(
        strict=True,
        gt=0,
        le=100,
        description="Share of the conversations that are copied, above 0 and up to 100.",
    )


class RouteCache(Spec):
    """How long and up to which size answers are cached, to be repeated for exactly the same request."""

    ttl: Duration = Field(description="How long an answer is repeated, at most `24h`.")
    max_bytes: int | None = Field(
        default=None,
        strict=True,
        ge=1024,
        le=16 * 1024 * 1024,
        description="The largest answer that is cached, in bytes. Default: 1048576.",
    )


class RouteTimeouts(Spec):
    """How long to wait for a target. Durations such as `90s`, `5m` or `1h30m`, at most `24h`."""

    rules = (
        # Only an explicit `firstToken` can violate this: `total: 1m` alone also shortens the default.
        Rule(
            cel=f"!has(self.firstToken) || !self.firstToken.matches({cel_string(DURATION)}) || "
            f"(has(self.total) ? !self.total.matches({cel_string(DURATION)}) || "
            "duration(self.firstToken) <= duration(self.total) : "
            f"duration(self.firstToken) <= duration('{DEFAULT_TOTAL}'))",
            holds=lambda self: (
                "first_token" not in self.model_fields_set or seconds(self.first_token) <= seconds(self.total)
            ),
            wrong="`firstToken` is longer than `total`",
            fix=f"lower `firstToken` or raise `total` (default `{DEFAULT_TOTAL}`)",
        ),
    )

    first_token: Duration = Field(
        default="2m", description="Longest wait for the first byte of a streamed response. Default: `2m`."
    )
    idle: Duration = Field(default="5m", description="Longest pause within a streamed response. Default: `5m`.")
    total: Duration = Field(
        default=DEFAULT_TOTAL, description=f"Longest duration of a whole response. Default: `{DEFAULT_TOTAL}`."
    )


@dataclass(frozen=True, slots=True)
class PlacedTarget:
    """A target of a route, and its place in the spec.

    ``label`` is unique in the route, also where targets are added. ``rule`` is the name of its rule, None for the
    route's own; ``mirrors``: it gets copies.
    """

    at: str
    label: str
    target: RouteTarget
    rule: str | None = None
    mirrors: bool = False


class ModelRouteSpec(Spec):
    """Which model names exist, and which targets serve them."""

    rules = (
        Rule(
            cel="!has(self.rules) || self.rules.all(one, self.rules.exists_one(other, other.name == one.name))",
            holds=lambda self: len({one.name for one in self.rules_ or ()}) == len(self.rules_ or ()),
            wrong="two of the `rules` have the same name",
            fix="name each rule differently",
        ),
    )

    models: Annotated[tuple[ModelPattern, ...], Items("model", most=32, unique=True)] = Field(
        description=(
            "Names that clients send. `*` matches any run of characters; the pattern with the most literal "
            "characters wins. A name belongs to one route: the oldest one that lists it. A name that an older route of "
            "another namespace covers is refused, unless that route's `allowedRoutes` admits this namespace."
        )
    )
    display_name: str | None = Field(
        default=None,
        min_length=1,
        max_length=128,
        description="Name shown to people, for example in a model picker.",
    )
    targets: Annotated[tuple[RouteTarget, ...], Items("target", most=16)] = Field(
        description="Models that can serve the requests; one is enough. With `rules`: those that no rule matches."
    )
    # With the underscore, because `rules` are those of a Spec.
    rules_: Annotated[tuple[RouteRule, ...], Items("rule", most=16)] | None = Field(
        default=None,
        description=(
            "Other targets for some of the requests, such as those with images. In order: the first rule that matches "
            "counts, and its targets alone serve the request. Default: none."
        ),
    )
    affinity: Literal["Session", "Agent", "Client", "None"] = Field(
        default="Session",
        description=(
            "What stays at one of several targets with the same priority, where its prompt cache is: the requests of "
            "a Claude Code session, of each agent in a session, or of a client. Requests that name no session stay "
            "together by client. A target with more than its share in flight passes requests on to the next one. "
            "`None`: each request is drawn by weight. Default: `Session`."
        ),
    )
    mirror: RouteMirror | None = Field(
        default=None,
        description=(
            "A candidate that gets a copy of a share of the requests. Its answers are compared in metrics and thrown "
            "away; clients do not notice it, even if it is slow or fails. Default: none."
        ),
    )
    cache: RouteCache | None = Field(
        default=None,
        description=(
            "Caches complete answers and repeats them to the same client and person for exactly the same request; for "
            "embeddings, classification and the like. Requests that stream, think, have tools or come from Claude Code "
            "are never answered from it. Default: none; every request goes to a target."
        ),
    )
    timeouts: RouteTimeouts = Field(default=RouteTimeouts(), description="How long to wait for a target.")
    safeguards_model: ModelName | None = Field(
        default=None,
        description=(
            "Name of the model that judges the tool calls of Claude Code's auto mode where a target of this route "
            "cannot, because it is not a Claude model. A route must serve this name to clients of this namespace. "
            "Default: none; such tool calls are then not judged, and Claude Code treats them as unsafe."
        ),
    )
    token_counts: Literal["Exact", "Estimate"] = Field(
        default="Exact",
        description=(
            "The response to a token count request if the target cannot count tokens. `Exact`: an error. `Estimate`: "
            "an estimate, marked by the header `x-token-count: estimate`. Default: `Exact`."
        ),
    )
    allowed_clients: AllowedClients = Field(
        default=SAME_CLIENTS,
        description=(
            "GatewayClients that may use this route and spend its credentials. Those of its own namespace and of the "
            "release's always may, unless `from: Clients` lists the only ones that may. To other clients the route "
            "does not exist. Default: `from: Same`."
        ),
    )
    allowed_routes: AllowedNamespaces = Field(
        default=SAME,
        description=(
            "Namespaces whose ModelRoutes may take names that a name of this route covers, such as `claude-opus-*` "
            "under `claude-*`; the most literal name then wins. Routes of its own namespace always may. "
            "Default: `from: Same`."
        ),
    )
    suspend: bool | None = Field(
        default=None,
        strict=True,
        description=(
            "Whether new requests are answered with 503 and a sentence that says so. The route keeps its model names, "
            "and answers that have begun go on to their end. Default: false."
        ),
    )
    limits: Limits | None = Field(
        default=None, description="How much all requests to the route together may ask for. Default: no limits."
    )
    gateway_ref: GatewayRef | None = Field(default=None, description=GATEWAY_REF)

    @property
    def all_targets(self) -> Iterator[PlacedTarget]:
        """Yield every target with its place: the route's own, then those of the rules, then that of the mirror."""
        for index, target in enumerate(self.targets):
            yield PlacedTarget(f"spec.targets[{index}]", str(index), target)
        for number, rule in enumerate(self.rules_ or ()):
            for index, target in enumerate(rule.targets):
                at = f"spec.rules[{number}].targets[{index}]"
                yield PlacedTarget(at, f"{rule.name}.{index}", target, rule=rule.name)
        if self.mirror is not None:
            yield PlacedTarget("spec.mirror.target", "mirror", self.mirror.target, mirrors=True)
