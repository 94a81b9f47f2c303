"""Answers of Chat Completions as servers happen to send them: nothing lost, and nothing twice."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.builders.chat_chunks import DONE, OPTIONS, STOP, answer, called, delta, piece, said

from claude_gateway_proxy.translation.bad_answer import BadAnswer
from claude_gateway_proxy.translation.chat.answer import ChatReader
from claude_gateway_proxy.translation.documents import Documents
from claude_gateway_proxy.translation.messages.events import encoded
from claude_gateway_proxy.translation.messages.writer import Writer

BASH = ("tool_use", "Bash", {"command": "a"})
A = '{"command":"a"}'

TEXTS: dict[str, tuple[list[Any], list[tuple[str, str]]]] = {
    "choices null": ([{"choices": None}, delta({"content": "hello"}), {"choices": [None, 5]}], [("text", "hello")]),
    "delta null": ([delta(None), delta({"content": "hello"}), delta([])], [("text", "hello")]),
    "numbers": ([delta({"content": 4}), delta({"content": 2.5}), delta({"content": True})], [("text", "42.5true")]),
    "parts": (
        [delta({"content": [{"type": "text", "text": "hel"}, "l", {"text": "o"}]}), delta({"content": {"text": "!"}})],
        [("text", "hello!")],
    ),
    "parts that think": (
        [
            delta({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}),
            delta({"content": [{"type": "text", "text": "hello"}]}),
        ],
        [("thinking", "hm"), ("text", "hello")],
    ),
    "a refusal": ([delta({"refusal": "I cannot"})], [("text", "I cannot")]),
    "a message": ([{"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]}], [("text", "hello")]),
    "messages": (
        [{"choices": [{"message": {"content": text}, "finish_reason": None}]} for text in ("hel", "lo")],
        [("text", "hello")],
    ),
    "all again as a message": (
        [
            delta({"content": "hel"}),
            delta({"content": "lo"}),
            {"choices": [{"delta": {}, "message": {"content": "hello!"}, "finish_reason": "stop"}]},
        ],
        [("text", "hello!")],
    ),
    "a text": ([{"choices": [{"text": "hello"}]}], [("text", "hello")]),
    "two halves of a pair": (
        [delta({"content": "a\ud83d"}), delta({"content": "\ude00b\ud83d"})],
        [("text", "a\U0001f600b\ufffd")],
    ),
    "reasoning": ([delta({"reasoning_content": "h"}), delta({"reasoning": "m"})], [("thinking", "hm")]),
    "reasoning twice": (
        [delta({"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]})],
        [("thinking", "hm")],
    ),
    "details alone": (
        [delta({"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}, None, {"text": 5}]})],
        [("thinking", "hm")],
    ),
    "a choice without its list": ([{"choices": {"index": 0, "delta": {"content": "hello"}}}], [("text", "hello")]),
    "a text instead of a delta": ([{"choices": [{"delta": "hello"}]}], [("text", "hello")]),
    "a text instead of a message": (
        [{"choices": [{"message": "hello", "finish_reason": "stop"}]}],
        [("text", "hello")],
    ),
    "an index in words": (
        [{"choices": [{"index": "0", "delta": {"content": "hel"}}]}, delta({"content": "lo"})],
        [("text", "hello")],
    ),
    "choices by number": (
        [
            {"choices": {"0": {"delta": {"content": "hel"}}, "1": {"delta": {"content": "x"}}}},
            {"choices": {"0": {"index": 0, "delta": {"content": "lo"}}}},
        ],
        [("text", "hello")],
    ),
    "another choice": (
        [{"choices": [{"index": 1, "delta": {"content": "x"}}, {"index": 2, "delta": {"content": "y"}}]}],
        [("text", "x")],
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_irregular_chunks_lose_nothing(name: str) -> None:
    chunks, expected = TEXTS[name]
    assert said(answer(*chunks, STOP | {"choices": [{**STOP["choices"][0], "index": None}]})) == expected


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["<think>", "hm", "</think>", "hello"], [("thinking", "hm"), ("text", "hello")]),
        (["<th", "ink>hm</thi", "nk>hello"], [("thinking", "hm"), ("text", "hello")]),
        (["\n <think>\nhm\n", "</think>\n\n", "\nhello"], [("thinking", "\nhm\n"), ("text", "hello")]),
        (["<think></think>hello"], [("text", "hello")]),
        (["<thinking>hm</thinking>hello"], [("thinking", "hm"), ("text", "hello")]),
        (["<think>hm"], [("thinking", "hm")]),
        (["<think>h<m </thi"], [("thinking", "h<m </thi")]),
        (["<thin"], [("text", "<thin")]),
        (["the <think> tag</think>"], [("text", "the <think> tag</think>")]),
        (["<b>x"], [("text", "<b>x")]),
        ([" " * 300, "<think>"], [("text", " " * 300 + "<think>")]),
    ],
)
def test_reasoning_in_tags(texts: list[str], expected: list[tuple[str, str]]) -> None:
    found = said(answer(*(delta({"content": text}) for text in texts), STOP))
    assert [(kind, text.strip() if kind == "thinking" else text) for kind, text in found] == [
        (kind, text.strip() if kind == "thinking" else text) for kind, text in expected
    ]


def test_tags_are_text_where_the_server_reasons_elsewhere() -> None:
    chunks = [delta({"reasoning_content": "hm"}), delta({"content": "<think>x</think>"}), STOP]
    assert said(answer(*chunks)) == [("thinking", "hm"), ("text", "<think>x</think>")]


def test_a_call_behind_reasoning_in_tags() -> None:
    assert said(answer(delta({"content": "<think>hm</think>\n\n"}), called(piece(0, "c", "Bash", A)), DONE)) == [
        ("thinking", "hm"),
        BASH,
    ]


@pytest.mark.parametrize(
    "chunk",
    [
        {"usage": {"prompt_tokens": 12, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}}},
        {"choices": [], "usage": {"prompt_tokens": 12.0, "completion_tokens": "3", "prompt_cache_hit_tokens": 2}},
        {"choices": [{"delta": {}, "usage": {"prompt_tokens": 12, "completion_tokens": 3, "cached_tokens": 2}}]},
        {"x_groq": {"usage": {"prompt_tokens": 12, "completion_tokens": 3, "cached_tokens": 2}}},
        {"usage": None, "timings": {"prompt_n": 10, "predicted_n": 3, "cache_n": 2}},
        {"usage": {"input_tokens": 12, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 2}}},
    ],
)
def test_counts_wherever_a_vendor_puts_them(chunk: dict[str, Any]) -> None:
    usage = answer(delta({"content": "x"}), STOP, chunk, {"choices": [], "usage": {}}).usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens) == (10, 3, 2)


def test_counts_that_are_none() -> None:
    wrong = {"prompt_tokens": None, "completion_tokens": True, "cached_tokens": -1, "prompt_tokens_details": 5}
    assert answer(delta({"content": "x"}), STOP, {"usage": wrong}).usage.output_tokens == 0


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["\ud83d", "<think>"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "choices",
                        "delta",
                        "message",
                        "content",
                        "tool_calls",
                        "function",
                        "name",
                        "arguments",
                        "id",
                        "index",
                    ),
                    *("finish_reason", "reasoning", "reasoning_details", "type", "text", "usage", "refusal", "data"),
                    *("extra_content", "google", "thought_signature", "function_call", "stop_reason", "prompt_tokens"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    chunks=st.lists(
        st.fixed_dictionaries({"choices": st.lists(JUNK, max_size=2) | JUNK}) | st.dictionaries(st.text(), JUNK),
        max_size=4,
    )
)
@example(chunks=[{"choices": [{"delta": {"content": "\udc00\ud800"}, "finish_reason": "stop"}]}])
@example(chunks=[{"choices": [{"reasoning": None, "finish_reason": "0", "stop_reason": "\ud83d"}]}])
def test_no_chunk_crashes_the_reader(chunks: list[Any]) -> None:
    writer = Writer(OPTIONS)
    reader = ChatReader(writer)
    try:
        for chunk in chunks:
            for event in reader.chunk(chunk):
                encoded(event)
        for event in reader.end():
            encoded(event)
    except BadAnswer:
        return


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=30),
    text=st.text(max_size=60),
    arguments=st.dictionaries(st.text(max_size=8), st.text(max_size=20), min_size=1, max_size=3),
)
def test_any_cut_of_text_and_arguments_gives_the_same_message(
    sizes: list[int], text: str, arguments: dict[str, str]
) -> None:
    raw = json.dumps(arguments)

    def pieces(value: str) -> list[str]:
        found, at = [], 0
        for size in sizes:
            found.append(value[at : at + size])
            at += size
        return [*found, value[at:]]

    chunks = [delta({"content": each}) for each in pieces(text)]
    chunks += [called(piece(0, "c", "Bash", ""))]
    chunks += [called(piece(0, None, None, each)) for each in pieces(raw)]
    stream = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in [*chunks, DONE]).encode()
    reader = Documents()
    found = [
        document for size in range(0, len(stream), sizes[0]) for document in reader.feed(stream[size : size + sizes[0]])
    ]
    whole = [delta({"content": text}), called(piece(0, "c", "Bash", raw)), DONE]
    assert said(answer(*found, *reader.end())) == said(answer(*whole))
