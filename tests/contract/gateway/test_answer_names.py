"""Answers carry the name that the client asked for, on every lane, in every format, whole and streamed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from tests.support.builders.bundles import route, target
from tests.support.processes.inprocess import Gateway, Reply, Seen, chunk, gateway, head, stream, upstream, whole

from claude_gateway.contract.target import Format, Translation, Wire

_ASKED: Final[dict[str, Any]] = {"model": "ours", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
_MESSAGE: Final = (
    b'{"id":"msg_1","type":"message","role":"assistant","model":"theirs","content":[{"type":"text","text":'
    b'"\\"model\\":\\"theirs\\""}],"stop_reason":"end_turn","usage":{"input_tokens":1,"output_tokens":1}}'
)
_CHAT: Final = (
    b'{"id":"c","object":"chat.completion","created":1,"model":"theirs","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"\\"model\\":\\"theirs\\""},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}'
)
_CHUNK: Final = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"theirs","choices":[%s]}\n\n'
_WORD: Final = b'{"index":0,"delta":{"content":"hi"},"finish_reason":null}'
_LAST: Final = b'{"index":0,"delta":{},"finish_reason":"stop"}'
_CHUNKS: Final = (_CHUNK % _WORD, _CHUNK % _WORD, _CHUNK % _LAST, b"data: [DONE]\n\n")
_RESPONSE: Final = b'{"id":"r","object":"response","status":"completed","model":"theirs","output":[],"usage":null}'
_RESPONSES: Final = (
    b'event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":%s}\n\n' % _RESPONSE,
    b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"\\"model\\""}\n\n',
    b'event: response.completed\ndata: {"type":"response.completed","response":%s}\n\n' % _RESPONSE,
)
_EMBEDDINGS: Final = b'{"object":"list","data":[{"embedding":[0.1]}],"model":"theirs","usage":{"prompt_tokens":1}}'
_STARTED: Final = b'event: message_start\ndata: {"type":"message_start","message":%s}\n\n' % _MESSAGE.replace(
    b'"content":[{"type":"text","text":"\\"model\\":\\"theirs\\""}]', b'"content":[]'
)
_EVENTS: Final = (
    _STARTED,
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text",'
    b'"text":""}}\n\n',
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta",'
    b'"text":"\\"model\\":\\"theirs\\""}}\n\n',
    b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n',
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":'
    b'{"output_tokens":2}}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
)


@asynccontextmanager
async def _served(reply: Reply, *models: str, **more: Any) -> AsyncIterator[tuple[Gateway, list[Seen]]]:
    async with upstream(reply) as up:
        there = target(base_url=up.url, **{"model": "theirs", **more})
        async with gateway(route(*(models or ("ours",)), targets=[there])) as gw:
            yield gw, up.seen


def _ours(body: bytes) -> bytes:
    return body.replace(b'"model":"theirs"', b'"model":"ours"')


@pytest.mark.parametrize(
    ("path", "wire", "body"),
    [
        ("messages", Wire.ANTHROPIC, _MESSAGE),
        ("chat/completions", Wire.OPENAI, _CHAT),
        ("completions", Wire.OPENAI, _CHAT),
        ("responses", Wire.OPENAI, _RESPONSE),
        ("embeddings", Wire.OPENAI, _EMBEDDINGS),
    ],
)
async def test_a_whole_answer_changes_in_its_name_alone(path: str, wire: Wire, body: bytes) -> None:
    async with _served(whole(body), wire=wire) as (gw, _):
        answer = await gw.post(f"/v1/{path}", {**_ASKED, "input": "hi"})
        assert await answer.read() == _ours(body)
        assert answer.headers["content-length"] == str(len(_ours(body)))


@pytest.mark.parametrize(
    ("path", "wire", "parts"),
    [
        ("messages", Wire.ANTHROPIC, _EVENTS),
        ("chat/completions", Wire.OPENAI, _CHUNKS),
        ("completions", Wire.OPENAI, _CHUNKS),
        ("responses", Wire.OPENAI, _RESPONSES),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
async def test_a_stream_changes_in_its_names_alone(path: str, wire: Wire, parts: tuple[bytes, ...], size: int) -> None:
    data = b"".join(parts)
    pieces = [data[at : at + size] for at in range(0, len(data), size)]

    async def reply(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(head())
        for piece in pieces:
            writer.write(chunk(piece))
            await asyncio.sleep(0)
        writer.write(chunk(b""))

    async with _served(reply, wire=wire) as (gw, _):
        answer = await gw.post(f"/v1/{path}", {**_ASKED, "input": "hi", "stream": True})
        assert await answer.read() == _ours(data)


@pytest.mark.parametrize("name", ["theirs", "a-name-of-another-length"])
async def test_a_large_batch_of_embeddings_has_its_name_at_the_end(name: str) -> None:
    batch = b'{"object":"list","data":[' + b",".join([b'{"embedding":[0.1,0.2]}'] * 100_000) + b"],"
    end = b'"model":"%s","usage":{"prompt_tokens":1,"total_tokens":1}}\n'
    async with _served(whole(batch + end % name.encode()), wire=Wire.OPENAI) as (gw, _):
        answer = await gw.post("/v1/embeddings", {**_ASKED, "input": "hi"})
        assert await answer.read() == batch + end % b"ours"


async def test_the_right_name_keeps_every_byte_and_every_piece() -> None:
    async with _served(stream(*_EVENTS), "theirs") as (gw, _):
        answer = await gw.post("/v1/messages", {**_ASKED, "model": "theirs", "stream": True})
        assert await answer.read() == b"".join(_EVENTS)


async def test_a_newer_name_of_the_same_model_is_not_the_one_that_was_asked_for() -> None:
    dated = _MESSAGE.replace(b"theirs", b"ours-20260901")
    async with _served(whole(dated)) as (gw, _):
        answer = await gw.post("/v1/messages", _ASKED)
        assert json.loads(await answer.read())["model"] == "ours"


async def test_verbatim_targets_answer_as_they_are_called() -> None:
    async with _served(whole(_MESSAGE), "*", model="*", verbatim=True) as (gw, seen):
        answer = await gw.post("/v1/messages", {**_ASKED, "model": "anthropic/ours[1m]"})
        assert await answer.read() == _MESSAGE
    assert json.loads(seen[0].body)["model"] == "anthropic/ours[1m]"


@pytest.mark.parametrize(
    ("path", "stream_wanted", "reply", "wire", "codec"),
    [
        ("messages", False, whole(_CHAT), Wire.OPENAI, Format.MESSAGES),
        ("messages", True, stream(*_CHUNKS), Wire.OPENAI, Format.MESSAGES),
        ("chat/completions", False, whole(_MESSAGE), Wire.ANTHROPIC, Format.CHAT),
        ("chat/completions", True, stream(*_EVENTS), Wire.ANTHROPIC, Format.CHAT),
        ("responses", False, whole(_MESSAGE), Wire.ANTHROPIC, Format.RESPONSES),
        ("responses", True, stream(*_EVENTS), Wire.ANTHROPIC, Format.RESPONSES),
    ],
)
async def test_translated_answers_have_the_name(
    path: str, stream_wanted: bool, reply: Reply, wire: Wire, codec: Format
) -> None:
    translation = Translation(codec=(codec,))
    asked = {**_ASKED, "input": "hi", "stream": stream_wanted}
    async with _served(reply, wire=wire, formats=(), translation=translation) as (gw, _):
        answer = await gw.post(f"/v1/{path}", asked)
        text = (await answer.read()).decode()
    assert answer.status == 200, text
    assert '"model":"theirs"' not in text
    assert '"model":"ours"' in text


async def test_a_bedrock_client_gets_anthropics_name_as_from_bedrock() -> None:
    ident = "us.anthropic.claude-a-20250101-v1:0"
    async with _served(stream(*_EVENTS), "claude-a") as (gw, _):
        body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": []}
        answer = await gw.post(f"/model/{ident}/invoke", body)
        await answer.read()
    async with _served(whole(_MESSAGE), "claude-a") as (gw, _):
        answer = await gw.post(f"/model/{ident}/invoke", body)
        assert json.loads(await answer.read())["model"] == "claude-a-20250101"
