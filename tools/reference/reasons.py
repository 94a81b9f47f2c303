"""``docs/reference/reasons.md``: conditions and reasons, from the words below each name in ``names.py``."""

import ast
import inspect
import itertools
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from tools.reference.markdown import code, page, table

from claude_gateway import names
from claude_gateway.names import ConditionType, Reason

INTRO: Final = """\
What is wrong with an object stands in its status and its Events in a cluster, and in the output of
`claude-gateway lint`, `serve` and `render`, each with the field and what to do. The words are the same everywhere."""


def render() -> str:
    """The whole page."""
    parts = [
        "## Conditions",
        table(("Type", "Question"), _rows(ConditionType)),
        "## Reasons",
        table(("Reason", "Meaning"), _rows(Reason)),
    ]
    return page("Conditions and reasons", INTRO, parts, source="src/claude_gateway/names.py")


def _rows(enum: type[StrEnum]) -> Iterator[tuple[str, str]]:
    words = _words(enum.__name__)
    for member in enum:
        yield code(member.value), words[member.name]


def _words(enum: str) -> dict[str, str]:
    """The string below each member of an enum; raises KeyError later for one without."""
    module = ast.parse(inspect.getsource(names))
    body = next(node.body for node in module.body if isinstance(node, ast.ClassDef) and node.name == enum)
    found = {}
    for member, below in itertools.pairwise(body):
        match member, below:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = text
    return found
