"""Which targets can serve a request: by its images, documents, tools and thinking, and by its length.

A request whose targets have no restrictions costs nothing here. Bytes are at least as many as the tokens of text, so
that the length of a request is estimated only if its body has more bytes than the smallest window has tokens. The
estimate is rather too high: it chooses among targets, and only what a request has at least (``Facts.least_tokens``)
rejects it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, Protocol

import msgspec

from claude_gateway.contract import models
from claude_gateway.contract.route import Route
from claude_gateway.contract.target import CLAUDE_WIRES, Ability, Format, Target
from claude_gateway_proxy.gateway.body.facts import Facts
from claude_gateway_proxy.gateway.errors import ability_missing, prompt_too_long
from claude_gateway_proxy.operations import OPERATIONS
from claude_gateway_proxy.translation.limits import TooLong

_NEEDS: Final[dict[Ability, Callable[[Facts], bool]]] = {
    Ability.IMAGES: lambda facts: facts.images,
    Ability.DOCUMENTS: lambda facts: facts.documents,
    Ability.TOOLS: lambda facts: facts.tools > 0,
    Ability.THINKING: lambda facts: facts.thinking.enabled,
}
"""Whether a request needs an ability."""

_DEMANDED: Final = frozenset({Ability.IMAGES, Ability.DOCUMENTS, Ability.TOOLS})
"""The abilities that a request requires. Thinking is not among them, because a translation can omit it."""

_DENSE: Final = 2
"""The fewest bytes per token of usual text: a body that is shorter by this measure cannot be too long."""


class Asked(Protocol):
    """The parts of a request that matter here; ``asked`` is the model name without a context in brackets."""

    @property
    def route(self) -> Route: ...
    @property
    def format(self) -> Format: ...
    @property
    def asked(self) -> str: ...
    @property
    def facts(self) -> Facts: ...


class _Window(msgspec.Struct, frozen=True):
    """A target's window, None if it is not known; ``certain``: a longer request would be rejected there."""

    tokens: int | None
    certain: bool

    def is_exceeded_by(self, tokens: int) -> bool:
        """Return whether a request of at least this many tokens certainly does not fit."""
        return self.certain and self.tokens is not None and self.tokens < tokens


def fitting(request: Asked, targets: Sequence[Target]) -> Sequence[Target]:
    """Return the targets that can take a request, in the same order; at least one.

    First those are left out that certainly cannot take it, then those that most likely cannot, if others remain. Raises
    Failure (400) if every target declares that it does not support what the request needs, or is certainly too small
    for it.
    """
    left = _able(request, targets)
    if not OPERATIONS[request.format].generates:
        # A text longer than the window can be counted, and texts to embed are processed one by one.
        return _likely_able(request, left)
    windows = {each.id: _window(each, request) for each in left}
    left = _not_too_small(request.facts, left, windows)
    return _likely_large_enough(request.facts, _likely_able(request, left), windows)


def roomier(request: Asked, targets: Sequence[Target], *, than: Target, said: TooLong) -> Sequence[Target]:
    """Return the targets that may take a request which was too long for another one, in the same order; maybe none.

    ``said`` is that target's answer, which knows its window and the tokens better than the table. If all larger windows
    are too small for these tokens as well, the target with the largest one is kept.
    """
    most = _window(than, request).tokens if said.most is None else said.most
    sizes = {each.id: _window(each, request).tokens for each in targets}
    larger = [each for each in targets if _is_larger(sizes[each.id], most) and not _is_same(each, than, sizes[each.id])]
    tokens = said.tokens
    if tokens is None:
        return larger
    fit = [each for each in larger if (size := sizes[each.id]) is None or tokens <= size]
    return fit or sorted(larger, key=lambda each: sizes[each.id] or 0)[-1:]


def _is_larger(window: int | None, other: int | None) -> bool:
    """Return whether a window is larger than another, as far as they are known."""
    return window is None or other is None or window > other


def _is_same(target: Target, other: Target, window: int | None) -> bool:
    """Return whether a target of unknown window is another target's model at the same place."""
    places = ((each.provider, each.base_url, each.model) for each in (target, other))
    return window is None and len(set(places)) == 1


def _able(request: Asked, targets: Sequence[Target]) -> Sequence[Target]:
    if not any(target.lacks for target in targets):
        return targets
    lacking = [_DEMANDED.intersection(target.lacks) for target in targets]
    missing = _needed(request.facts, frozenset[Ability]().union(*lacking))
    if not missing:
        return targets
    left = [each for each, lacks in zip(targets, lacking, strict=True) if not missing & lacks]
    if not left:
        raise ability_missing(request.route.name, sorted(missing))
    return left


def _not_too_small(facts: Facts, targets: Sequence[Target], windows: Mapping[str, _Window]) -> Sequence[Target]:
    certain = [window.tokens for window in windows.values() if window.certain and window.tokens is not None]
    if not certain or facts.size <= _DENSE * min(certain):
        return targets
    least = facts.least_tokens
    left = [each for each in targets if not windows[each.id].is_exceeded_by(least)]
    if not left:
        raise prompt_too_long(max(facts.input_tokens, least), max(certain))
    return left


def _likely_able(request: Asked, targets: Sequence[Target]) -> Sequence[Target]:
    if len(targets) == 1:
        return targets
    unlikely = [_unlikely(target, request.asked) for target in targets]
    missing = _needed(request.facts, frozenset[Ability]().union(*unlikely))
    if not missing:
        return targets
    return [each for each, lacks in zip(targets, unlikely, strict=True) if not missing & lacks] or targets


def _likely_large_enough(facts: Facts, targets: Sequence[Target], windows: Mapping[str, _Window]) -> Sequence[Target]:
    sizes = [windows[each.id].tokens for each in targets]
    known = [size for size in sizes if size is not None]
    if len(set(sizes)) == 1 or facts.size <= min(known):
        return targets
    tokens = facts.input_tokens
    fit = [each for each, size in zip(targets, sizes, strict=True) if size is None or tokens <= size]
    # Near the limit, and above it as far as is known: the upstream with the most room decides.
    return fit or [each for each, size in zip(targets, sizes, strict=True) if size == max(known)]


def _needed(facts: Facts, abilities: Collection[Ability]) -> frozenset[Ability]:
    return frozenset(ability for ability in abilities if _NEEDS[ability](facts))


def _unlikely(target: Target, asked: str) -> frozenset[Ability]:
    """Return the abilities that a target most likely does not have."""
    found = frozenset(target.lacks)
    if target.model != "*":
        return found.union(target.unlisted)
    known = models.find(target.provider, asked)
    if known is None:
        return found
    return found | (models.unlisted(known, relays_claude=target.wire in CLAUDE_WIRES) - frozenset(target.has))


def _window(target: Target, request: Asked) -> _Window:
    """Return a target's window; of a target that takes any model, that of the model which was asked for."""
    usual, long, certain = target.context_window, target.long_context_window, target.certain_window
    if usual is None and target.model == "*":
        known = models.find(target.provider, request.asked)
        if known is not None:
            usual, long, certain = known.window, known.long_window, models.is_exact(target.provider, target.base_url)
    return _Window(long if long is not None and request.facts.long_context else usual, certain)
