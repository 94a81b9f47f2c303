"""Which route serves a model name, and which names a client may use: lookups, built once per snapshot.

A client sees only the routes that its namespace may use, or that list it among the clients that may. Among their claims
on a name, those of younger routes count only if older routes of other namespaces admit them. Of the remaining claims an
exact name wins, then the pattern with the most literal characters, then the one with the fewest stars, then the first
in the alphabet. An id of a cloud is looked up as it was sent and by its plain names: an exact hit of any of these wins
over every pattern. A name with a provider in front, such as ``openai/gpt-5``, is also looked up without it, after all
that; to a client it is then another way to say the shorter name.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Final

from claude_gateway.contract import tenancy
from claude_gateway.contract.client import Client
from claude_gateway.contract.model_ids import without_provider
from claude_gateway.contract.patterns import STAR, Patterns
from claude_gateway.contract.route import Route
from claude_gateway_proxy.gateway.body.document import MODEL_LIMIT
from claude_gateway_proxy.gateway.routing.allowance import Allowance
from claude_gateway_proxy.gateway.routing.limits import Limits, limits
from claude_gateway_proxy.gateway.routing.route_ref import RouteRef, Viewer, lookups

_MEMO_LIMIT: Final = 4096
"""The most names cached that match only a pattern."""
_EXACT_MEMO_LIMIT: Final = 16 * _MEMO_LIMIT
_LISTS_LIMIT: Final = 16
"""The most lists cached of the names that restricted clients may use."""
_NEIGHBOURS: Final = 24
_NEAREST: Final = 3
_CUTOFF: Final = 0.6
_BEFORE_PATTERNS: Final = -MODEL_LIMIT - 1
"""The start of the rank of an exact name; that of a pattern starts with minus the number of its literal characters."""

_WITHOUT_PROVIDER: Final = 4 * MODEL_LIMIT
"""Added to the ranks of claims on a name without its provider, so that they come last."""

_Rank = tuple[int, int, str]


class Routing:
    """A policy's routes and clients, indexed by name."""

    def __init__(self, refs: Sequence[RouteRef], clients: Iterable[Client]) -> None:
        """Index routes, the oldest first; a name that two routes claim was settled before, in the control plane."""
        named = [(name, ref) for ref in refs for name in ref.models]
        self.routes = frozenset(ref.name for ref in refs)
        self._one_namespace = len({ref.namespace for ref in refs}) == 1
        self._ages = {ref.name: age for age, ref in enumerate(refs)}
        self._exact = {name: ref for name, ref in named if STAR not in name}
        self._aliases: dict[str, str] = {}
        for ref in refs:
            own = literal(ref.models)
            if ref.alias is not None and own is not None and ref.alias not in self._exact:
                self._exact[ref.alias] = ref
                self._aliases[ref.alias] = own
        self._patterns: Patterns[RouteRef] = Patterns()
        for name, ref in named:
            if STAR in name:
                self._patterns.add(name, ref)
        self._exact_memo: dict[tuple[Viewer, str], RouteRef] = {}
        self._memo: dict[tuple[Viewer, str], RouteRef] = {}
        self._decoded: dict[str, Route] = {}
        listed = frozenset(client for ref in refs for client in ref.only)
        self._allowances = {client.name: Allowance(client, listed=client.name in listed) for client in clients}
        self._names = tuple(sorted(self._exact))
        self._targeted = [(name, ref) for ref in refs for name in ref.targeted]
        self._listed: dict[Viewer, Sequence[str]] = {}
        self._allowed: dict[str, Sequence[str]] = {}
        words: dict[str, list[str]] = defaultdict(list)
        for name in self._names:
            for word in set(_words(name)):
                words[word].append(name)
        self._words = dict(words)

    @property
    def size(self) -> int:
        """How many names may be listed, but for those that only clients name."""
        return len(self._names) + len(self._targeted)

    def route(self, model: str, *, namespace: str) -> Route | None:
        """Return the route that serves a model name to every client of a namespace; None if there is none."""
        ref = self._entry(model, (namespace, ""))
        return None if ref is None else self._decode(ref)

    def find(self, client: Client, model: str) -> Route | None:
        """Return the route that serves a model name to a client.

        None if there is none, or if the client may not name the model: it must not learn which of the two is so.
        """
        allowance = self._allowances.get(client.name)
        if allowance is None:
            return None
        ref = self._entry(model, allowance.viewer)
        return self._decode(ref) if ref is not None and self._allows(allowance, model, ref) else None

    def display_name(self, client: Client, model: str) -> str | None:
        """Return the display name of a model name; None if ``find`` finds no route.

        It is the route's display name, else the name. An alias has that of the name that it stands for.
        """
        allowance = self._allowances.get(client.name)
        if allowance is None:
            return None
        ref = self._entry(model, allowance.viewer)
        if ref is None or not self._allows(allowance, model, ref):
            return None
        return ref.display_name or self._stands_for(model, ref)

    def limits(self, client: Client, model: str) -> Limits:
        """Return how long a prompt and an answer may be under a name for which ``find`` finds a route."""
        allowance = self._allowances.get(client.name)
        ref = None if allowance is None else self._entry(model, allowance.viewer)
        return Limits(None, None) if ref is None else limits(ref.limits, self._stands_for(model, ref))

    def allowed(self, client: Client, model: str) -> bool:
        """Return whether the client's list has this name, served or not; an id of a cloud also by its plain names."""
        allowance = self._allowances.get(client.name)
        return allowance is not None and allowance.lists(model)

    def names(self, client: Client) -> Sequence[str]:
        """Return the names that the client may use, sorted: literal names, aliases, and some that patterns match.

        Patterns match too many to list all. Those are listed that somebody wrote: as the model of the route's target,
        or in the client's own list.
        """
        allowance = self._allowances.get(client.name)
        if allowance is None:
            return ()
        visible = self._visible(allowance.viewer)
        if allowance.everything:
            return visible
        found = self._allowed.get(client.name)
        if found is None:
            mine = {name for name in visible if self._aliases.get(name, name) in allowance}
            mine.update(name for name in allowance.written if self._uses(allowance, name))
            found = sorted(mine)
            if len(self._allowed) >= _LISTS_LIMIT:
                self._allowed.clear()
            self._allowed[client.name] = found
        return found

    def _visible(self, viewer: Viewer) -> Sequence[str]:
        """Return the names that a viewer's routes list, and those of their targets."""
        found = self._listed.get(viewer)
        if found is None:
            mine = {name for name in self._names if self._exact[name].serves(viewer)}
            mine.update(name for name, ref in self._targeted if self._entry(name, viewer) is ref)
            found = self._listed[viewer] = sorted(mine)
        return found

    def nearest(self, client: Client, model: str) -> list[str]:
        """Names like this one that the client may use, best first; a handful of likely names is compared at most."""
        allowance = self._allowances.get(client.name)
        if allowance is None or len(model) > MODEL_LIMIT:
            return []
        plain = lookups(model)[-1]
        likely = [
            name
            for name in self._likely(plain)
            if (ref := self._exact[name]).serves(allowance.viewer) and self._allows(allowance, name, ref)
        ]
        return get_close_matches(plain, likely, n=_NEAREST, cutoff=_CUTOFF)

    def _decode(self, ref: RouteRef) -> Route:
        route = self._decoded.get(ref.name)
        if route is None:
            route = self._decoded[ref.name] = Route.model_validate_json(ref.raw)
        return route

    def _stands_for(self, model: str, ref: RouteRef) -> str:
        """Return the name that a model name stands for, if it is the alias of the route that serves it."""
        return self._aliases.get(model, model) if ref.alias == model else model

    def _uses(self, allowance: Allowance, model: str) -> bool:
        ref = self._entry(model, allowance.viewer)
        return ref is not None and self._allows(allowance, model, ref)

    def _allows(self, allowance: Allowance, model: str, ref: RouteRef) -> bool:
        """Return whether a client may use a route under a name.

        An alias is only another spelling of a name: a client that may not use the name may not use the alias.
        """
        shorter = without_provider(model)
        said = model if shorter is None or ref.names(model) else shorter
        return allowance.lists(self._stands_for(said, ref))

    def _entry(self, model: str, viewer: Viewer) -> RouteRef | None:
        ref = self._exact.get(model)
        if ref is not None and self._one_namespace and ref.serves(viewer):
            return ref
        exact = ref is not None
        memo, limit = (self._exact_memo, _EXACT_MEMO_LIMIT) if exact else (self._memo, _MEMO_LIMIT)
        ref = memo.get((viewer, model))
        if ref is not None or len(model) > MODEL_LIMIT:
            return ref
        ref = self._found(model, viewer)
        if ref is not None:
            if len(memo) >= limit:
                memo.clear()  # a client with made-up names must not fill the cache permanently
            memo[viewer, model] = ref
        return ref

    def _found(self, model: str, viewer: Viewer) -> RouteRef | None:
        """Return the route with the best claim among those that count."""
        best: dict[str, tuple[_Rank, RouteRef]] = {}
        for rank, ref in self._all_claims(model, viewer):
            if ref.name not in best or rank < best[ref.name][0]:
                best[ref.name] = (rank, ref)
        oldest_first = sorted((ref for _, ref in best.values()), key=lambda ref: self._ages[ref.name])
        counted = [best[ref.name] for ref in tenancy.eligible(oldest_first)]
        return min(counted, key=lambda found: found[0])[1] if counted else None

    def _all_claims(self, model: str, viewer: Viewer) -> Iterator[tuple[_Rank, RouteRef]]:
        """Yield the claims that a viewer can see on a model, also those on its name without a provider."""
        yield from self._claims(lookups(model), viewer)
        shorter = without_provider(model)
        if shorter is not None:
            for (first, second, third), ref in self._claims(lookups(shorter), viewer):
                yield (first + _WITHOUT_PROVIDER, second, third), ref

    def _claims(self, names: Sequence[str], viewer: Viewer) -> Iterator[tuple[_Rank, RouteRef]]:
        """Yield the claims that a viewer can see on any of a model's names; the smallest rank is the best."""
        for position, name in enumerate(names):
            if (exact := self._exact.get(name)) is not None and exact.serves(viewer):
                yield (_BEFORE_PATTERNS, position, name), exact
            for pattern, ref in self._patterns.candidates(name):
                if ref.serves(viewer) and pattern.matches(name):
                    yield pattern.rank, ref

    def _likely(self, model: str) -> Iterable[str]:
        at = bisect_left(self._names, model)
        likely = dict.fromkeys(self._names[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS])
        shared = sorted((self._words[word] for word in set(_words(model)) if word in self._words), key=len)
        for names in shared[:3]:
            likely.update(dict.fromkeys(names[:_NEIGHBOURS]))
        return likely


def literal(models: Sequence[str]) -> str | None:
    """Return the first of a route's names that is not a pattern; its alias stands for it."""
    return next((name for name in models if STAR not in name), None)


def _words(name: str) -> list[str]:
    return "".join(char if char.isalnum() else " " for char in name.lower()).split()
