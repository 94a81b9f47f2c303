"""Streams as LiteLLM gives them, in OpenAI's formats."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from claude_gateway.contract.target import Format
from claude_gateway_proxy.litellm.answer import output_item
from claude_gateway_proxy.litellm.items import groups_of
from claude_gateway_proxy.litellm.stream import events
from claude_gateway_proxy.litellm.targets import Target
from claude_gateway_proxy.operations import OPERATIONS
from claude_gateway_runtime.failure import Failure

TARGET = Target(id="t", model="anthropic/m", api_base=None, api_key=None, timeout=None, dial=None)


async def given(*chunks: Any) -> AsyncIterator[Any]:
    for chunk in chunks:
        yield chunk


async def written(format: Format, *chunks: Any, **wanted: Any) -> list[bytes]:
    return [event async for event in events(given(*chunks), format=format, wanted=wanted, target=TARGET)]


def chunk(finish: str | None = None, usage: dict[str, int] | None = None, **delta: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": usage}


RESPONSES = Format.RESPONSES
COUNTS = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}


async def test_usage_goes_where_it_is_expected() -> None:
    stream = [chunk(content="a"), chunk(finish="stop"), chunk(usage=COUNTS)]
    plain = await written(Format.CHAT, *stream)
    assert len(plain) == 3
    assert b'"finish_reason":"stop"' in plain[1]
    assert b'"total_tokens":3' in plain[1]
    asked = await written(Format.CHAT, *stream, stream_options={"include_usage": True})
    assert len(asked) == 4
    assert b'"choices":[]' in asked[2]
    assert b'"total_tokens":3' in asked[2]
    assert plain[-1] == asked[-1] == b"data: [DONE]\n\n"


async def test_two_choices_end_one_after_the_other() -> None:
    stream = [chunk(finish="stop"), chunk(finish="length")]
    first, second, _ = await written(Format.CHAT, *stream)
    assert b'"stop"' in first
    assert b'"length"' in second


REASONED = {"type": "reasoning", "id": "rs_1", "role": "assistant", "content": [{"type": "output_text", "text": "hm"}]}
SUMMARY = [{"type": "summary_text", "text": "hm"}]


async def test_reasoning_has_a_summary_that_begins_with_an_event() -> None:
    place = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
    delta = {"type": "response.reasoning_summary_text.delta", **place, "delta": "h"}
    added = {"type": "response.output_item.added", "item": {"type": "reasoning", "id": "rs_1", "summary": None}}
    ended = {"type": "response.completed", "response": {"output": [REASONED], "usage": None}}
    found = [
        msgspec.json.decode(e.partition(b"data: ")[2]) for e in await written(RESPONSES, added, delta, delta, ended)
    ]
    assert [each["sequence_number"] for each in found] == [0, 1, 2, 3, 4]
    assert found[0]["item"]["summary"] == []
    assert found[1] == {
        "type": "response.reasoning_summary_part.added",
        **place,
        "sequence_number": 1,
        "part": {"type": "summary_text", "text": ""},
    }
    assert found[4]["response"]["output"] == [{"type": "reasoning", "id": "rs_1", "summary": SUMMARY}]
    begins = {"type": "response.reasoning_summary_part.added", **place, "part": SUMMARY[0]}
    assert len(await written(RESPONSES, begins, delta)) == 2


def test_an_item_is_as_openai_writes_it() -> None:
    text = {"type": "reasoning_text", "text": "x"}
    given = {**REASONED, "summary": SUMMARY, "content": [text]}
    assert output_item(given, {}) == {"type": "reasoning", "id": "rs_1", "summary": SUMMARY, "content": [text]}
    groups = groups_of({"tools": [{"type": "namespace", "name": "g", "tools": [{"type": "custom", "name": "exec"}]}]})
    call = {"type": "custom_tool_call", "name": "exec", "input": "1"}
    assert output_item(call, groups) == {**call, "namespace": "g"}
    assert output_item(call, groups_of({})) == call


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
