"""Between frames and Messages events: the same events however they were cut, and the very frames where they came so."""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract.target import Format
from claude_gateway_proxy.gateway.wire import bedrock
from claude_gateway_proxy.gateway.wire.eventstream import encode
from claude_gateway_proxy.gateway.wire.framed import FramedSend
from claude_gateway_proxy.unreachable import AnswerBroken

_CHUNK = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
_EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"usage": {"input_tokens": 3}}},
    {"type": "content_block_delta", "delta": {"text": 'é\n\n"data: x"'}},
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 3}},
]


def frame(event: dict[str, Any], **more: str) -> bytes:
    """A frame as Bedrock sends it, padding included."""
    payload = {"bytes": base64.b64encode(json.dumps(event).encode()).decode(), **more}
    return encode(_CHUNK, json.dumps(payload).encode())


def exception(name: str, message: str) -> bytes:
    """A frame that ends a stream."""
    return encode({":exception-type": name, ":message-type": "exception"}, json.dumps({"message": message}).encode())


def reader(*chunks: bytes) -> Callable[[], Awaitable[bytes]]:
    """An upstream's body in these chunks."""
    left = [chunk for chunk in chunks if chunk]

    async def read() -> bytes:
        return left.pop(0) if left else b""

    return read


async def decoded(*chunks: bytes, memory: FramedSend | None = None) -> bytes:
    """All events of a stream of frames."""
    read = bedrock.events(reader(*chunks), memory)
    return b"".join([part async for part in _parts(read)])


async def _parts(read: Callable[[], Awaitable[bytes]]) -> Any:
    while part := await read():
        yield part


