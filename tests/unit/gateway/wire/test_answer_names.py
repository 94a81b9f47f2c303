"""The model's name in answers: found where the format has it, and nowhere else."""

import json
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.growth import steep

from claude_gateway.contract.target import Format
from claude_gateway_proxy.gateway.wire.answer_names import LINE_LIMIT, Renaming, renamed

_CHAT = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "theirs", "choices": []}


def _event(document: object, *, name: str = "", end: str = "\n\n") -> bytes:
    line = f"event: {name}{end[: len(end) // 2]}" if name else ""
    return f"{line}data: {json.dumps(document)}{end}".encode()


def _stream(*documents: object, end: str = "\n\n") -> bytes:
    return b"".join(_event(document, end=end) for document in documents)


def _passed(format: Format, data: bytes, cuts: Sequence[int] = ()) -> bytes:
    renaming = Renaming(format, "ours")
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    passed = [renaming.feed(data[start:end]) for start, end in pairwise(edges)]
    return b"".join([*passed, renaming.rest()])


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ('{"model":"theirs","content":[]}', '{"model":"ours","content":[]}'),
        ('{ "id" : 1 , "model" : "theirs" }', '{ "id" : 1 , "model" : "ours" }'),
        ('{"data":[[1,2],{"model":"x"}],"model":"theirs"}', '{"data":[[1,2],{"model":"x"}],"model":"ours"}'),
        ('{"content":[{"input":{"model":"theirs"}}]}', None),
        (
            '{"content":"\\"model\\":\\"theirs\\"","model":"a\\"b"}',
            '{"content":"\\"model\\":\\"theirs\\"","model":"ours"}',
        ),
        ('{"object":"model","model":"theirs"}', '{"object":"model","model":"ours"}'),
        ('{"\\"model":"x","model":"theirs"}', '{"\\"model":"x","model":"ours"}'),
        ('{"data":[{"\\"model":"x"}]}', None),
        ('{"data":[1],"model":"theirs"}', '{"data":[1],"model":"ours"}'),
        ('{"data":[1],"model":"theirs"', '{"data":[1],"model":"ours"'),
        (
            '{"data":[{"model":"x"}],"a":{"model":"x"},"model":"t"}',
            '{"data":[{"model":"x"}],"a":{"model":"x"},"model":"ours"}',
        ),
        ('{"model":"theirs","usage":{"model":"x"}}', '{"model":"ours","usage":{"model":"x"}}'),
        ('{"data":[{"x":"\\"}"}],"model":"theirs"}', '{"data":[{"x":"\\"}"}],"model":"ours"}'),
        ('{"data":["model"],"mod\\u0065l":"theirs"}', None),
        ('{"model":null}', None),
        ('{"model":{"model":"theirs"}}', None),
        ('["model","theirs"]', None),
        ('[{"model":"theirs"}]', None),
        ('{"model":"ours"}', None),
        ('{"model":"the', None),
        ('{"model":', None),
        ('{"text":"cut off \\"model\\":\\"theirs', None),
        ("}{]", None),
        ("not JSON", None),
        ("", None),
    ],
)
def test_a_whole_answer_gets_the_name(body: str, wanted: str | None) -> None:
    assert renamed(body.encode(), "ours") == (wanted or body).encode()


def test_a_name_is_written_as_json() -> None:
    assert json.loads(renamed(b'{"model":"theirs"}', 'a"b\\é')) == {"model": 'a"b\\é'}


_STARTED = {"type": "message_start", "message": {"id": "m", "model": "theirs", "usage": {"model": "theirs"}}}
_DELTA = {"type": "content_block_delta", "delta": {"text": '"model":"theirs"'}, "message": {"model": "theirs"}}


@given(st.lists(st.integers(0, 1000), max_size=8), st.sampled_from(["\n\n", "\r\n\r\n", "\r\r"]))
def test_messages_name_the_model_in_their_first_event_only(cuts: list[int], end: str) -> None:
    before = b": a comment\n\n" + _event({"type": "ping"}, name="ping", end=end)
    after = _event(_DELTA, name="content_block_delta", end=end)
    start = _event(_STARTED, name="message_start", end=end)
    wanted = start.replace(b'"theirs"', b'"ours"', 1)
    assert _passed(Format.MESSAGES, before + start + after, cuts) == before + wanted + after


