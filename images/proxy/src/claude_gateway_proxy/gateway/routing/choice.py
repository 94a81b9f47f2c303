"""Which targets answer a request, in which order, and over which lane.

``find_route`` looks a model name up, ``choose`` decides among the route's targets. Between the two, admission may
reject the request or make it wait, so that targets are chosen when the request is about to be sent.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from claude_gateway.contract.client import Client
from claude_gateway.contract.openai import is_for_responses_only, is_openais_own
from claude_gateway.contract.route import Route, RouteRule
from claude_gateway.contract.target import Format, Target
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.errors import (
    format_not_served,
    login_needed,
    model_not_allowed,
    no_targets,
    route_suspended,
    unknown_model,
)
from claude_gateway_proxy.gateway.routing.affinity import key_of
from claude_gateway_proxy.gateway.routing.fit import fitting
from claude_gateway_proxy.gateway.routing.moves import Session
from claude_gateway_proxy.gateway.routing.names import Routing
from claude_gateway_proxy.gateway.routing.order import Order, order, share
from claude_gateway_proxy.gateway.routing.rules import first_match
from claude_gateway_proxy.gateway.wire.model_ids import name_at
from claude_gateway_proxy.operations import OPERATIONS


class LaneName(StrEnum):
    """The name of a lane."""

    RELAY = "relay"
    CODEC = "codec"
    LITELLM = "litellm"


class Why(StrEnum):
    """Why the first candidate comes first.

    It is the only one, has the lowest priority number, was drawn by weight, or has the request's session. Or the one
    that would come first has too many requests in flight (overflow), or is ejected.
    """

    ONLY = "only"
    PRIORITY = "priority"
    WEIGHT = "weight"
    AFFINITY = "affinity"
    OVERFLOW = "overflow"
    EJECTION = "ejection"


class Candidate(msgspec.Struct, frozen=True):
    """A target that may answer, and the name of the lane to it."""

    target: Target
    lane: str


class Choice(msgspec.Struct, frozen=True):
    """The answer of ``choose``: at least one candidate, the first to be tried first.

    ``rule`` is the name of the route's rule that matched; None: the route's default targets. ``session`` is what stays
    at one target, None where nothing does, and ``called`` the names of targets that are remembered for it, by id.
    ``moves_to`` is the name of the target that the session moves to, None while its own is not ejected.
    """

    route: Route
    rule: str | None
    candidates: tuple[Candidate, ...]
    why: Why
    session: Session | None = None
    moves_to: str | None = None
    called: Mapping[str, str] = msgspec.field(default_factory=dict)


class Routed(Protocol):
    """The input of a choice: provided by a call, and by anything that only simulates a choice.

    ``asked`` is the model name without the route's alias, ``login`` the client's own login at the upstream.
    """

    @property
    def route(self) -> Route: ...
    @property
    def client(self) -> Client: ...
    @property
    def format(self) -> Format: ...
    @property
    def asked(self) -> str: ...
    @property
    def login(self) -> Sequence[tuple[bytes, bytes]]: ...
    @property
    def facts(self) -> Facts: ...


def find_route(routing: Routing, *, model: str, client: Client) -> Route:
    """Return the route that serves a model name to a client.

    Raises Failure: 400 if the client's list does not have the name, else 404 with similar names that the client may
    use. Neither depends on whether a route serves the model to somebody else.
    """
    route = routing.find(client, model)
    if route is not None:
        return route
    if not routing.allowed(client, model):
        raise model_not_allowed(model)
    raise unknown_model(model, routing.nearest(client, model))


def _idle(_: str) -> int:
    return 0


def _nowhere(_: Session) -> None:
    return None


def choose(
    request: Routed,
    *,
    random: Callable[[], float],
    well: Callable[[str], bool],
    load: Callable[[str], int] = _idle,
    moved: Callable[[Session], str | None] = _nowhere,
) -> Choice:
    """Choose the targets of a request's route, in the order in which they are to be tried.

    ``random`` returns numbers in [0, 1); ``well`` returns whether a target (by id) may be tried in its turn, ``load``
    how many requests it has in flight, and ``moved`` where a session moved to. Raises Failure if the route has no
    targets, or none that this request can be sent to, or that can take it.
    """
    route, format, asked = request.route, request.format, request.asked
    rule = first_match(route.rules, request) if route.rules else None
    targets = fitting(request, eligible(request, rule))
    key = key_of(request) if share(targets) else None
    session = None if key is None else (route.name, "" if rule is None else rule.name, key)
    kept = None if session is None else moved(session)
    found = order(targets, key=key, random=random, well=well, load=load, kept=kept)
    candidates = tuple(Candidate(target, lane_of(target, format, asked)) for target in found.targets)
    why = _why(found, keyed=key is not None)
    return Choice(
        route=route,
        rule=None if rule is None else rule.name,
        candidates=candidates,
        why=why,
        session=session,
        moves_to=found.moves_to,
        called=found.called,
    )


def eligible(request: Routed, rule: RouteRule | None = None) -> Sequence[Target]:
    """Return the targets of a rule that this request can be sent to; without a rule, those of the route itself.

    A target that forwards the client's own login needs one, and serves its own formats only: no other target and no
    translator ever gets a login. Raises Failure if no target is left.
    """
    route, login = request.route, request.login
    targets = route.targets if rule is None else rule.targets
    if route.suspended:
        raise route_suspended(route.name)
    if not targets:
        raise no_targets(route.name if rule is None else f"{route.name}, rule {rule.name}")
    if not any(target.forward_client_token for target in targets):
        return targets
    found = [
        target for target in targets if not target.forward_client_token or (login and request.format in target.formats)
    ]
    if not found:
        raise format_not_served(route.name, request.format.value) if login else login_needed(route.name)
    return found


def lane_of(target: Target, format: Format, asked: str) -> LaneName:
    """Return the lane to a target: the relay lane if it accepts requests of this format unchanged.

    The planner lists the formats of a target and those that the codec translates for it, with one exception: OpenAI's
    targets that take any model, because some of the models have no Chat Completions.
    """
    if format not in target.formats or target.base_url is None or target.wire not in OPERATIONS[format].wires:
        return _translator(target, format)
    if target.model != "*" or format is not Format.CHAT or not is_for_responses_only(name_at(target, asked)):
        return LaneName.RELAY
    return _translator(target, format) if is_openais_own(target.base_url) else LaneName.RELAY


def _translator(target: Target, format: Format) -> LaneName:
    return LaneName.CODEC if format in target.translation.codec else LaneName.LITELLM


def _why(found: Order, *, keyed: bool) -> Why:
    if len(found.targets) == 1:
        return Why.ONLY
    if found.ejected:
        return Why.EJECTION
    if found.full:
        return Why.OVERFLOW
    first = found.targets[0].priority
    if sum(target.priority == first for target in found.targets) == 1:
        return Why.PRIORITY
    return Why.AFFINITY if keyed else Why.WEIGHT
