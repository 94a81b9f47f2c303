"""References of a schema, replaced by what they refer to.

Two references on each level double a schema with every level: a few kilobytes unfold to gigabytes. So what a whole
request unfolds to is bounded by its own size.
"""

from collections import ChainMap
from collections.abc import Mapping
from typing import Any, Final

from claude_gateway_proxy.translation.schema.values import Schema, as_object

_DEPTH: Final = 64
"""Levels that are read."""

_BASE: Final = 64 * 1024
_FACTOR: Final = 8
_NODE: Final = 16
"""What one part of a schema costs, besides its own texts."""

_DEFINITIONS: Final = ("$defs", "definitions")
_NAMED: Final = ("properties", "patternProperties")
"""Words whose value maps names, not words, to schemas."""

_VALUES: Final = ("const", "default", "enum", "example", "examples", "required")
"""Words whose value is not a schema."""


class Budget:
    """Characters that the schemas of one request may still grow by. A request of ``size`` bytes gets its share."""

    def __init__(self, size: int = 0) -> None:
        """Start with the budget of ordinary schemas, and more for a large request."""
        self._left = _BASE + _FACTOR * size

    def take(self, cost: int) -> bool:
        """Take ``cost`` characters; whether there were as many."""
        if cost > self._left:
            return False
        self._left -= cost
        return True


def unfolded(schema: Schema, *, definitions: Mapping[str, Any], budget: Budget) -> Schema:
    """Return a copy of a schema without references, as far as the budget goes; ``definitions`` are by name.

    What refers to itself, or goes beyond the budget, becomes an open object. A reference to what is not there stays.
    """
    unfolding = _Unfolding(budget)
    found: Schema = unfolding.schema(schema, scope=ChainMap(dict(definitions)), within=frozenset(), depth=0)
    return found


def own_cost(node: Mapping[str, Any]) -> int:
    """The cost of one part of a schema, without the parts below it."""
    return _NODE + sum(_size(value) for word, value in node.items() if isinstance(value, str) or word in _VALUES)


class _Unfolding:
    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._costs: dict[int, int] = {}

    def schema(self, node: Any, *, scope: ChainMap[str, Any], within: frozenset[str], depth: int) -> Any:
        """One schema, or whatever stands in its place."""
        if isinstance(node, list):
            return [self.schema(each, scope=scope, within=within, depth=depth + 1) for each in node]
        if not isinstance(node, dict):
            return node
        if depth > _DEPTH:
            return {"type": "object"}
        own = {name: each for word in _DEFINITIONS for name, each in as_object(node.get(word)).items()}
        if own:
            scope = scope.new_child(own)
        reference = node.get("$ref")
        if isinstance(reference, str):
            return self._referred(node, reference, scope=scope, within=within, depth=depth)
        found: Schema = {}
        for word, value in node.items():
            if word in _NAMED and isinstance(value, dict):
                found[word] = {
                    name: self.schema(each, scope=scope, within=within, depth=depth + 1) for name, each in value.items()
                }
            elif word not in _DEFINITIONS:
                found[word] = self.schema(value, scope=scope, within=within, depth=depth + 1)
        return found

    def _referred(
        self, node: Schema, reference: str, *, scope: ChainMap[str, Any], within: frozenset[str], depth: int
    ) -> Any:
        name = reference.rpartition("/")[2]
        found = scope.get(name)
        if found is None:
            return dict(node)
        rest = {word: value for word, value in node.items() if word != "$ref"}
        if name in within or not isinstance(found, dict) or not self._budget.take(self._cost(found)):
            return {"type": "object"}
        return self.schema({**found, **rest}, scope=scope, within=within | {name}, depth=depth + 1)

    def _cost(self, definition: Schema) -> int:
        """The size of a definition, computed once for all references to it."""
        known = self._costs.get(id(definition))
        if known is None:
            known = self._costs[id(definition)] = _size(definition)
        return known


def _size(value: Any) -> int:
    """About as many characters as a value has in JSON."""
    size, waiting = 0, [value]
    while waiting:
        each = waiting.pop()
        size += _NODE
        if isinstance(each, dict):
            size += sum(map(len, each))
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, str):
            size += len(each)
    return size