class Client:
    """What a client of Bedrock receives."""

    def __init__(self, *, format: Format = Format.MESSAGES) -> None:
        self.start: dict[Any, Any] = {}
        self.body = b""
        self.ended = False
        self.send = FramedSend(self._take, format=format)

    async def _take(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.start = {"status": message["status"], **dict(message["headers"])}
        else:
            assert not self.ended
            self.body += message["body"]
            self.ended = not message.get("more_body", False)

    async def begin(self, kind: bytes = b"text/event-stream; charset=utf-8", status: int = 200) -> None:
        """The head of an answer."""
        headers = [(b"content-type", kind), (b"request-id", b"req_1")]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def pass_on(self, chunk: bytes, *, more: bool = True) -> None:
        """Some of its body."""
        await self.send({"type": "http.response.body", "body": chunk, "more_body": more})

    async def flood(self, size: int) -> None:
        """A body without any sense."""
        for _ in range(40):
            await self.pass_on(b"x" * (size // 40))

    @property
    def frames(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Headers and payload of each frame, as botocore reads them."""
        buffer = EventStreamBuffer()
        buffer.add_data(self.body)
        found: list[Any] = [(event.headers, json.loads(event.payload)) for event in buffer]
        return found

    @property
    def events(self) -> list[Any]:
        """The events within the frames."""
        return [json.loads(base64.b64decode(payload["bytes"])) for _, payload in self.frames]


def _cut(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[start:end] for start, end in zip([0, *at], [*at, len(data)], strict=True)]


@given(cuts=st.lists(st.integers(0, 2000), max_size=6))
async def test_frames_become_events_in_any_chunks(cuts: list[int]) -> None:
    data = b"".join(map(frame, _EVENTS))
    found = await decoded(*_cut(data, cuts))
    names, texts = found.split(b"\n")[::3], found.split(b"\n")[1::3]
    assert names == [b"event: message_start", b"event: content_block_delta", b"event: message_stop", b""]
    assert [json.loads(text.removeprefix(b"data: ")) for text in texts] == _EVENTS


@given(
    there=st.lists(st.integers(0, 2000), max_size=6),
    back=st.lists(st.integers(0, 2000), max_size=6),
    ping=st.integers(0, 3),
)
async def test_frames_go_out_as_they_came(there: list[int], back: list[int], ping: int) -> None:
    data = b"".join(frame(event, p="abc"[: number + 1]) for number, event in enumerate(_EVENTS))
    odd = encode({":event-type": "initial-response", ":message-type": "event"}, b"{}")
    client = Client()
    await client.begin()
    found = await decoded(*_cut(odd + data + odd, there), memory=client.send)
    parts = [part + b"\n\n" for part in found.split(b"\n\n")[:-1]]
    assert len(parts) == len(_EVENTS)
    parts.insert(ping, b'event: ping\ndata: {"type":"ping"}\n\n')
    for chunk in _cut(b"".join(parts), back):
        await client.pass_on(chunk)
    await client.pass_on(b"", more=False)
    ours = encode(_CHUNK, b'{"bytes":"%s"}' % base64.b64encode(b'{"type":"ping"}'))
    assert ours in client.body
    assert client.body.replace(ours, b"") == odd + data + odd
    assert client.start[b"content-type"] == b"application/vnd.amazon.eventstream"
    assert client.ended


async def test_an_event_that_was_changed_goes_out_in_a_frame_of_ours() -> None:
    client = Client()
    await client.begin()
    found = await decoded(*map(frame, _EVENTS), memory=client.send)
    first, _, last = [part + b"\n\n" for part in found.split(b"\n\n")[:-1]]
    await client.pass_on(first + b'event: content_block_delta\ndata: {"type":"new"}\n\n' + last)
    await client.pass_on(b"", more=False)
    assert client.body.startswith(frame(_EVENTS[0]))
    assert client.body.endswith(frame(_EVENTS[2]))
    assert client.events == [_EVENTS[0], {"type": "new"}, _EVENTS[2]]


async def test_what_a_lost_try_remembered_is_forgotten() -> None:
    client = Client()
    await decoded(frame(_EVENTS[0], p="one"), memory=client.send)
    client.send.forget()
    await client.begin()
    await client.pass_on(await decoded(frame(_EVENTS[0], p="two"), memory=client.send))
    assert client.body == frame(_EVENTS[0], p="two")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("throttlingException", "rate_limit_error"),
        ("serviceUnavailableException", "overloaded_error"),
        ("modelStreamErrorException", "api_error"),
        ("validationException", "invalid_request_error"),
        ("modelTimeoutException", "timeout_error"),
        ("somethingNewException", "api_error"),
    ],
)
async def test_an_exception_is_an_error_event(name: str, kind: str) -> None:
    found = await decoded(exception(name, "so it is"))
    assert found.startswith(b"event: error\ndata: ")
    error = json.loads(found.partition(b"data: ")[2])
    assert error == {"type": "error", "error": {"type": kind, "message": "so it is"}}


async def test_an_error_message_is_an_error_event_too() -> None:
    headers = {":message-type": "error", ":error-code": "InternalFailure", ":error-message": "broke"}
    found = await decoded(encode(headers, b""))
    assert json.loads(found.partition(b"data: ")[2])["error"] == {"type": "api_error", "message": "broke"}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("overloaded_error", "serviceUnavailableException"),
        ("rate_limit_error", "throttlingException"),
        ("invalid_request_error", "validationException"),
        ("timeout_error", "modelTimeoutException"),
        ("api_error", "internalServerException"),
        ("brand_new_error", "internalServerException"),
    ],
)
async def test_an_error_event_is_an_exception(kind: str, name: str) -> None:
    client = Client()
    await client.begin()
    error = {"type": "error", "error": {"type": kind, "message": "so it is"}}
    await client.pass_on(b"event: error\ndata: %s\n\n" % json.dumps(error).encode(), more=False)
    ((headers, payload),) = client.frames
    assert (headers[":message-type"], headers[":exception-type"]) == ("exception", name)
    assert payload == {"message": "so it is"}


async def test_an_error_event_without_sense_is_an_exception_all_the_same() -> None:
    client = Client()
    await client.begin()
    await client.pass_on(b"event: error\ndata: oops\n\n", more=False)
    assert client.frames[0][0][":exception-type"] == "internalServerException"


async def test_a_stream_that_ends_within_a_frame_is_broken() -> None:
    with pytest.raises(AnswerBroken):
        await decoded(frame(_EVENTS[0]), frame(_EVENTS[1])[:-1])


@given(st.binary(min_size=12, max_size=100))
async def test_a_stream_of_no_frames_is_broken(data: bytes) -> None:
    with pytest.raises(AnswerBroken):
        await decoded(data)


@given(st.binary(max_size=60), st.dictionaries(st.sampled_from([":message-type", ":event-type"]), st.text(max_size=9)))
async def test_frames_of_any_content_are_read(payload: bytes, headers: dict[str, str]) -> None:
    assert isinstance(await decoded(encode(headers, payload)), bytes)


@given(st.text(max_size=60), st.lists(st.integers(0, 200), max_size=4))
async def test_events_of_any_text_are_framed(text: str, cuts: list[int]) -> None:
    client = Client()
    await client.begin()
    data = b"event: x\ndata: %s\n\n: comment\n\ndata: [DONE]\n\n" % text.replace("\n", "").replace("\r", "").encode()
    for chunk in _cut(data, cuts):
        await client.pass_on(chunk)
    await client.pass_on(b"", more=False)
    assert len(client.frames) <= 1


async def test_frames_without_an_event_are_not_remembered_forever() -> None:
    empty = encode({":event-type": "metrics", ":message-type": "event"}, b"x" * 50_000)
    with pytest.raises(AnswerBroken, match="without an event"):
        await decoded(*[empty] * 100, memory=Client().send)
    assert await decoded(*[empty] * 100, frame(_EVENTS[0])) != b""


async def test_an_event_without_an_end_is_not_held_forever() -> None:
    client = Client()
    await client.begin()
    with pytest.raises(AnswerBroken, match="without an end"):
        await client.flood(40_000_000)


async def test_a_count_without_an_end_is_not_held_forever() -> None:
    client = Client(format=Format.COUNT_TOKENS)
    await client.begin(b"application/json")
    with pytest.raises(AnswerBroken, match="too large"):
        await client.flood(4_000_000)


async def test_an_answer_in_one_piece_is_not_touched() -> None:
    client = Client()
    await client.begin(b"application/json")
    await client.pass_on(b'{"content": "event: x\\n\\n"}', more=False)
    assert client.body == b'{"content": "event: x\\n\\n"}'
    assert client.start[b"x-amzn-requestid"] == b"req_1"


@pytest.mark.parametrize(
    ("came", "goes"),
    [
        (b'{"input_tokens": 12, "more": 1}', b'{"inputTokens":12}'),
        (b'{"inputTokens": 12}', b'{"inputTokens": 12}'),
        (b"oops", b"oops"),
    ],
)
async def test_a_count_has_awss_name(came: bytes, goes: bytes) -> None:
    client = Client(format=Format.COUNT_TOKENS)
    await client.begin(b"application/json")
    for chunk in (came[:5], came[5:]):
        await client.pass_on(chunk)
    await client.pass_on(b"", more=False)
    assert client.body == goes
    assert client.start[b"content-length"] == b"%d" % len(goes)


async def test_a_refused_count_keeps_its_words() -> None:
    client = Client(format=Format.COUNT_TOKENS)
    await client.begin(b"application/json", status=501)
    await client.pass_on(b'{"message":"no"}', more=False)
    assert (client.start["status"], client.body) == (501, b'{"message":"no"}')


def test_awss_count_has_anthropics_name() -> None:
    assert bedrock.count(b'{"inputTokens": 7}') == b'{"input_tokens":7}'
    assert bedrock.count(b"[]") == b"[]"
