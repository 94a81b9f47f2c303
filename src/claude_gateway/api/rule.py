"""Rules that no single schema keyword can express: declared once, checked here and by the API server.

A rule pairs a CEL expression with the same condition in Python. ``lint`` on a laptop and an API server therefore
reject the same objects with the same message. A rule is part of a field's type (``Annotated[str, Rule(...)]``) or, if
it involves several fields, of the ``rules`` of a ``Spec``.
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
"""``type`` of the pydantic error that a violated rule raises; its ``ctx`` holds ``wrong`` and ``fix``."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition on a value: ``cel`` as a CEL expression over ``self``, ``holds`` the same in Python.

    ``wrong`` is one clause that says what is wrong, ``fix`` one that says what to write instead.
    """

    cel: str
    holds: Callable[[Any], bool]
    wrong: str
    fix: str

    @property
    def message(self) -> str:
        """The text that users read: what is wrong and how to fix it."""
        return f"{self.wrong}; {self.fix}"

    def declare(self, schema: JsonSchemaValue) -> None:
        """Add the rule to the JSON schema of the value."""
        schema.setdefault(VALIDATIONS, []).append({"rule": self.cel, "message": self.message})

    def check(self, value: T) -> T:
        """Return the value unchanged; raises PydanticCustomError if it violates the rule."""
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
    """Return a rule that requires a string to match a pattern as a whole.

    The pattern begins with ``^``, ends with ``$`` and means the same in RE2, ECMA 262 and Python: ASCII classes, no
    look-around, no back-references. It is not a ``pattern`` of the schema as well: an API server would then report a
    mistake twice, and first with the bare expression.
    """
    compiled = re.compile(pattern)
    return Rule(
        cel=f"self.matches({cel_string(pattern)})",
        holds=lambda text: compiled.fullmatch(text) is not None,
        wrong=wrong,
        fix=fix,
    )


def cel_string(text: str) -> str:
    """Write a text without quotes as a raw CEL string, in which a backslash needs no escape."""
    return f"r'{text}'"


@dataclass(frozen=True, slots=True)
class Items:
    """How many items a list may have, and whether they must be unique. ``noun`` is the word for one item.

    These are not pydantic's own bounds, because pydantic counts only valid items and reports one bad item as two
    mistakes.
    """

    noun: str
    most: int
    least: int = 1
    unique: bool = False

    def check(self, items: tuple[T, ...]) -> tuple[T, ...]:
        """Return the items unchanged; raises PydanticCustomError for too few, too many or duplicate items."""
        if len(items) < self.least:
            raise broken(f"no {self.noun} is listed", f"list at least {self.least}")
        if len(items) > self.most:
            raise broken(f"{len(items)} {self.noun}s are listed", f"list at most {self.most}")
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
    """Return the validation error for a violated rule."""
    return PydanticCustomError(ERROR_TYPE, "{wrong}; {fix}", {"wrong": wrong, "fix": fix})
