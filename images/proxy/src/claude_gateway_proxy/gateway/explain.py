"""``python -m claude_gateway_proxy.gateway.explain``: where a request goes, and why.

It reads a ``Question`` as JSON from standard input and prints an ``Explanation``. Nothing is sent anywhere: the route
is found and its targets are chosen by the functions that answer real requests.
"""

import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Final

import msgspec
from pydantic.alias_generators import to_camel

from claude_gateway.contract.bundle import Bundle, BundleError
from claude_gateway.contract.client import Client
from claude_gateway.contract.policy import Policy
from claude_gateway.contract.route import Match, Route
from claude_gateway.contract.target import Target
from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_proxy.gateway.routing.choice import Choice, Why, choose, find_route
from claude_gateway_proxy.gateway.routing.rules import first_match, holds
from claude_gateway_proxy.gateway.snapshot import Snapshot, build
from claude_gateway_proxy.gateway.telemetry.record import Record
from claude_gateway_proxy.gateway.wire.paths import ModelPath, model_path
from claude_gateway_proxy.gateway.wire.reframe import read_body
from claude_gateway_proxy.operations import OPERATIONS

DRAWS: Final = 1000
"""How many choices are made, with evenly spread draws, to find each target's share."""


_FIRST: Final = {
    Why.ONLY: "the only one that can serve it",
    Why.PRIORITY: "first: priority {priority}",
    Why.WEIGHT: "drawn by weight {weight} among priority {priority}",
    Why.AFFINITY: "where this session stays: drawn by weight {weight} among priority {priority}",
    Why.OVERFLOW: "first: those that would come before it have too many requests in flight",
    Why.EJECTION: "first: those that would come before it are ejected",
}
"""The reason if the same target is always first."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A request to be explained: ``policy`` is ``gateway.json``, ``client`` the full name of a client in it.

    ``headers`` are pairs with lower-case names; ``body`` is the body as bytes, base64 in JSON. ``ejected`` are the ids
    of the targets that are ejected now.
    """

    policy: str
    client: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes
    ejected: frozenset[str] = frozenset()


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The answer that the client would get instead of a model's."""

    status: int
    message: str


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of the route. ``failed`` are its conditions that do not hold, by name; ``chosen``: it counts.

    A rule after the chosen one is not evaluated for the request: its ``failed`` is hypothetical.
    """

    rule: str
    chosen: bool
    failed: tuple[str, ...]


class Considered(msgspec.Struct, frozen=True, kw_only=True):
    """One target of the route. ``place`` counts from 1 in the order of trying; 0: it is not tried.

    ``share`` is the part of such requests that it gets first, 0 to 1. ``why`` is a phrase for people.
    """

    target: str
    model: str
    place: int
    share: float
    lane: str | None
    why: str


class Explanation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What happens to a request. Without ``refused``, the first of ``targets`` is tried first.

    ``why`` is the reason why the first target comes first, as in the log line. ``input_tokens`` is the gateway's
    estimate, which is rather too high, ``output_tokens`` the most that the request asks for; None: it sets no limit.
    """

    client: str
    format: str | None = None
    wire: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    route: str | None = None
    rule: str | None = None
    target: str | None = None
    lane: str | None = None
    why: str | None = None
    rules: tuple[Compared, ...] = ()
    targets: tuple[Considered, ...] = ()
    refused: Refused | None = None


def explain(question: Question) -> Explanation:
    """Explain one request. Raises BundleError for a policy that cannot be used, or without the client."""
    return explained(question, *_snapshot(question))


def explained(question: Question, snapshot: Snapshot, client: Client) -> Explanation:
    """Explain one request of a client on a snapshot, instead of on the question's own policy."""
    explanation = Explanation(client=client.name)
    try:
        path = model_path(question.path, question.path.encode())
        if path is None:
            raise errors.unknown_path(question.path)
        explanation = msgspec.structs.replace(explanation, format=path.format.value, wire=path.wire.value)
        body = read_body(question.body, path)
        facts = Facts(body, [(name.encode("latin-1"), value.encode("latin-1")) for name, value in question.headers])
        limits = [limit for name in OPERATIONS[path.format].output_limits if (limit := body.limit(name)) is not None]
        explanation = msgspec.structs.replace(
            explanation, model=body.model, input_tokens=facts.input_tokens, output_tokens=max(limits, default=None)
        )
        route = find_route(snapshot.routing, model=body.model, client=client)
        explanation = msgspec.structs.replace(explanation, route=route.name)
        call = _call(question, path, facts, snapshot=snapshot, client=client, route=route)
        return _chosen(explanation, call, ejected=question.ejected)
    except Failure as failure:
        return msgspec.structs.replace(explanation, refused=Refused(status=failure.status, message=failure.message))


def _call(
    question: Question, path: ModelPath, facts: Facts, *, snapshot: Snapshot, client: Client, route: Route
) -> Call:
    """Return the request as the gateway represents it."""
    return Call(
        wire=path.wire,
        format=path.format,
        path=question.path,
        query=b"",
        headers=facts.headers,
        login=snapshot.callers.own_login(facts.headers),
        raw=question.body,
        facts=facts,
        frames=None,
        snapshot=snapshot,
        principal=Principal(client=client),
        route=route,
        record=Record(wire=path.wire, format=path.format, started=time.monotonic()),
    )


