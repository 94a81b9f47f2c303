"""Every compiled regex of some packages, how their code uses it, and texts that would make it backtrack."""

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from types import ModuleType
from typing import Any, Final

METHODS: Final = ("search", "match", "fullmatch", "sub", "findall", "finditer", "split")
_PUMPS: Final = ("a", "A", "0", " ", "\t", "\n", "-", ".", "/", ":", ",", '"', "\\", "{", "<", "\\\\", "\r\n", "a0 ")
"""Texts that are repeated for every regex, beside those that are made for it."""

_ENDS: Final = ("", "\0", "!")
_ALTERNATIVES: Final = 4


@dataclass(frozen=True)
class Regex:
    """A regex at its place; ``methods`` are those by which the code around uses it."""

    place: str
    pattern: re.Pattern[Any] = field(repr=False)
    methods: tuple[str, ...]

    def uses(self) -> Iterator[tuple[str, Callable[[Any], object]]]:
        """Yield each way to use the regex on a text."""
        for method in self.methods:
            found = getattr(self.pattern, method)
            match method:
                case "sub":
                    yield method, partial(found, self.pattern.pattern[:0])
                case "finditer":
                    yield method, partial(_exhausted, found)
                case _:
                    yield method, found


def _exhausted(found: Callable[[Any], Iterator[object]], text: Any) -> list[object]:
    return list(found(text))


def modules(*packages: ModuleType) -> Iterator[ModuleType]:
    """Yield all modules of some packages but those that run on import."""
    for package in packages:
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not info.name.endswith(".__main__"):
                yield importlib.import_module(info.name)


def regexes(*packages: ModuleType) -> list[Regex]:
    """Return every compiled regex in the modules of some packages, also those within tuples, tables and dataclasses."""
    used = _used_methods(modules(*packages))
    found: dict[int, Regex] = {}
    for module in modules(*packages):
        for name, value in vars(module).items():
            for number, pattern in enumerate(_patterns(value)):
                place = f"{module.__name__}:{name}" + (f"[{number}]" if number else "")
                methods = tuple(sorted(used.get(name, ()))) if pattern is value else ()
                found.setdefault(id(pattern), Regex(place, pattern, methods or ("search",)))
    return list(found.values())


def hidden(*packages: ModuleType) -> list[str]:
    """Return the places where a regex is compiled or used that no module keeps, so that ``regexes`` misses it."""
    places: list[str] = []
    for module in modules(*packages):
        tree = ast.parse(inspect.getsource(module))
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            places += [
                f"{module.__name__}:{node.lineno} re.{_text(node.func)}"
                for node in ast.walk(function)
                if isinstance(node, ast.Call) and _of_re(node.func) and _text(node.func) in METHODS
            ]
    return places


def attacks(pattern: re.Pattern[Any]) -> Iterator[tuple[str, Callable[[int], Any]]]:
    """Yield texts of any size for a regex: what comes before each of its repeats, then that repeat without an end."""
    tree = parser.parse(pattern.pattern, pattern.flags)
    starts = list(dict.fromkeys(_starts(tree, "")))
    whole = next(iter(_examples(tree)), "")
    pumps = [("", pump) for pump in _PUMPS] + [(whole, pump) for pump in ("a", " ", whole or "a")]
    pumps += [pair for before, body in starts for pair in ((before, body), ("", before + body))]
    for before, pump in dict.fromkeys(pumps):
        for end in _ENDS:
            if pump:
                yield f"{before!r} + {pump!r} * n + {end!r}", _text_of(before, pump, end, pattern)


def _text_of(before: str, pump: str, end: str, pattern: re.Pattern[Any]) -> Callable[[int], Any]:
    def text(size: int) -> Any:
        found = before + pump * (size // len(pump) + 1) + end
        return found if isinstance(pattern.pattern, str) else found.encode("latin-1", "replace")

    return text


def _patterns(value: object) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, tuple | list | set | frozenset):
        for each in value:
            yield from _patterns(each)
    elif isinstance(value, dict):
        for each in (*value.keys(), *value.values()):
            yield from _patterns(each)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for part in dataclasses.fields(value):
            yield from _patterns(getattr(value, part.name, None))


