"""Arguments of calls that are not quite JSON: an object comes out on every way, whole and in any pieces."""

import json
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders.chat_chunks import DONE, answer, called, piece, said
from tests.support.builders.claude_answers import chat_writer, joined, responses_writer, streamed, whole
from tests.support.builders.claude_answers import message as claude_message
from tests.support.growth import Run, steep

from claude_gateway_proxy.translation.arguments import arguments, written
from claude_gateway_proxy.translation.bad_answer import Broken
from claude_gateway_proxy.translation.chat.calls import Arguments, Calls
from claude_gateway_proxy.translation.claude.reader import Reader
from claude_gateway_proxy.translation.progress import Progress

MISTAKES: Final[dict[str, Any]] = {
    '{"a":"b\nc\td\x00"}': {"a": "b\nc\td\x00"},
    '{"a":"\\d+ \\u12 C:\\Users"}': {"a": "\\d+ \\u12 C:\\Users"},
    '{"a":"x \\\n y"}': {"a": "x \\\n y"},
    '{"a":"\\ud83d","b":"\\ud83d\\ude00"}': {"a": "\ufffd", "b": "\U0001f600"},
    '{"a":[1,-2,3e5,],"b":{},}': {"a": [1, -2, 3e5], "b": {}},
    '{"a":",]","b":"}, "}': {"a": ",]", "b": "}, "},
    "{'a': 'it\\'s \"b\"', 'c': [True, False, None]}": {"a": 'it\'s "b"', "c": [True, False, None]},
    '{"a":NaN,"b":undefined,"c":[-Infinity]}': {"a": None, "b": None, "c": [None]},
    '\ufeff {"a":1}': {"a": 1},
    '```json\n{"a":"b"}\n```': {"a": "b"},
    '\n```\n{"a":"b\n"}```\n': {"a": "b\n"},
    '{"a":1} and that is it': {"a": 1},
    '{"a":1}{"a":1}': {"a": 1},
    '{"a":1}\n{ "a" : 1 }': {"a": 1},
    '{"a":1}{b}': {"a": 1},
    '{}{"a":1}': {"a": 1},
    json.dumps('{"a":"b"}'): {"a": "b"},
    json.dumps('{"a":"b\n",}'): {"a": "b\n"},
    json.dumps('```json\n{"a":1}\n```'): {"a": 1},
    "": {},
    " \n": {},
    "null": {},
    "None": {},
    "undefined": {},
    "[]": {},
    "ls -l": {"arguments": "ls -l"},
    '"ls -l"': {"arguments": "ls -l"},
    '["a"]': {"arguments": ["a"]},
    "12": {"arguments": 12},
    'echo {"a":1}': {"arguments": 'echo {"a":1}'},
    "```": {"arguments": "```"},
}
"""What models write, and what the tool is called with."""


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize("text", MISTAKES)
def test_what_models_get_wrong_about_json(text: str, size: int) -> None:
    pieces = [called(piece(0, None, None, text[at : at + size])) for at in range(0, len(text), size)]
    (call,) = said(answer(called(piece(0, "c", "Bash", "")), *pieces, DONE))
    assert call == ("tool_use", "Bash", MISTAKES[text])


@pytest.mark.parametrize("text", MISTAKES)
def test_what_a_stream_passes_on_is_json(text: str) -> None:
    calls = Calls()
    found = [*calls.read([piece(0, "c", "Bash", text)]), *calls.end(cut=False)]
    passed = "".join(each.text for each in found if isinstance(each, Arguments))
    assert msgspec.json.decode(passed) == MISTAKES[text]


@pytest.mark.parametrize("value", [{"a": 1}, ["a"], 5, True, None, ""])
def test_arguments_that_are_no_text(value: Any) -> None:
    (call,) = said(answer(called(piece(0, "c", "Bash", value)), DONE))
    expected = {} if value in (None, "") else value if isinstance(value, dict) else {"arguments": value}
    assert call == ("tool_use", "Bash", expected)