def _chosen(explanation: Explanation, call: Call, *, ejected: frozenset[str]) -> Explanation:
    def well(target: str) -> bool:
        return target not in ejected

    try:
        choices = [choose(call, random=_draw(0), well=well)]
        if len(choices[0].candidates) > 1:
            choices += [choose(call, random=_draw(number), well=well) for number in range(1, DRAWS)]
    except Failure as failure:
        rule = first_match(call.route.rules, call)
        refused = Refused(status=failure.status, message=failure.message)
        return msgspec.structs.replace(
            explanation,
            rule=None if rule is None else rule.name,
            rules=tuple(_compared(call, None if rule is None else rule.name)),
            targets=tuple(_not_tried(call, rule=None if rule is None else rule.name, tried=frozenset())),
            refused=refused,
        )
    first = [choice.candidates[0].target.id for choice in choices]
    shares = {target: first.count(target) / len(choices) for target in dict.fromkeys(first)}
    likeliest = max(shares, key=lambda target: shares[target])
    choice = choices[first.index(likeliest)]
    head = choice.candidates[0]
    return msgspec.structs.replace(
        explanation,
        rule=choice.rule,
        target=head.target.id,
        lane=str(head.lane),
        why=choice.why.value,
        rules=tuple(_compared(call, choice.rule)),
        targets=(
            *_tried(choice, shares, ejected=ejected),
            *_not_tried(call, rule=choice.rule, tried=frozenset(each.target.id for each in choice.candidates)),
        ),
    )


def _compared(call: Call, chosen: str | None) -> Iterator[Compared]:
    """Yield the rules of the call's route, each with the conditions that do not hold by themselves."""
    for rule in call.route.rules:
        conditions = rule.match.model_dump(exclude_defaults=True)
        names = [name for name in conditions if not holds(Match.model_validate({name: conditions[name]}), call)]
        failed = tuple(to_camel(name) for name in names)
        yield Compared(rule=rule.name, chosen=rule.name == chosen, failed=failed)


def _draw(number: int) -> Callable[[], float]:
    """Return a source of random numbers: the first is one of ``DRAWS`` that are spread evenly, the others are 0.5."""
    numbers = chain([(number + 0.5) / DRAWS], repeat(0.5))
    return lambda: next(numbers)


def _tried(choice: Choice, shares: dict[str, float], *, ejected: frozenset[str]) -> Iterator[Considered]:
    for place, candidate in enumerate(choice.candidates, start=1):
        target, share = candidate.target, shares.get(candidate.target.id, 0.0)
        yield Considered(
            target=target.id,
            model=f"{target.provider}/{target.model}",
            place=place,
            share=share,
            lane=str(candidate.lane),
            why=_why(target, choice, share=share, ejected=ejected),
        )


def _why(target: Target, choice: Choice, *, share: float, ejected: frozenset[str]) -> str:
    first = choice.candidates[0].target
    if len(choice.candidates) == 1:
        return "the only one that can serve it"
    if target.id in ejected:
        return "ejected after failures, so it is tried last"
    if share >= 1:
        return _FIRST[choice.why].format(weight=target.weight, priority=target.priority)
    if share > 0:
        return f"drawn by weight {target.weight} among priority {target.priority}"
    if target.priority > first.priority:
        return f"priority {target.priority}: tried only if those of priority {first.priority} fail"
    return "tried only if those before it fail"


def _not_tried(call: Call, *, rule: str | None, tried: frozenset[str]) -> Iterator[Considered]:
    """Yield the targets of the route that are not tried: those that cannot serve the request, and those of others."""
    pools = [(None, call.route.targets), *((each.name, each.targets) for each in call.route.rules)]
    for name, targets in pools:
        for target in targets:
            if name == rule and target.id not in tried:
                yield _left_out(call, target)
            elif name != rule:
                yield _unused(target, f"for rule {name}" if name else "for requests that no rule matches")


def _left_out(call: Call, target: Target) -> Considered:
    """Return a target that cannot serve a request; see ``routing.choice.eligible``."""
    why = "it cannot serve this request"
    if target.forward_client_token and not call.login:
        why = "it sends the client's own login on, and the request has none"
    elif target.forward_client_token and call.format not in target.formats:
        why = f"it sends the client's own login on, and only in its own formats, not in {call.format.value}"
    return _unused(target, why)


def _unused(target: Target, why: str) -> Considered:
    model = f"{target.provider}/{target.model}"
    return Considered(target=target.id, model=model, place=0, share=0.0, lane=None, why=why)


def _snapshot(question: Question) -> tuple[Snapshot, Client]:
    """Return the snapshot of a policy, with stand-ins for its secrets, and the client. Raises BundleError."""
    policy = Policy.model_validate_json(question.policy)
    client = next((each for each in policy.clients if each.name == question.client), None)
    if client is None:
        raise BundleError(f"there is no client {question.client}")
    needed = {entry for route in policy.routes for target in route.all_targets for entry in target.entries}
    secrets = dict.fromkeys(needed, b"-")
    if policy.client_keys is not None:
        secrets[policy.client_keys] = b"{}"
    return build(Bundle(gateway=question.policy.encode(), litellm=b"", secrets=secrets)), client


def main() -> int:
    """Answer one question; 0, or 1 with the reason on standard error."""
    try:
        question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
        explanation = explain(question)
    except (msgspec.DecodeError, BundleError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    sys.stdout.buffer.write(msgspec.json.encode(explanation))
    return 0


if __name__ == "__main__":
    sys.exit(main())