def _used_methods(found: Iterator[ModuleType]) -> dict[str, set[str]]:
    used: dict[str, set[str]] = {}
    for module in found:
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in METHODS:
                used.setdefault(node.value.id, set()).add(node.attr)
    return used


def _of_re(function: ast.expr) -> bool:
    return isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name) and function.value.id == "re"


def _text(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else ""


def _starts(tree: Sequence[Any], before: str) -> Iterator[tuple[str, str]]:
    """Yield, for each repeat without a small bound, an example of what precedes it and examples of what is repeated."""
    for kind, value in tree:
        for inner in _inner(kind, value):
            yield from _starts(inner, before)
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT) and value[1] > len(_ENDS):
            for body in _examples(value[2], full=True):
                yield before, body
        before += next(iter(_examples([(kind, value)])), "")


def _inner(kind: Any, value: Any) -> Sequence[Any]:
    match kind:
        case op.SUBPATTERN:
            return [value[3]]
        case op.BRANCH:
            return list(value[1])
        case op.MAX_REPEAT | op.MIN_REPEAT | op.POSSESSIVE_REPEAT:
            return [value[2]]
        case op.ATOMIC_GROUP:
            return [value]
        case op.ASSERT | op.ASSERT_NOT:
            return [value[1]]
    return []


def _examples(tree: Sequence[Any], *, full: bool = False) -> list[str]:
    """Return a few texts that match, without lookarounds; ``full`` repeats once what may be absent."""
    found = [""]
    for kind, value in tree:
        more = _of_node(kind, value, full=full)
        found = [text + each for text in found for each in more[:_ALTERNATIVES]][:_ALTERNATIVES]
    return found


def _of_node(kind: Any, value: Any, *, full: bool) -> list[str]:
    match kind:
        case op.LITERAL:
            return [chr(value)]
        case op.NOT_LITERAL:
            return ["a" if value != ord("a") else "b"]
        case op.ANY:
            return ["a"]
        case op.IN:
            return _of_set(value)
        case op.BRANCH:
            return [text for each in value[1] for text in _examples(each, full=full)]
        case op.SUBPATTERN:
            return _examples(value[3], full=full)
        case op.ATOMIC_GROUP:
            return _examples(value, full=full)
        case op.MAX_REPEAT | op.MIN_REPEAT | op.POSSESSIVE_REPEAT:
            times = max(value[0], 1 if full else 0)
            return [text * times for text in _examples(value[2], full=full)]
    return [""]


_CATEGORIES: Final = {
    op.CATEGORY_DIGIT: "0",
    op.CATEGORY_NOT_DIGIT: "a",
    op.CATEGORY_SPACE: " ",
    op.CATEGORY_NOT_SPACE: "a",
    op.CATEGORY_WORD: "a",
    op.CATEGORY_NOT_WORD: "-",
}


def _of_set(items: Sequence[Any]) -> list[str]:
    texts: list[str] = []
    negated = items[0][0] is op.NEGATE
    for kind, value in items:
        if kind is op.LITERAL:
            texts.append(chr(value))
        elif kind is op.RANGE:
            texts += [chr(value[0]), chr(value[1])]
        elif kind is op.CATEGORY:
            texts.append(_CATEGORIES[value])
    if not negated:
        return texts
    return [text for text in ("a", "h", "0", "-", " ", "<", '"') if not _excluded(text, items)] or ["~"]


def _excluded(text: str, items: Sequence[Any]) -> bool:
    # The set without its negation, as a pattern of its own.
    for kind, value in items[1:]:
        if kind is op.LITERAL and ord(text) == value:
            return True
        if kind is op.RANGE and value[0] <= ord(text) <= value[1]:
            return True
        if kind is op.CATEGORY and (text.isspace() if value is op.CATEGORY_SPACE else text == _CATEGORIES[value]):
            return True
    return False
