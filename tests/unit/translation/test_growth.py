"""Translation is linear: a request with four times as many parts costs about four times as much."""

import copy
from collections.abc import Callable
from typing import Any, Final

import pytest
from tests.support.growth import Run, steep
from tests.unit.translation.test_requests import chat_request, responses_request

from claude_gateway_proxy.translation.messages.dialect import plain_messages
from claude_gateway_proxy.translation.schema.gemini import for_gemini
from claude_gateway_proxy.translation.schema.openai import for_openai
from claude_gateway_proxy.translation.schema.strict import fits_strict
from claude_gateway_proxy.translation.schema.unfolding import Budget

Request = dict[str, Any]


def said(*blocks: Request, role: str = "user") -> Request:
    return {"role": role, "content": list(blocks)}


def text(words: str) -> Request:
    return {"type": "text", "text": words}


def called(number: int, name: str = "n") -> Request:
    return {"type": "tool_use", "id": f"t{number}", "name": name, "input": {"a": number}}


def result(number: int) -> Request:
    return {"type": "tool_result", "tool_use_id": f"t{number}", "content": [text("x")]}


def tool(name: str, **schema: Any) -> Request:
    return {"name": name, "description": "d", "input_schema": {"type": "object", **schema}}


REQUESTS: Final[dict[str, Callable[[int], Request]]] = {
    "messages": lambda size: {"messages": [said(text("x"), role=("user", "assistant")[i % 2]) for i in range(size)]},
    "blocks": lambda size: {"messages": [said(*(text("x") for _ in range(size)))]},
    "calls": lambda size: {
        "messages": [
            said(*(called(number) for number in range(size)), role="assistant"),
            said(*(result(number) for number in range(size))),
        ]
    },
    "thinking": lambda size: {
        "messages": [
            said(*({"type": "thinking", "thinking": "t", "signature": "s"} for _ in range(size)), role="assistant")
        ]
    },
    "tools": lambda size: {"tools": [tool(f"n{i}") for i in range(size)], "messages": [said(text("x"))]},
    "tools of one name": lambda size: {"tools": [tool("n") for _ in range(size)], "messages": [said(text("x"))]},
    "long names that are cut": lambda size: {
        "tools": [tool("n" * 90 + str(i)) for i in range(size)],
        "messages": [said(text("x"))],
    },
    "names of characters that are replaced": lambda size: {
        "messages": [said(*(called(i, "é" * (i % 60 + 1)) for i in range(size)), role="assistant")]
    },
    "unknown blocks": lambda size: {"messages": [said(*({"type": f"k{i}"} for i in range(size)))]},
}
SCHEMAS: Final[dict[str, Callable[[int], Request]]] = {
    "properties": lambda size: {"type": "object", "properties": {f"p{i}": {"type": "string"} for i in range(size)}},
    "required": lambda size: {"type": "object", "properties": {"a": {}}, "required": ["a"] * size},
    "alternatives": lambda size: {"anyOf": [{"type": "string"}] * size},
    "all of": lambda size: {"allOf": [{"type": "object", "properties": {f"p{i}": {}}} for i in range(size)]},
    "definitions": lambda size: {
        "$defs": {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(size)},
        "properties": {f"p{i}": {"$ref": f"#/$defs/d{i}"} for i in range(size)},
    },
    "types": lambda size: {"type": ["string", "null"] * size},
    "enum": lambda size: {"type": "string", "enum": [str(i) for i in range(size)]},
    "constants": lambda size: {"oneOf": [{"const": i} for i in range(size)]},
}


@pytest.mark.parametrize("translate", [plain_messages, chat_request, responses_request])
@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_is_translated_in_linear_time(kind: str, translate: Callable[..., object]) -> None:
    more = {"provider": "openai"} if translate is chat_request else {}

    def make(size: int) -> Run:
        request = plain_messages({"model": "m", "max_tokens": 5, **REQUESTS[kind](size)})
        return lambda: translate(copy.copy(request), **more)

    assert steep(make) is None


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema_is_translated_in_linear_time(kind: str) -> None:
    def make(size: int) -> Run:
        schema = SCHEMAS[kind](size)
        return lambda: (for_openai(schema), fits_strict(schema), for_gemini(schema, Budget(64 * size)))

    assert steep(make) is None
