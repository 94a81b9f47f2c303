"""The bytes of an upstream's answer as documents: framing, wrong content types, and bytes that are not an answer."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from claude_gateway_proxy.translation import documents, framing
from claude_gateway_proxy.translation.bad_answer import BadAnswer, Broken, Reported
from claude_gateway_proxy.translation.documents import Documents, Form
from claude_gateway_proxy.translation.framing import Framing, ServerEvent

CUT = st.lists(st.integers(0, 400), max_size=12)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The pieces of some bytes, cut at places of them."""
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(ends)]


def framed(*pieces: bytes) -> list[ServerEvent]:
    reader = Framing()
    return [event for piece in pieces for event in reader.feed(piece)] + reader.end()


def read(*pieces: bytes) -> list[Any]:
    reader = Documents()
    return [document for piece in pieces for document in reader.feed(piece)] + reader.end()


@pytest.mark.parametrize(
    "stream",
    [
        "data: a\n\ndata: b\n\n",
        "data: a\r\n\r\ndata: b\r\n\r\n",
        "data: a\r\rdata: b\r\r",
        "data:a\n\ndata:b",
        "\ufeffdata: a\r\n\ndata: b\n\r",
        ": a comment\n\ndata: a\n: another\n\nid: 7\nretry: 5\ndata: b\n\n",
        "data: a\n\n\n\n\ndata: b\n\n\n",
    ],
)
@given(places=CUT)
def test_all_line_ends_of_an_event_stream(stream: str, places: list[int]) -> None:
    assert [event.data for event in framed(*cut(stream.encode(), places))] == [b"a", b"b"]


def test_several_data_lines_are_one_text() -> None:
    assert framed(b"event: x\ndata: {\ndata:  1\ndata\ndata: }\n\n") == [ServerEvent(b"x", b"{\n 1\n\n}")]


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_no_other_character_ends_a_line(mark: str) -> None:
    assert [event.data for event in framed(f"data: a{mark}b\n\n".encode())] == [f"a{mark}b".encode()]


@given(data=st.binary(max_size=200) | st.text(alphabet="\r\n:dat e\ufeff{}[]", max_size=80).map(str.encode), places=CUT)
@example(data=b"data: a\r\n\r\n", places=[8, 9, 10])
def test_pieces_make_no_difference(data: bytes, places: list[int]) -> None:
    assert framed(*cut(data, places)) == framed(data)


@given(data=st.binary(max_size=300), places=CUT)
@example(data=b'{"a":' * 100, places=[])
@example(data=b"data: " + b"[" * 5000, places=[])
@example(data=b"data: 1e99999\n\ndata: " + b"9" * 5000, places=[])
def test_no_bytes_crash_the_reader(data: bytes, places: list[int]) -> None:
    def outcome(*pieces: bytes) -> object:
        try:
            return json.dumps(read(*pieces))
        except BadAnswer as error:
            return type(error)

    assert outcome(*cut(data, places)) == outcome(data)


@pytest.mark.parametrize(
    "data",
    [b"data: " + b"x" * framing.EVENT_MOST + b"x", (b"data: " + b"x" * (framing.EVENT_MOST // 2) + b"\n") * 3],
    ids=["a line", "an event"],
)
def test_events_are_bounded(data: bytes) -> None:
    with pytest.raises(Broken, match="larger than"):
        framed(data)


def test_documents_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "WHOLE_MOST", 10)
    with pytest.raises(Broken, match="larger than"):
        read(b'{"a":"0123456789"}')


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b'{"a":1}', Form.DOCUMENT),
        (b'\xef\xbb\xbf\n {"a":1}', Form.DOCUMENT),
        (b'[{"a":1}]', Form.DOCUMENT),
        (b'{"a":1}\n\n{"a":1}\n[DONE]\n', Form.DOCUMENT),
        (b'data: {"a":1}\n\ndata: [DONE]\n\n', Form.EVENTS),
        (b': ping\n\nevent: x\ndata: {"a":1,"type":"x"}\n\n', Form.EVENTS),
        (b'data: [{"a":1}]\n\n', Form.EVENTS),
        (b'data: {"a":1}\ndata: {"a":1}\ndata: [DONE]\n', Form.EVENTS),
        (b'data: data: {"a":1}\n\ndata: {"a":1}{"a":1}\n\n', Form.EVENTS),
        (b'"{\\"a\\":1}"', Form.DOCUMENT),
        (b'event: ping\ndata: pong\n\ndata:\n\ndata: 5\n\ndata: keep-alive\n\ndata: {"a":1}\n\n', Form.EVENTS),
    ],
)
@given(places=CUT)
def test_what_an_answer_is_shows_in_its_first_bytes(data: bytes, form: Form, places: list[int]) -> None:
    reader = Documents()
    found = [document for piece in cut(data, places) for document in reader.feed(piece)] + reader.end()
    assert {document["a"] for document in found} == {1}
    assert reader.form is form


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE html><title>Sign in</title>",
        b"  \n<html>",
        b"data: <html><body>502</body></html>\n\n",
        b'data: {"choices": [\n\n',
        b'{"choices": [',
        b'"a text"',
        b"[1, 2",
    ],
)
def test_what_is_no_answer(data: bytes) -> None:
    with pytest.raises(Broken) as raised:
        read(data)
    assert "<" not in str(raised.value)


