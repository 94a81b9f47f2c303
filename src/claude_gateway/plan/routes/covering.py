"""Which conditions of rules cover others: whether a request that satisfies one match always satisfies another.

The answer "covered" is certain, the answer "not covered" is not: relations between headers and bodies are ignored. The
gateway's matcher is ``routing/rules.py``.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any, Final

from claude_gateway.contract.patterns import STAR, Pattern
from claude_gateway.contract.route import Match, RequestClass, Thinking
from claude_gateway.contract.target import Format

_CASES: Final = 64
"""The most cases examined for one rule. A rule that needs more counts as reachable."""

_ALTERNATIVES: Final[dict[str, tuple[Any, ...]]] = {
    "thinking": (Thinking.ENABLED, Thinking.DISABLED),
    "images": (True, False),
    "documents": (True, False),
    "tools": (True, False),
    "subagent": (True, False),
    "formats": tuple((each,) for each in Format),
}
"""Values of a condition of which one always holds."""

_LISTS: Final = ("effort", "formats", "clients", "request_classes", "agent_types", "server_tools")


def covers(one: Match, other: Match) -> bool:
    """Return whether every request that satisfies ``other`` satisfies ``one``."""
    return (
        _thinking(one, other)
        and _at_least(one.thinking_budget_at_least, other.thinking_budget_at_least)
        and _at_least(one.input_tokens_at_least, other.input_tokens_at_least)
        and _same(one.images, other.images)
        and _same(one.documents, other.documents)
        and _same(one.tools, other.tools, implied=bool(other.server_tools))
        and _same(one.subagent, other.subagent, implied=other.request_classes == (RequestClass.SUBAGENT,))
        and _within(one.effort, other.effort)
        and _within(one.formats, other.formats)
        and _within(one.clients, other.clients)
        and _within(one.request_classes, other.request_classes)
        and set(one.headers) <= set(other.headers)
        and _patterns(one.agent_types, other.agent_types)
        and _patterns(one.server_tools, other.server_tools)
    )


def covered(match: Match, earlier: Sequence[Match]) -> bool:
    """Return whether every request that satisfies a match also satisfies at least one of the earlier ones."""
    earlier = [one for one in earlier if _covers_part(one, match)]
    used = frozenset(field for one in earlier for field in Match.model_fields if getattr(one, field) not in (None, ()))
    left = [match]
    for _ in range(_CASES):
        if not left:
            return True
        case = left.pop()
        if any(covers(one, case) for one in earlier):
            continue
        parts = next(_splits(case, used), None)
        if parts is None:
            return False
        left += parts
    return not left


@lru_cache(maxsize=2048)
def coverage(matches: tuple[Match, ...]) -> tuple[int | None, ...]:
    """Return for each match the first one before it that covers it, or its own number if only several together do.

    None: some requests may reach it. The answer is cached, because every change examines all routes.
    """
    return tuple(_coverage(match, matches[:number]) for number, match in enumerate(matches))


def _coverage(match: Match, earlier: Sequence[Match]) -> int | None:
    for number, one in enumerate(earlier):
        if covers(one, match):
            return number
    return len(earlier) if earlier and covered(match, earlier) else None


def _covers_part(one: Match, match: Match) -> bool:
    """Return whether a match may cover a case of another: the two do not contradict each other in these conditions."""
    return (
        _at_least(one.thinking_budget_at_least, match.thinking_budget_at_least)
        and _at_least(one.input_tokens_at_least, match.input_tokens_at_least)
        and set(one.headers) <= set(match.headers)
    )


def contradiction(match: Match) -> str | None:
    """Return which conditions of a match never hold together; None if no conflict is known.

    A match that the schema forbids need not be recognized.
    """
    if match.subagent is False and match.request_classes == (RequestClass.SUBAGENT,):
        return "`subagent: false` and `requestClasses: [Subagent]`"
    return None


def _splits(case: Match, used: AbstractSet[str]) -> Iterator[list[Match]]:
    """Yield ways to see a case as several, by the conditions that earlier matches have (``used``)."""
    for field, alternatives in _ALTERNATIVES.items():
        if field in used and getattr(case, field) in (None, ()):
            yield [case.model_copy(update={field: value}) for value in alternatives]
    for field in _LISTS:
        listed = getattr(case, field)
        if field in used and len(listed) > 1:
            yield [case.model_copy(update={field: (value,)}) for value in listed]


def _thinking(one: Match, other: Match) -> bool:
    if one.thinking is None or one.thinking is other.thinking:
        return True
    enabled = other.thinking is Thinking.ADAPTIVE or other.thinking_budget_at_least is not None
    return one.thinking is Thinking.ENABLED and enabled


def _at_least(one: int | None, other: int | None) -> bool:
    return one is None or (other is not None and other >= one)


def _same(one: bool | None, other: bool | None, *, implied: bool = False) -> bool:
    """``implied``: another condition implies that it is true."""
    return one is None or one is other or (one and implied)


def _within(one: Sequence[str], other: Sequence[str]) -> bool:
    return not one or (bool(other) and set(other) <= set(one))


def _patterns(one: Sequence[str], other: Sequence[str]) -> bool:
    return not one or (bool(other) and all(any(_matches(wide, narrow) for wide in one) for narrow in other))


def _matches(wide: str, narrow: str) -> bool:
    return wide == narrow or (STAR in wide and _pattern(wide).matches(narrow))


_pattern: Final = lru_cache(maxsize=512)(Pattern.of)
