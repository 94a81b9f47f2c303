"""The shapes of plain Messages. Clients write them, so every value is checked before it is used."""

from collections.abc import Mapping
from typing import TypedDict

Document = Mapping[str, object]
"""A JSON object from outside: any member may be missing or of an unexpected type."""


class Turn(TypedDict):
    """One turn of a plain conversation, with its blocks."""

    role: object
    content: list[Document]


class Tool(TypedDict, total=False):
    """A tool that the client runs; ``input_schema`` is JSON Schema, ``strict``: its calls keep to it."""

    name: str
    description: str
    input_schema: object
    strict: bool


class ToolChoice(TypedDict, total=False):
    """``tool_choice`` of a plain request."""

    type: str
    name: object
    disable_parallel_tool_use: bool