@pytest.mark.parametrize("between", ["", "\n", ", ", ";"])
@pytest.mark.parametrize("size", [1, 4, 9, 1000])
def test_the_arguments_of_several_calls_as_those_of_one(between: str, size: int) -> None:
    texts = ['{"a":1}', '{"a":2}', '{"a":2}', '{"a":{"b":"}{"}}']
    text = between.join(texts)
    pieces = [called(piece(0, None, None, text[at : at + size])) for at in range(0, len(text), size)]
    message = answer(called(piece(0, "c1", "Bash", "")), *pieces, called(piece(1, "c2", "Read", '{"c":3}')), DONE)
    inputs = [(name, given) for _, name, given in said(message)]
    # The other call has come by then; the repeated one is the same call.
    assert inputs == [("Bash", {"a": 1}), ("Read", {"c": 3}), ("Bash", {"a": 2}), ("Bash", {"a": {"b": "}{"}})]
    idents = [block["id"] for block in msgspec.to_builtins(message.content)]
    assert len(set(idents)) == len(idents)


def test_a_call_behind_another_one_that_is_cut() -> None:
    with pytest.raises(Broken, match="within a tool call"):
        answer(called(piece(0, "c", "Bash", '{"a":1}{"a":')), DONE)
    cut = answer(called(piece(0, "c", "Bash", '{"a":1}{"a":')), {"choices": [{"delta": {}, "finish_reason": "length"}]})
    assert (cut.stop_reason, said(cut)) == ("max_tokens", [("tool_use", "Bash", {"a": 1})])


def test_a_call_behind_another_one_that_is_named_late() -> None:
    chunks = [called(piece(0, "c1", "Bash", '{"a":1}{"b":')), called(piece(0, None, None, "2}"))]
    named = called(piece(0, None, "Read", ""))
    assert [each[1:] for each in said(answer(*chunks, named, DONE))] == [("Bash", {"a": 1}), ("Read", {"b": 2})]


def test_a_call_that_is_mended_and_repeated_is_one_call() -> None:
    text = '{"a":"b\n",}'
    chunks = [called(piece(0, "c1", "Bash", text)), called(piece(0, None, "Bash", text)), DONE]
    assert said(answer(*chunks)) == [("tool_use", "Bash", {"a": "b\n"})]


def test_too_many_calls_in_one() -> None:
    with pytest.raises(Broken, match="more than 1,000 tool calls"):
        answer(called(piece(0, "c", "Bash", "".join(f'{{"a":{number}}}' for number in range(1_100)))), DONE)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES), st.booleans(), st.sampled_from([None, 1]), st.integers(1, 9))
def test_json_stays_what_it_says(value: dict[str, Any], plain: bool, indent: int | None, size: int) -> None:
    text = json.dumps(value, ensure_ascii=plain, indent=indent)
    assert Progress().feed(text) == (text, len(text))
    progress = Progress()
    pieces = [progress.feed(text[at : at + size])[0] for at in range(0, len(text), size)]
    assert json.loads("".join(pieces)) == value
    assert progress.complete
    assert arguments(text) == value
    assert json.loads(written(text)) == value


@given(st.text(alphabet="{}[]\"'\\,: \nauNone1\ud83d```"), st.integers(1, 5))
def test_no_text_breaks_the_reader_of_arguments(text: str, size: int) -> None:
    json.loads(written(text))
    progress = Progress()
    for at in range(0, len(text), size):
        progress.feed(text[at : at + size])
    calls = Calls()
    try:
        list(calls.read([piece(0, "c", "Bash", text)]))
        list(calls.end(cut=False))
    except Broken:
        return


