"""Rules that one schema keyword cannot say: declared once, checked here and by the API server.

A rule pairs a CEL expression with the same condition in Python, so that ``lint`` on a laptop and an API server refuse
the same objects with the same words. It stands in the metadata of a field's type (``Annotated[str, Rule(...)]``) or,
where it concerns several fields, in the ``rules`` of a ``Spec``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

T = TypeVar("T")

VALIDATIONS: Final = "x-kubernetes-validations"
ERROR_TYPE: Final = "rule"
"""``type`` of the pydantic error of a broken rule; its ``ctx`` has ``wrong`` and ``fix``."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition on a value: as CEL over ``self``, and as ``holds`` in Python.

    ``wrong`` says in one clause what a value that breaks it is, ``fix`` what to write instead. ``pattern`` is set
    where the condition is a regular expression, which editors can check without CEL.
    """

    cel: str
    holds: Callable[[Any], bool]
    wrong: str
    fix: str
    pattern: str | None = None

    @property
    def message(self) -> str:
        """What a user reads."""
        return f"{self.wrong}; {self.fix}"

    def declare(self, schema: JsonSchemaValue) -> None:
        """Add the rule to the JSON schema of the value."""
        schema.setdefault(VALIDATIONS, []).append({"rule": self.cel, "message": self.message})
        if self.pattern is not None:
            schema["pattern"] = self.pattern

    def check(self, value: T) -> T:
        """Give the value back; raises PydanticCustomError if it breaks the rule."""
        if not self.holds(value):
            raise broken(self.wrong, self.fix)
        return value

    def __get_pydantic_core_schema__(self, source: type[object], handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        self.declare(schema)
        return schema


def matches(pattern: str, *, wrong: str, fix: str) -> Rule:
    """Give the rule that a string matches a pattern as a whole.

    The pattern begins with ``^``, ends with ``$`` and means the same in RE2, ECMA 262 and Python: ASCII classes, no
    look-around, no back-references.
    """
    compiled = re.compile(pattern)
    return Rule(
        cel=f"self.matches({cel_string(pattern)})",
        holds=lambda text: compiled.fullmatch(text) is not None,
        wrong=wrong,
        fix=fix,
        pattern=pattern,
    )


def cel_string(text: str) -> str:
    """Write a text that has no quotes as a CEL string in which a backslash is a backslash."""
    return f"r'{text}'"


@dataclass(frozen=True, slots=True)
class Items:
    """How many items a list may have, and whether one may be there twice. ``noun`` is what one item is called.

    Not pydantic's own bounds: those count only the items that are valid, so that one bad item reads as two mistakes.
    """

    noun: str
    most: int
    least: int = 1
    unique: bool = False

    def check(self, items: tuple[T, ...]) -> tuple[T, ...]:
        """Give the items back; raises PydanticCustomError if they are too few or too many, or one is there twice."""
        if len(items) < self.least:
            raise broken(f"no {self.noun} is listed", f"list at least {self.least}")
        if len(items) > self.most:
            raise broken(f"{len(items)} are listed", f"list at most {self.most}")
        if self.unique:
            for index, item in enumerate(items):
                if item in items[:index]:
                    raise broken(f"`{item}` is listed twice", "list it once")
        return items

    def __get_pydantic_core_schema__(self, source: type[object], handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = {**handler(core), "minItems": self.least, "maxItems": self.most}
        return {**schema, "uniqueItems": True} if self.unique else schema


def broken(wrong: str, fix: str) -> PydanticCustomError:
    """Give the error of a broken rule."""
    return PydanticCustomError(ERROR_TYPE, "{wrong}; {fix}", {"wrong": wrong, "fix": fix})
