"""Streams of the codec lane: however the network cuts them, a client sees the same text and the same end."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract.target import Format, Target, Translation, Wire
from claude_gateway_proxy.gateway.lanes.codec.answer import Streamed
from claude_gateway_proxy.gateway.lanes.codec.messages import PAIR
from claude_gateway_proxy.gateway.lanes.codec.pair import ModelNames
from claude_gateway_proxy.gateway.upstream.http.answer import HttpAnswer
from claude_gateway_proxy.translation.bad_answer import BadAnswer, Reported
from claude_gateway_proxy.unreachable import AnswerBroken

_TARGET = Target(
    id="ns/m/0.0",
    provider="hosted_vllm",
    model="m",
    wire=Wire.OPENAI,
    formats=(),
    translation=Translation(codec=(Format.MESSAGES,)),
)
_DONE = "data: [DONE]\n\n"
_ERROR = 'data: {"error": {"message": "busy", "code": 503}}\n\n'


def _chunk(delta: dict[str, Any], finish: str | None = None) -> str:
    return f"data: {json.dumps({'id': 'c', 'choices': [{'index': 0, 'delta': delta, 'finish_reason': finish}]})}\n\n"


_TEXT = _chunk({"content": "Hel"}) + _chunk({"content": "lo"})
_CALL = _chunk({"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "Read", "arguments": '{"a'}}]})
_STREAMS = {
    "complete": (_TEXT + _chunk({}, "stop") + _DONE, "complete"),
    "without [DONE]": (_TEXT + _chunk({}, "stop"), "complete"),
    "without a reason": (_TEXT, "broken"),
    "[DONE] without a reason": (_TEXT + _DONE, "broken"),
    "inside a call": (_TEXT + _CALL + _DONE, "broken"),
    "a reason that means failure": (_TEXT + _chunk({}, "network_error") + _DONE, "broken"),
    "an error object": (_TEXT + _ERROR + _DONE, "error"),
    "not JSON": (_TEXT + "data: {half\n\n" + _DONE, "broken"),
}


async def _received(pieces: Sequence[bytes], takes: Sequence[bool] | None) -> tuple[str, str]:
    """What a client sees of a stream that comes in these pieces: its text, and how it ends.

    ``takes``: what comes is handed on at once, where the client takes it; the client of None only reads.
    """
    response = HttpAnswer(200, [], content_length=None, set_reading=lambda _: None, abort=lambda: None)
    asked = {"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    translator = PAIR.prepare(asked, _TARGET, ModelNames("m", answered=None), 99).translator
    stream = Streamed(
        response, translator, read=response.read, headers=[], reported=lambda _: b"event: error\ndata: {}\n\n"
    )
    assert stream.pipe is not None
    taken = iter(takes or ())
    received: list[bytes] = []

    def sink(piece: bytes) -> bytes | None:
        if next(taken, True):
            received.append(piece)
            return None
        return piece

    upstream = asyncio.create_task(_send(pieces, response))
    try:
        await stream.begin()
        while piece := await stream.read():
            received.append(piece)
            if takes is not None:
                await stream.pipe(sink)
    except (AnswerBroken, BadAnswer) as error:
        end = "error" if isinstance(error, Reported) else "broken"
    else:
        sent = b"".join(received)
        end = "error" if b"event: error" in sent else "complete" if b"message_stop" in sent else "a clean end"
    await upstream
    deltas = [
        json.loads(line[6:]) for line in b"".join(received).decode().split("\n") if line.startswith('data: {"type"')
    ]
    return "".join(each["delta"].get("text", "") for each in deltas if "text" in each.get("delta", {})), end


async def _send(pieces: Sequence[bytes], response: HttpAnswer) -> None:
    for piece in pieces:
        response.feed(piece)
        await asyncio.sleep(0)
    response.end()


@pytest.mark.parametrize("name", _STREAMS)
@given(
    cuts=st.lists(st.integers(min_value=1, max_value=600), max_size=8),
    takes=st.none() | st.lists(st.booleans(), max_size=8),
)
def test_the_end_does_not_depend_on_how_a_stream_is_cut(name: str, cuts: list[int], takes: list[bool] | None) -> None:
    stream, expected = _STREAMS[name]
    data = stream.encode()
    places = sorted({cut for cut in cuts if cut < len(data)})
    pieces = [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]
    text, end = asyncio.run(_received(pieces, takes))
    assert end == expected
    assert expected != "complete" or text == "Hello"
