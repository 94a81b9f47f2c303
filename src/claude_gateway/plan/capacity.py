"""Divides the room of a bundle between namespaces, so that the objects of one never keep another's from going live.

A bundle that fits is left alone. Otherwise ``litellm.yaml`` is left out first, which no process reads. If that is not
enough, each namespace gets the same share of the room; what one does not need is divided between the others. A
namespace that needs more than its share loses its newest routes, clients and budgets, whole, until it fits. So there
always is a bundle, and a deleted route, client, budget or key always disappears from it.
"""

import json
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from operator import add
from typing import Final

from claude_gateway.contract import client_keys
from claude_gateway.contract.base import Contract
from claude_gateway.contract.budget import Budget
from claude_gateway.contract.bundle import (
    COMPRESS_ABOVE,
    SIZE_LIMIT,
    STORED_LIMIT,
    UNPACKED_LIMIT,
    Bundle,
    Packed,
    TooLargeError,
    pack,
    stored_size,
)
from claude_gateway.contract.client import Client, ClusterIssuer
from claude_gateway.contract.client_keys import Holder
from claude_gateway.contract.policy import Egress, Policy
from claude_gateway.contract.route import Route
from claude_gateway.names import Kind, Reason
from claude_gateway.plan import render
from claude_gateway.plan.problem import ObjectRef, Problem

Age = tuple[float, str, str]
"""Sort key of an object: the oldest has the smallest."""

_Cost = tuple[float, float, float, float]
"""Bytes of the public part, packed and unpacked, and of the secret part: its values, and as etcd stores them."""

_ROOM: Final = tuple(limit - COMPRESS_ABOVE for limit in (SIZE_LIMIT, UNPACKED_LIMIT, SIZE_LIMIT, STORED_LIMIT))
"""The costs that fit: what is not compressed because it is small is not part of the estimate."""

_CHUNK: Final = 64 * 1024
_SAMPLE: Final = 2048
_WINDOW: Final = 32 * 1024
"""How far back deflate looks."""
_TOO_MUCH: Final = 1.05


@dataclass(frozen=True, slots=True)
class Content:
    """What a bundle should hold: ``keys`` says whose each client key is, by its SHA-256.

    ``secrets`` are the values of all credentials and HS256 secrets by entry, including unused ones; ``namespace`` is
    the release's.
    """

    namespace: str
    routes: tuple[Route, ...]
    clients: tuple[Client, ...]
    keys: Mapping[str, Holder] = field(repr=False)
    secrets: Mapping[str, bytes] = field(repr=False)
    egress: Egress
    cluster: ClusterIssuer | None = None
    budgets: tuple[Budget, ...] = ()

    def without(self, rejected: frozenset[ObjectRef]) -> "Content":
        """Return the content without some routes, clients and budgets, and without the keys of these clients."""
        clients = tuple(client for client in self.clients if _client(client.name) not in rejected)
        names = {client.name for client in clients}
        return replace(
            self,
            routes=tuple(route for route in self.routes if _route(route.name) not in rejected),
            clients=clients,
            budgets=tuple(budget for budget in self.budgets if _budget(budget.name) not in rejected),
            keys={digest: holder for digest, holder in self.keys.items() if holder.client in names},
        )


@dataclass(frozen=True, slots=True)
class Fitted:
    """The bundle, what it was rendered from, and the Problems of the objects that were left out (``rejected``)."""

    content: Content
    policy: Policy
    bundle: Bundle
    packed: Packed
    rejected: frozenset[ObjectRef] = frozenset()

    @property
    def problems(self) -> Iterator[Problem]:
        """Yield a Problem for each object that was left out; it says the same while the object stays out."""
        for ref in self.rejected:
            message = (
                f"the objects of namespace {ref.namespace} need more room than the gateway has for them, "
                "and the newest are left out"
            )
            fix = (
                f"Remove model names, targets, routes, clients or budgets that namespace {ref.namespace} does not need."
            )
            yield Problem(ref, "spec", Reason.TOO_LARGE, message, fix)


@dataclass(frozen=True, slots=True)
class _Piece:
    """What one object adds to a bundle: its JSON, its rows in the table of client keys, and entries of its own."""

    ref: ObjectRef
    document: bytes
    rows: bytes = b""
    entries: tuple[str, ...] = ()


def fit(content: Content, ages: Mapping[ObjectRef, Age]) -> Fitted:
    """Return the bundle with everything that fits; ``ages`` has every route, client and budget of the content.

    Raises TooLargeError if what the installation allows, which no user writes, does not fit alone.
    """
    policy, bundle = _rendered(content, view=True)
    for candidate in (bundle, replace(bundle, litellm=b"")):
        try:
            return Fitted(content, policy, candidate, pack(candidate))
        except TooLargeError:
            continue
    pieces = _pieces(content, ages)
    costs = _costs(pieces, content.secrets)
    scale = 1.0
    while True:
        rejected = _rejected(pieces, costs, [scale * room for room in _ROOM])
        kept = content.without(rejected)
        policy, bundle = _rendered(kept, view=False)
        try:
            return Fitted(kept, policy, bundle, pack(bundle), rejected)
        except TooLargeError as error:
            if not (kept.routes or kept.clients or kept.budgets):
                raise
            # Costs are estimates: how well an object packs depends on what is packed before it.
            scale /= error.load * _TOO_MUCH


