"""Which route serves a model name, and which names a client may use: lookups, built once per snapshot.

Names are exact or patterns in which ``*`` matches any run of characters. An exact name wins, then the pattern with
the most literal characters, then the one with the fewest stars, then the first in the alphabet. An id of a cloud is
looked up as it was sent and by its plain names: an exact hit of any of these wins over every pattern.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from claude_gateway.contract.pattern import STAR, Pattern, Patterns
from claude_gateway.contract.policy import Client, Route
from claude_gateway_proxy.gateway.body.document import MODEL_LIMIT
from claude_gateway_proxy.gateway.wire.model_ids import variants

_MEMO_LIMIT: Final = 4096
_NEIGHBOURS: Final = 24
_NEAREST: Final = 3
_CUTOFF: Final = 0.6


@dataclass(frozen=True, slots=True)
class RouteRef:
    """A route as the lookups hold it; ``raw`` is its JSON, which was validated.

    Thousands of decoded routes are a hundred thousand objects, and each full garbage collection walks them all: every
    stream stops for 60 ms. So a route is decoded when a request first needs it.
    """

    name: str
    models: tuple[str, ...]
    display_name: str | None
    alias: str | None
    raw: bytes

    @classmethod
    def of(cls, route: Route, raw: bytes) -> "RouteRef":
        """Return the reference to a route that was decoded from ``raw``."""
        return cls(name=route.name, models=route.models, display_name=route.display_name, alias=route.alias, raw=raw)


class Allowance:
    """What one client may name."""

    __slots__ = ("_names", "_patterns", "everything")

    def __init__(self, client: Client) -> None:
        """Prepare the client's names and patterns."""
        self.everything = STAR in client.models
        self._names = frozenset(name for name in client.models if STAR not in name)
        self._patterns = tuple(Pattern.of(name) for name in client.models if STAR in name)

    def __contains__(self, model: str) -> bool:
        return self.everything or model in self._names or any(pattern.matches(model) for pattern in self._patterns)


class Routing:
    """A policy's routes and clients, ready to be looked up by name."""

    def __init__(self, refs: Sequence[RouteRef], clients: Iterable[Client]) -> None:
        """Index them; a name that two routes claim was settled before, in the control plane."""
        named = [(name, ref) for ref in refs for name in ref.models]
        self.routes = frozenset(ref.name for ref in refs)
        self._exact = {name: ref for name, ref in named if STAR not in name}
        self._aliases: dict[str, str] = {}
        for ref in refs:
            own = literal(ref.models)
            if ref.alias is not None and own is not None and ref.alias not in self._exact:
                self._exact[ref.alias] = ref
                self._aliases[ref.alias] = own
        self._patterns = Patterns((name, ref) for name, ref in named if STAR in name)
        self._memo: dict[str, RouteRef] = {}
        self._decoded: dict[str, Route] = {}
        self._allowances = {client.name: Allowance(client) for client in clients}
        self._names = tuple(sorted(self._exact))
        words: dict[str, list[str]] = defaultdict(list)
        for name in self._names:
            for word in set(_words(name)):
                words[word].append(name)
        self._words = dict(words)

    def route(self, model: str) -> Route | None:
        """The route that serves a model name, if any."""
        ref = self._entry(model)
        if ref is None:
            return None
        route = self._decoded.get(ref.name)
        if route is None:
            route = self._decoded[ref.name] = Route.model_validate_json(ref.raw)
        return route

    def display_name(self, model: str) -> str | None:
        """What people should read in place of a model name: what its route says, else the name; None: not served.

        An alias is read as the name that it stands for.
        """
        ref = self._entry(model)
        return None if ref is None else ref.display_name or self._aliases.get(model, model)

    def allowed(self, client: Client, model: str) -> bool:
        """Whether the client may name this model, served or not; an id of a cloud also by its plain names.

        An alias is only another way to say a name: who may not say that name may not say it this way either.
        """
        allowance = self._allowances.get(client.name)
        if allowance is None:
            return False
        model = self._aliases.get(model, model)
        return model in allowance or any(name in allowance for name in _lookups(model)[1:])

    def names(self, client: Client) -> Sequence[str]:
        """The literal names and aliases that the client may use, sorted; a pattern stands for too many to list."""
        allowance = self._allowances.get(client.name)
        if allowance is None:
            return ()
        if allowance.everything:
            return self._names
        return [name for name in self._names if self._aliases.get(name, name) in allowance]

    def nearest(self, client: Client, model: str) -> list[str]:
        """Names like this one that the client may use, best first; a handful of likely names is compared at most."""
        if len(model) > MODEL_LIMIT:
            return []
        plain = _lookups(model)[-1]
        likely = [name for name in self._likely(plain) if self.allowed(client, name)]
        return get_close_matches(plain, likely, n=_NEAREST, cutoff=_CUTOFF)

    def _entry(self, model: str) -> RouteRef | None:
        ref = self._exact.get(model) or self._memo.get(model)
        if ref is not None or len(model) > MODEL_LIMIT:
            return ref
        ref = self._found(_lookups(model))
        if ref is not None and len(self._memo) < _MEMO_LIMIT:
            self._memo[model] = ref
        return ref

    def _found(self, names: Sequence[str]) -> RouteRef | None:
        for name in names:
            if (exact := self._exact.get(name)) is not None:
                return exact
        fitting = [best for name in names if (best := self._patterns.best(name)) is not None]
        return min(fitting, key=lambda found: found[0].rank)[1] if fitting else None

    def _likely(self, model: str) -> Iterable[str]:
        at = bisect_left(self._names, model)
        likely = dict.fromkeys(self._names[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS])
        shared = sorted((self._words[word] for word in set(_words(model)) if word in self._words), key=len)
        for names in shared[:3]:
            likely.update(dict.fromkeys(names[:_NEIGHBOURS]))
        return likely


def literal(models: Sequence[str]) -> str | None:
    """The first of a route's names that is no pattern, which its alias stands for."""
    return next((name for name in models if STAR not in name), None)


def _lookups(model: str) -> Sequence[str]:
    """The names under which a model is looked up, the one that was sent first."""
    return variants(model) if len(model) <= MODEL_LIMIT else (model,)


def _words(name: str) -> list[str]:
    return "".join(char if char.isalnum() else " " for char in name.lower()).split()
