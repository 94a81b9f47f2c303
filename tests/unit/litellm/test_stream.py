"""Streams as LiteLLM gives them, in OpenAI's formats."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from claude_gateway.contract.target import Format
from claude_gateway_proxy.litellm.stream import events
from claude_gateway_proxy.litellm.targets import Target
from claude_gateway_proxy.operations import OPERATIONS
from claude_gateway_runtime.failure import Failure

TARGET = Target(id="t", model="anthropic/m", api_base=None, api_key=None, timeout=None, dial=None)


async def given(*chunks: Any) -> AsyncIterator[Any]:
    for chunk in chunks:
        yield chunk


async def written(format: Format, *chunks: Any, usage: bool = False) -> list[bytes]:
    return [event async for event in events(given(*chunks), format=format, usage=usage, target=TARGET)]


def chunk(finish: str | None = None, usage: dict[str, int] | None = None, **delta: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": usage}


COUNTS = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


async def test_usage_goes_where_it_is_expected() -> None:
    stream = [chunk(content="a"), chunk(finish="stop"), chunk(usage=COUNTS)]
    plain = await written(Format.CHAT, *stream)
    assert len(plain) == 3
    assert b'"finish_reason":"stop"' in plain[1]
    assert b'"total_tokens":3' in plain[1]
    asked = await written(Format.CHAT, *stream, usage=True)
    assert len(asked) == 4
    assert b'"choices":[]' in asked[2]
    assert b'"total_tokens":3' in asked[2]
    assert plain[-1] == asked[-1] == b"data: [DONE]\n\n"


async def test_two_choices_end_one_after_the_other() -> None:
    stream = [chunk(finish="stop"), chunk(finish="length")]
    first, second, _ = await written(Format.CHAT, *stream)
    assert b'"stop"' in first
    assert b'"length"' in second


@pytest.mark.parametrize(
    ("format", "expected"),
    [
        (Format.MESSAGES, b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"m"}}\n\n'),
        (Format.CHAT, b'data: {"error":{"message":"m","type":"server_error","param":null,"code":null}}\n\n'),
        (
            Format.RESPONSES,
            b'event: error\ndata: {"type":"error","code":"api_error","message":"m","param":null}\n\n',
        ),
    ],
)
def test_errors_as_events(format: Format, expected: bytes) -> None:
    assert OPERATIONS[format].error_event(Failure(status=500, type="api_error", message="m")) == expected