def _rendered(content: Content, *, view: bool) -> tuple[Policy, Bundle]:
    keys = render.key_table(content.keys)
    policy = Policy(
        namespace=content.namespace,
        routes=content.routes,
        clients=content.clients,
        budgets=content.budgets,
        client_keys=next(iter(keys), None),
        cluster=content.cluster,
        egress=content.egress,
    )
    used = {entry for route in content.routes for target in route.all_targets for entry in target.entries}
    used.update(entry for client in content.clients for entry in client.entries)
    secrets = {entry: value for entry, value in content.secrets.items() if entry in used}
    return policy, render.bundle(policy, {**secrets, **keys}, view=view)


def _pieces(content: Content, ages: Mapping[ObjectRef, Age]) -> dict[str, list[_Piece]]:
    """Return the objects of each namespace, oldest first; at the same age, budgets come before clients and routes."""
    rows: dict[str, list[str]] = {}
    for digest, holder in content.keys.items():
        rows.setdefault(holder.client, []).append(f"{client_keys.row(digest, holder)},")
    paid: set[str] = set()
    found: list[_Piece] = []
    for client in sorted(content.clients, key=lambda client: ages[_client(client.name)]):
        new = tuple(entry for entry in dict.fromkeys(client.entries) if entry not in paid)
        paid.update(new)
        keys = "".join(rows.get(client.name, ())).encode()
        found.append(_Piece(_client(client.name), _json(client, *new), rows=keys, entries=new))
    found += [_Piece(_budget(budget.name), _json(budget)) for budget in content.budgets]
    routes = sorted(content.routes, key=lambda route: ages[_route(route.name)])
    for route in routes:
        entries = dict.fromkeys(entry for target in route.all_targets for entry in target.entries)
        new = tuple(entry for entry in entries if entry not in paid)
        paid.update(new)
        found.append(_Piece(_route(route.name), _json(route, *new), entries=new))
    pieces: dict[str, list[_Piece]] = {}
    for piece in sorted(found, key=lambda piece: (ages[piece.ref][0], piece.ref.kind, ages[piece.ref])):
        pieces.setdefault(piece.ref.namespace, []).append(piece)
    return pieces


def _costs(pieces: Mapping[str, Sequence[_Piece]], secrets: Mapping[str, bytes]) -> dict[str, list[_Cost]]:
    """Return, for each object of each namespace, the cost of it and of all older ones of its namespace."""
    # Namespaces share a stream in the bundle, so text that is the same in all of them costs nearly nothing.
    samples = [mine[0].document[:_SAMPLE] for mine in pieces.values()]
    dictionary = b"".join(samples)[-_WINDOW:]
    costs: dict[str, list[_Cost]] = {}
    for namespace, mine in pieces.items():
        documents = _packed((piece.document for piece in mine), dictionary)
        rows = _packed((piece.rows for piece in mine), b"")
        alone = (
            _cost(piece, secrets, document=document, row=row)
            for piece, document, row in zip(mine, documents, rows, strict=True)
        )
        costs[namespace] = list(accumulate(alone, _sum))
    return costs


def _cost(piece: _Piece, secrets: Mapping[str, bytes], *, document: float, row: float) -> _Cost:
    values = sum(len(secrets[entry]) for entry in piece.entries)
    stored = sum(stored_size(entry, len(secrets[entry])) for entry in piece.entries)
    return (document, len(piece.document), values + row, stored + row)


def _sum(one: _Cost, other: _Cost) -> _Cost:
    first, second, third, fourth = map(add, one, other)
    return (first, second, third, fourth)


def _packed(texts: Iterable[bytes], dictionary: bytes) -> Iterator[float]:
    """Yield the packed size that each text adds, in one pass; each text of a chunk counts by its length."""
    coder = zlib.compressobj(zdict=dictionary)
    for chunk in _chunks(texts):
        size = len(coder.compress(b"".join(chunk))) + len(coder.flush(zlib.Z_SYNC_FLUSH))
        whole = sum(map(len, chunk))
        yield from (size * len(text) / whole if whole else 0.0 for text in chunk)


def _chunks(texts: Iterable[bytes]) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    size = 0
    for text in texts:
        chunk.append(text)
        size += len(text)
        if size >= _CHUNK:
            yield chunk
            chunk, size = [], 0
    yield chunk


def _rejected(
    pieces: Mapping[str, Sequence[_Piece]], costs: Mapping[str, Sequence[_Cost]], room: Sequence[float]
) -> frozenset[ObjectRef]:
    """Return the objects that do not fit into the share of their namespace."""
    demands = [mine[-1] for mine in costs.values()]
    shares = [_share([demand[part] for demand in demands], each) for part, each in enumerate(room)]
    return frozenset(
        piece.ref
        for namespace, mine in pieces.items()
        for piece, cost in zip(mine, costs[namespace], strict=True)
        if any(used > share for used, share in zip(cost, shares, strict=True))
    )


def _share(demands: Iterable[float], room: float) -> float:
    """Return the largest share for which all demands, each cut to it, fit into the room; infinite if all fit."""
    left = sorted(demands)
    for index, demand in enumerate(left):
        share = room / (len(left) - index)
        if demand > share:
            return share
        room -= demand
    return math.inf


def _json(value: Contract, *entries: str) -> bytes:
    document = value.model_dump(mode="json", by_alias=True, exclude_none=True)
    return json.dumps([document, *entries], sort_keys=True, separators=(",", ":")).encode()


def _route(name: str) -> ObjectRef:
    return _ref(Kind.MODEL_ROUTE, name)


def _client(name: str) -> ObjectRef:
    return _ref(Kind.GATEWAY_CLIENT, name)


def _budget(name: str) -> ObjectRef:
    return _ref(Kind.BUDGET, name)


def _ref(kind: Kind, full_name: str) -> ObjectRef:
    namespace, _, name = full_name.partition("/")
    return ObjectRef(kind=kind, namespace=namespace, name=name)
