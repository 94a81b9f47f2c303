"""When content is collected, how much of it, and what is masked in it."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.support.builders.calls import call

from claude_gateway.contract.target import Format
from claude_gateway_proxy.gateway.content.capture import VARIABLE, Capture, Content, wanted
from claude_gateway_runtime.asgi import Message, Outgoing

CUT = {"claude_gateway.content.cut": True}


@pytest.mark.parametrize(
    ("word", "on"),
    [
        ("", False),
        ("NO_CONTENT", False),
        ("false", False),
        ("true", True),
        (" Span_Only ", True),
        ("SPAN_AND_EVENT", True),
    ],
)
def test_opentelemetrys_words(word: str, on: bool) -> None:
    assert wanted({VARIABLE: word}) is on
    assert wanted({}) is False


@pytest.mark.parametrize("word", ["EVENT_ONLY", "1", "yes"])
def test_another_word_is_an_error_that_names_the_variable(word: str) -> None:
    with pytest.raises(ValueError, match=rf"{VARIABLE} must be SPAN_ONLY or NO_CONTENT"):
        wanted({VARIABLE: word})


def finished(capture: Capture, content: Content) -> Mapping[str, str | bool]:
    found: list[Mapping[str, str | bool]] = []
    capture.finish(content, found.append)
    capture.close()
    (only,) = found
    return only


async def answered(content: Content, *pieces: bytes, status: int = 200, headers: Any = ()) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    capturing = content.capturing(send)
    await capturing({"type": "http.response.start", "status": status, "headers": headers})
    for piece in pieces:
        await capturing({"type": "http.response.body", "body": piece, "more_body": True})
    await capturing({"type": "http.response.body", "body": b"", "more_body": False})
    return sent


def content_of(capture: Capture, **more: Any) -> Content:
    found = capture.listen(call(messages=[{"role": "user", "content": "look"}], **more))
    assert found is not None
    return found


ANSWER = b'{"type":"message","content":[{"type":"text","text":"found"}],"stop_reason":"end_turn"}'


async def test_the_answer_passes_unchanged_and_is_shown() -> None:
    capture = Capture()
    content = content_of(capture)
    sent = await answered(content, ANSWER[:20], ANSWER[20:])
    assert b"".join(message.get("body", b"") for message in sent) == ANSWER
    shown = finished(capture, content)
    assert '"content":"found"' in str(shown["gen_ai.output.messages"])
    assert CUT.keys().isdisjoint(shown)


async def test_pieces_that_are_written_at_once_are_shown_too() -> None:
    capture = Capture()
    content = content_of(capture)
    written: list[bytes] = []

    async def send(_: Message) -> None:
        return

    capturing = content.capturing(Outgoing(send, writable=lambda: True, write=written.append))
    assert isinstance(capturing, Outgoing)
    await capturing({"type": "http.response.start", "status": 200, "headers": []})
    capturing.write(ANSWER)
    assert written == [ANSWER]
    assert "found" in str(finished(capture, content)["gen_ai.output.messages"])


@pytest.mark.parametrize(
    ("status", "headers"), [(400, ()), (529, ()), (200, ((b"content-encoding", b"gzip"),)), (302, ())]
)
async def test_errors_and_compressed_answers_are_not_shown(status: int, headers: Any) -> None:
    capture = Capture()
    content = content_of(capture)
    await answered(content, ANSWER, status=status, headers=headers)
    assert finished(capture, content).keys() == {"gen_ai.input.messages"}


async def test_all_requests_share_one_room_and_give_it_back() -> None:
    asked = len(call(messages=[{"role": "user", "content": "look"}]).raw)
    capture = Capture(most=asked + len(ANSWER))
    first, second, third = (content_of(capture) for _ in range(3))
    await answered(first, ANSWER)
    # There is no room for a second answer, and then none for a third request.
    await answered(second, ANSWER * 2)
    assert capture.take(1)
    found: list[Mapping[str, str | bool]] = []
    capture.finish(third, found.append)
    assert found == [CUT], "its span ends at once"
    assert capture.take(-1)
    assert "gen_ai.output.messages" in finished(capture, first)
    assert capture.take(asked + len(ANSWER))
    assert not capture.take(1)


async def test_a_long_answer_is_read_from_its_beginning() -> None:
    capture = Capture()
    content = content_of(capture)
    event = b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"word "}}\n\n'
    await answered(content, *[event * 100] * 1000)
    shown = finished(capture, content)
    assert str(shown["gen_ai.output.messages"]).count("word") > 9000
    assert shown.items() >= CUT.items()


def test_only_conversations_are_shown() -> None:
    assert Capture().listen(call(format=Format.COUNT_TOKENS)) is None
    assert Capture().listen(call(format=Format.EMBEDDINGS)) is None


KEY = "cgw_key-of-dev-0123456789"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authorization", f"Bearer {KEY}"),
        ("x-api-key", KEY),
        ("x-gateway-key", KEY),
        ("api-key", KEY),
        ("authorization", f"AWS4-HMAC-SHA256 Credential={KEY}/20260101/us-east-1/bedrock/aws4_request, Signature=f"),
    ],
)
async def test_the_callers_key_is_masked_wherever_it_is_shown(name: str, value: str) -> None:
    capture = Capture()
    given = [(name.encode(), value.encode())]
    content = content_of(capture, headers=given, system=f"the key is {KEY}", metadata={"key": KEY})
    await answered(content, ANSWER.replace(b"found", KEY.encode()))
    shown = finished(capture, content)
    assert len(shown) == 3
    assert KEY not in str(shown)
    assert "the key is [key]" in str(shown["gen_ai.system_instructions"])
    assert repr(content).count(KEY) == 0