@given(st.lists(st.integers(0, 1000), max_size=8))
def test_every_chunk_of_chat_gets_the_name(cuts: list[int]) -> None:
    said = {**_CHAT, "choices": [{"delta": {"content": '"model":"theirs"', "x": {"model": "theirs"}}}]}
    turned = {"choices": [{"delta": {"model": "theirs"}}], "model": "others"}
    unnamed = {"choices": [{"delta": {"model": "theirs"}}]}
    first = {**_CHAT, "model": ""}  # as Azure begins
    data = _stream(first, said, turned, unnamed, "a text", {**_CHAT, "model": "ours"}) + b"data: [DONE]\n\n"
    wanted = _stream(first, {**said, "model": "ours"}, {**turned, "model": "ours"}, unnamed, "a text")
    wanted += _stream({**_CHAT, "model": "ours"}) + b"data: [DONE]\n\n"
    assert _passed(Format.CHAT, data, cuts) == wanted


@given(st.lists(st.integers(0, 1000), max_size=8))
def test_every_response_within_a_stream_gets_the_name(cuts: list[int]) -> None:
    response = {"id": "r", "instructions": '{"model":"theirs"}', "tools": [{"model": "theirs"}], "model": "theirs"}
    item = {"type": "response.output_item.done", "item": {"model": "theirs"}, "model": "theirs"}
    data = _stream({"type": "response.created", "response": response}, item, {"response": response, "n": 1})
    wanted = {**response, "model": "ours"}
    assert _passed(Format.RESPONSES, data, cuts) == _stream(
        {"type": "response.created", "response": wanted}, item, {"response": wanted, "n": 1}
    )


def test_an_event_is_passed_on_as_soon_as_its_name_came() -> None:
    renaming = Renaming(Format.CHAT, "ours")
    assert renaming.feed(b'data: {"model":"the') == b""
    assert renaming.feed(b'irs","choices":[') == b'data: {"model":"ours","choices":['
    assert renaming.feed(b'{"model":"theirs"}') == b'{"model":"theirs"}'
    assert not renaming.done


@pytest.mark.parametrize(
    ("format", "data"),
    [
        (Format.CHAT, _stream({**_CHAT, "model": "ours"})),
        (Format.MESSAGES, _stream({"type": "message_start", "message": {"model": "ours"}})),
        (Format.MESSAGES, _stream(_STARTED)),
        (Format.MESSAGES, _stream({"type": "ping"}, {"type": "message_start"})),
        (Format.CHAT, b": comment\n" * 999 + _stream(*[{"choices": []}] * 64)),
    ],
)
def test_a_stream_is_left_alone_once_nothing_can_change(format: Format, data: bytes) -> None:
    renaming = Renaming(format, "ours")
    passed = renaming.feed(data)
    assert renaming.done
    assert renaming.feed(b'data: {"model":"theirs"') == b'data: {"model":"theirs"'
    assert len(passed) >= len(data) - len('"theirs"')


def test_comments_and_few_events_may_come_before_the_name() -> None:
    before = b": waiting\n\n" * 999 + _stream(*[{"choices": []}] * 63)
    assert _passed(Format.CHAT, before + _stream(_CHAT)) == before + _stream({**_CHAT, "model": "ours"})


def test_the_right_name_first_means_the_right_name_always_and_the_same_bytes() -> None:
    data = _stream({**_CHAT, "model": "ours"}, _CHAT)
    renaming = Renaming(Format.CHAT, "ours")
    assert renaming.feed(data) is data


@pytest.mark.parametrize("size", [1000, LINE_LIMIT + 1, 3 * LINE_LIMIT])
def test_what_is_held_back_is_bounded(size: int) -> None:
    renaming = Renaming(Format.CHAT, "ours")
    text = b"x" * size
    passed = [renaming.feed(piece) for piece in (b'data: {"a":"', text, b'","model":"theirs"}\n', _stream(_CHAT))]
    assert b"".join([*passed, renaming.rest()]).replace(b'"ours"', b'"theirs"') == b"".join(
        (b'data: {"a":"', text, b'","model":"theirs"}\n', _stream(_CHAT))
    )
    assert passed[3] == _stream({**_CHAT, "model": "ours"})
    assert (passed[1] == b"") == (size == 1000)


@pytest.mark.parametrize("piece", [b'\\"', b'"', b"{", b'"model":', b'"a":"b",', b"\\", b'{"model":'])
@pytest.mark.parametrize("head", [b'{"x":"', b'{"x":'])
def test_the_search_is_linear(head: bytes, piece: bytes) -> None:
    assert steep(lambda size: partial(renamed, head + piece * size, "ours")) is None
