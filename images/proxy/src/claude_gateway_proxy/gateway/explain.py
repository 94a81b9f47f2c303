"""``python -m claude_gateway_proxy.gateway.explain``: which way a request takes, and why not another.

It reads a ``Question`` as JSON from standard input and prints an ``Explanation``. Nothing is sent anywhere: the route
is found and its targets are chosen by the functions that answer real requests.
"""

import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Final

import msgspec

from claude_gateway.contract.bundle import Bundle, BundleError
from claude_gateway.contract.policy import Client, Policy, Target
from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_proxy.gateway.routing.choice import Choice, choose, find_route
from claude_gateway_proxy.gateway.snapshot import Snapshot, build
from claude_gateway_proxy.gateway.telemetry.record import Record
from claude_gateway_proxy.gateway.wire.paths import model_path
from claude_gateway_proxy.gateway.wire.reframe import read_body

DRAWS: Final = 1000
"""How often a choice is made, with draws spread evenly, to find each target's share."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A request to be explained: ``policy`` is ``gateway.json``, ``client`` the full name of a client in it.

    ``headers`` are pairs with lower-case names; ``body`` is the body as bytes, base64 in JSON. ``aside`` are the ids of
    targets that are put aside now.
    """

    policy: str
    client: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes
    aside: frozenset[str] = frozenset()


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The answer that the client would get instead of a model's."""

    status: int
    message: str


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

    ``why`` is the word of the log line: why the first target comes first.
    """

    client: str
    format: str | None = None
    wire: str | None = None
    model: str | None = None
    route: str | None = None
    rule: str | None = None
    target: str | None = None
    lane: str | None = None
    why: str | None = None
    targets: tuple[Considered, ...] = ()
    refused: Refused | None = None


def explain(question: Question) -> Explanation:
    """Explain one request. Raises BundleError for a policy that cannot be used, or without the client."""
    snapshot, client = _snapshot(question)
    told = Explanation(client=client.name)
    try:
        path = model_path(question.path, question.path.encode())
        if path is None:
            raise errors.unknown_path(question.path)
        told = msgspec.structs.replace(told, format=path.format.value, wire=path.wire.value)
        body = read_body(question.body, path)
        told = msgspec.structs.replace(told, model=body.model)
        route = find_route(snapshot.routing, model=body.model, client=client)
        told = msgspec.structs.replace(told, route=route.name)
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in question.headers]
        call = Call(
            wire=path.wire,
            format=path.format,
            path=question.path,
            query=b"",
            headers=headers,
            login=snapshot.callers.own_login(headers),
            raw=question.body,
            facts=Facts(body, headers),
            frames=None,
            snapshot=snapshot,
            client=client,
            route=route,
            record=Record(wire=path.wire, format=path.format, started=time.monotonic()),
        )
        return _chosen(told, call, aside=question.aside)
    except Failure as failure:
        return msgspec.structs.replace(told, refused=Refused(status=failure.status, message=failure.message))


def _chosen(told: Explanation, call: Call, *, aside: frozenset[str]) -> Explanation:
    try:
        choices = [choose(call, random=draws, well=lambda target: target not in aside) for draws in _draws()]
    except Failure as failure:
        left = tuple(_left_out(call, target) for target in call.route.targets)
        refused = Refused(status=failure.status, message=failure.message)
        return msgspec.structs.replace(told, targets=left, refused=refused)
    first = [choice.candidates[0].target.id for choice in choices]
    shares = {target: first.count(target) / len(choices) for target in dict.fromkeys(first)}
    likeliest = max(shares, key=lambda target: shares[target])
    choice = choices[first.index(likeliest)]
    head = choice.candidates[0]
    return msgspec.structs.replace(
        told,
        rule=choice.rule,
        target=head.target.id,
        lane=str(head.lane),
        why=choice.why.value,
        targets=(*_tried(choice, shares, aside=aside), *_not_tried(choice, call)),
    )


def _draws() -> Iterator[Callable[[], float]]:
    """Yield sources of random numbers: the first number of each is spread evenly, the others are in the middle."""
    for number in range(DRAWS):
        numbers = chain([(number + 0.5) / DRAWS], repeat(0.5))
        yield lambda numbers=numbers: next(numbers)


def _tried(choice: Choice, shares: dict[str, float], *, aside: frozenset[str]) -> Iterator[Considered]:
    first = choice.candidates[0].target
    for place, candidate in enumerate(choice.candidates, start=1):
        target, share = candidate.target, shares.get(candidate.target.id, 0.0)
        yield Considered(
            target=target.id,
            model=f"{target.provider}/{target.model}",
            place=place,
            share=share,
            lane=str(candidate.lane),
            why=_why(target, first, share=share, aside=aside),
        )


def _why(target: Target, first: Target, *, share: float, aside: frozenset[str]) -> str:
    if target.id in aside:
        return "put aside after failures, so it is tried last"
    if share >= 1:
        return f"first: priority {target.priority}"
    if share > 0:
        return f"drawn by weight {target.weight} among priority {target.priority}"
    if target.priority > first.priority:
        return f"priority {target.priority}: tried only if those of priority {first.priority} fail"
    return "tried only if those before it fail"


def _not_tried(choice: Choice, call: Call) -> Iterator[Considered]:
    tried = {candidate.target.id for candidate in choice.candidates}
    for target in choice.route.targets:
        if target.id not in tried:
            yield _left_out(call, target)


def _left_out(call: Call, target: Target) -> Considered:
    """Return a target that cannot serve a request; see ``routing.choice.eligible``."""
    why = "it cannot serve this request"
    if target.forward_client_token and not call.login:
        why = "it sends the client's own login on, and the request has none"
    elif target.forward_client_token and call.format not in target.formats:
        why = f"it sends the client's own login on, and only in its own formats, not in {call.format.value}"
    model = f"{target.provider}/{target.model}"
    return Considered(target=target.id, model=model, place=0, share=0.0, lane=None, why=why)


def _snapshot(question: Question) -> tuple[Snapshot, Client]:
    """Return the snapshot of a policy, with stand-ins for its secrets, and the client. Raises BundleError."""
    policy = Policy.model_validate_json(question.policy)
    client = next((each for each in policy.clients if each.name == question.client), None)
    if client is None:
        raise BundleError(f"there is no client {question.client}")
    needed = {entry for route in policy.routes for target in route.targets for entry in target.entries}
    secrets = dict.fromkeys(needed, b"-")
    if policy.client_keys is not None:
        secrets[policy.client_keys] = b"{}"
    return build(Bundle(gateway=question.policy.encode(), litellm=b"", secrets=secrets)), client


def main() -> int:
    """Answer one question; 0, or 1 with the reason on standard error."""
    try:
        question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
        told = explain(question)
    except (msgspec.DecodeError, BundleError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    sys.stdout.buffer.write(msgspec.json.encode(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