GROWING: Final = {
    "escapes": lambda size: '{"a":"' + "\\d" * size + '"}',
    "controls": lambda size: '{"a":"' + "\n" * size + '"}',
    "commas": lambda size: '{"a":[' + ",\n" * size + "]}",
    "blanks": lambda size: '{"a":1,' + " " * size + "}",
    "words": lambda size: '{"a":[' + "None," * size + "]}",
    "letters": lambda size: "{" + "N" * size + "}",
    "objects": lambda size: '{"a":1}' + "{}" * size,
    "junk behind it": lambda size: '{"a":1}' + "}" * size,
    "no json": lambda size: "a" * size,
    "halves": lambda size: '{"a":"' + "\\ud83d" * size + '"}',
}


@pytest.mark.parametrize(
    ("kind", "pieces"),
    [*((kind, False) for kind in GROWING), ("blanks", True), ("letters", True), ("objects", True), ("no json", True)],
)
def test_arguments_are_read_in_linear_time(kind: str, pieces: bool) -> None:
    def make(size: int) -> Run:
        text = GROWING[kind](size)
        chunks = [piece(0, None, None, each) for each in text] if pieces else [piece(0, None, None, text)]

        def run() -> None:
            calls = Calls()
            list(calls.read([piece(0, "c", "Bash", "")]))
            for chunk in chunks:
                list(calls.read([chunk]))
            list(calls.end(cut=True))

        return run

    assert steep(make) is None


def tool_use(given: Any, **more: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": given, **more}


@pytest.mark.parametrize("given", [{"a": 1}, [1], "x", '{"a":1,}', None, 5])
def test_the_input_of_a_claudes_call_is_an_object(given: Any) -> None:
    answered = claude_message(tool_use(given), stop="tool_use")
    expected = {"a": 1} if given in ({"a": 1}, '{"a":1,}') else {} if given is None else {"arguments": given}
    (call,) = whole(chat_writer(), answered)["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == expected
    (item,) = whole(responses_writer(), answered)["output"]
    assert json.loads(item["arguments"]) == expected


@pytest.mark.parametrize("text", ['{"a":"b\n\\d",}', '"ls"', "ls"])
def test_what_a_claude_streams_unchecked_is_mended(text: str) -> None:
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"model": "claude-x"}},
        {"type": "content_block_start", "content_block": tool_use({})},
        *({"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": c}} for c in text),
        {"type": "content_block_stop"},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
    ]
    reader = Reader(writer := chat_writer())
    stream = b"".join([*(reader.document(each) for each in events), reader.end()]).decode()
    found = joined([json.loads(line[6:]) for line in stream.split("\n\n") if line.startswith("data: {")])
    expected = {"a": "b\n\\d"} if text.startswith("{") else {"arguments": "ls"}
    assert json.loads(found["calls"][0]["text"]) == expected
    (call,) = writer.document["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == expected


@pytest.mark.parametrize("stop", ["tool_use", "end_turn", "max_tokens"])
def test_a_claudes_call_without_its_end_is_complete_at_a_limit_only(stop: str) -> None:
    events = [
        {"type": "message_start", "message": {"model": "claude-x"}},
        {"type": "content_block_start", "content_block": tool_use({})},
        {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": '{"a":'}},
        {"type": "message_delta", "delta": {"stop_reason": stop}},
    ]
    reader = Reader(chat_writer())
    for each in events:
        reader.document(each)
    if stop == "max_tokens":
        assert b'"length"' in reader.end()
        return
    with pytest.raises(Broken, match="within a tool call"):
        reader.end()


def test_the_ids_and_names_of_a_claudes_calls() -> None:
    answered = claude_message(tool_use({}), tool_use({}), tool_use({}, id=""), stop="tool_use")
    idents = [call["id"] for call in joined(streamed(chat_writer(), answered))["calls"].values()]
    assert idents[0] == "toolu_1"
    assert len(set(idents)) == 3
    assert all(idents)
    with pytest.raises(Broken, match="without its name"):
        whole(chat_writer(), claude_message(tool_use({}, name=""), stop="tool_use"))