@pytest.mark.parametrize("name", ["response", "result", "data"])
def test_a_completion_within_a_wrapper(name: str) -> None:
    completion = {"choices": [{"message": {"content": "hello"}}]}
    assert read(json.dumps({"success": True, "code": 200, name: completion}).encode()) == [completion]
    for other in ({name: {"a": 1}}, {"type": "response.created", name: completion}):
        assert read(json.dumps(other).encode()) == [other]


@pytest.mark.parametrize("data", [b"", b"\n", b"\xef\xbb", b": ping\n\n", b"data: [DONE]\n\n", b"data: [DONE]"])
def test_nothing_is_no_document(data: bytes) -> None:
    assert read(data) == []


REPORTS = {
    "OpenAI's": ({"error": {"message": "the reason", "type": "invalid_request_error", "code": "x"}}, 400),
    "OpenAI's, a number": ({"error": {"message": "the reason", "code": "401"}}, 401),
    "a text": ({"error": "the reason"}, 500),
    "Anthropic's": ({"type": "error", "error": {"type": "overloaded_error", "message": "the reason"}}, 529),
    "Google's": ({"error": {"code": 429, "message": "the reason", "status": "RESOURCE_EXHAUSTED"}}, 429),
    "vLLM's": ({"object": "error", "message": "the reason", "type": "InternalServerError", "code": 500}, 500),
    "z.ai's": ({"code": 500, "msg": "the reason", "success": False}, 500),
    "z.ai's number": ({"error": {"code": "1302", "message": "the reason"}}, 429),
    "Baidu's": ({"error_code": 336007, "error_msg": "the reason"}, 500),
    "a name of its own": ({"errorCode": 429, "errorMsg": "the reason"}, 429),
    "MiniMax'": ({"base_resp": {"status_code": 1008, "status_msg": "the reason"}}, 402),
    "FastAPI's": ({"detail": "the reason"}, 500),
    "FastAPI's list": ({"detail": [{"loc": ["body", "x"], "msg": "the reason", "type": "value_error"}]}, 500),
    "Cloudflare's": ({"errors": [{"message": "the reason", "code": 5007}], "success": False}, 500),
    "AWS'": ({"message": "the reason"}, 500),
    "AWS', of other services": ({"Code": "Throttling", "Message": "the reason"}, 500),
    "a flag": ({"error": True, "message": "the reason"}, 500),
    "Spring's": ({"status": 503, "error": "Service Unavailable", "message": "the reason"}, 503),
    "OpenRouter's": (
        {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": '{"message":"the reason"}'}}},
        400,
    ),
    "OpenRouter's, in a choice": ({"choices": [{"index": 0, "error": {"code": 502, "message": "the reason"}}]}, 502),
    "OpenRouter's, next to choices": (
        {"error": {"code": 502, "message": "the reason"}, "choices": [{"delta": {}}]},
        502,
    ),
    "overloaded in words": ({"error": {"message": "the reason: Overloaded"}}, 529),
}


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize(
    "shape", ["{}", "[{}]", "data: {}\n\n", "event: error\ndata: {}\n\n", 'data: {{"a":1}}\n\ndata: {}']
)
def test_an_error_with_a_status_of_success(name: str, shape: str) -> None:
    document, status = REPORTS[name]
    with pytest.raises(Reported, match="the reason") as raised:
        read(shape.format(json.dumps(document)).encode())
    assert raised.value.status == status
    assert "{" not in str(raised.value)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (b"event: error\ndata: the reason\n\n", "the reason"),
        (b"event: error\n\n", "without words"),
        (b'event: error\ndata: "the reason"\n\n', "the reason"),
        (b'event: error\ndata: {"message":"the reason"}\n\n', "the reason"),
        (b"event: error\ndata: {}\n\n", "without words"),
    ],
)
def test_an_event_that_is_called_an_error(event: bytes, words: str) -> None:
    with pytest.raises(Reported, match=words):
        read(event)


@pytest.mark.parametrize(
    "document",
    [
        {"choices": [], "error": None},
        {"choices": [{"delta": {}}], "error": {}},
        {
            "choices": [{"delta": {}}],
            "error": {"code": 0, "message": ""},
            "base_resp": {"status_code": 0, "status_msg": ""},
        },
        {"object": "response", "status": "completed", "error": None, "output": []},
        {"id": "x", "usage": {"prompt_tokens": 1}, "message": "ok"},
        {"type": "response.created", "response": {"error": None}},
    ],
)
def test_what_is_no_error(document: dict[str, Any]) -> None:
    assert read(json.dumps(document).encode()) == [document]
