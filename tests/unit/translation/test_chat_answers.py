"""Answers of Chat Completions as servers happen to send them: nothing lost, nothing twice, no half for a whole."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from claude_gateway_proxy.translation.bad_answer import BadAnswer, Broken
from claude_gateway_proxy.translation.chat.answer import ChatReader
from claude_gateway_proxy.translation.documents import Documents
from claude_gateway_proxy.translation.messages.events import Message, assembled, encoded
from claude_gateway_proxy.translation.messages.options import RequestOptions, Thinking
from claude_gateway_proxy.translation.messages.writer import Writer
from claude_gateway_proxy.translation.names import signature_of

OPTIONS = RequestOptions(model="m", thinking=Thinking(wanted=True))


def delta(said: Any = None, finish: Any = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": said, "finish_reason": finish}], **more}


def piece(index: Any = 0, ident: Any = None, name: Any = None, arguments: Any = None, **more: Any) -> dict[str, Any]:
    return {"index": index, "id": ident, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def called(*pieces: Any, finish: Any = None) -> dict[str, Any]:
    return delta({"tool_calls": list(pieces)}, finish)


def answer(*chunks: Any, options: RequestOptions = OPTIONS) -> Message:
    """The message of a stream of chunks."""
    writer = Writer(options)
    reader = ChatReader(writer)
    events = [writer.start()]
    for chunk in chunks:
        events += reader.chunk(chunk)
    return assembled([*events, *reader.end()])


def said(message: Message) -> list[tuple[Any, ...]]:
    """What a message says: its texts, reasoning and calls."""
    return [
        (block["type"], block["name"], block["input"])
        if block["type"] == "tool_use"
        else (block["type"], block[block["type"]])
        for block in msgspec.to_builtins(message.content)
    ]


STOP = delta({}, "stop")
DONE = delta({}, "tool_calls")
BASH, READ = ("tool_use", "Bash", {"command": "a"}), ("tool_use", "Read", {"file_path": "b"})
A, B = '{"command":"a"}', '{"file_path":"b"}'

CALLS: dict[str, list[Any]] = {
    "as OpenAI does": [
        called(piece(0, "c1", "Bash", "")),
        called(piece(0, None, None, A[:5])),
        called(piece(0, None, None, A[5:])),
        called(piece(1, "c2", "Read", B)),
    ],
    "pieces of two calls by turns": [
        called(piece(0, "c1", "Bash", A[:4]), piece(1, "c2", "Read", B[:4])),
        called(piece(1, None, None, B[4:])),
        called(piece(0, None, None, A[4:])),
    ],
    "one number": [called(piece(0, "c1", "Bash", A)), called(piece(0, "c2", "Read", B))],
    "one number, no id": [called(piece(0, None, "Bash", A)), called(piece(0, None, "Read", B))],
    "one number, one id": [called(piece(0, "c", "Bash", A)), called(piece(0, "c", "Read", B))],
    "two numbers, one id": [called(piece(0, "c", "Bash", A)), called(piece(1, "c", "Read", B))],
    "one number, empty ids, one chunk": [called(piece(0, "", "Bash", A), piece(0, "", "Read", B))],
    "no number": [called(piece(None, "c1", "Bash", A)), called(piece(None, "c2", "Read", B))],
    "no number, no id": [called(piece(None, None, "Bash", A)), called(piece(None, None, "Read", B))],
    "no number, no id, one chunk": [called(piece(None, None, "Bash", A), piece(None, None, "Read", B))],
    "no number, in pieces": [
        called(piece(None, "c1", "Bash", A[:3])),
        called(piece(None, None, None, A[3:])),
        called(piece(None, "c2", "Read", B[:3])),
        called(piece(None, "c2", None, B[3:])),
    ],
    "one number, in pieces": [
        called(piece(0, None, "Bash", "")),
        called(piece(0, None, None, A[:3])),
        called(piece(0, None, None, A[3:])),
        called(piece(0, None, "Read", "")),
        called(piece(0, None, None, B)),
    ],
    "numbers in words": [called(piece("0", "c1", "Bash", A)), called(piece(1.0, "c2", "Read", B))],
    "all again at the end": [
        called(piece(0, "c1", "Bash", A)),
        called(piece(1, "c2", "Read", B)),
        called(piece(0, "c1", "Bash", A), piece(1, "c2", "Read", B)),
    ],
    "all again at the end, without ids": [
        called(piece(0, "c1", "Bash", A), piece(1, "c2", "Read", B)),
        called(piece(0, None, "Bash", A), piece(1, None, "Read", B)),
    ],
    "again as a message": [
        called(piece(0, "c1", "Bash", A), piece(1, "c2", "Read", B)),
        {"choices": [{"message": {"tool_calls": [piece(0, "c1", "Bash", A), piece(1, "c2", "Read", B)]}}]},
    ],
    "a new id in every piece": [
        called(piece(0, "c1", "Bash", A[:3])),
        called(piece(0, "c2", None, A[3:6])),
        called(piece(0, "c3", "Bash", A[6:])),
        called(piece(1, "c4", "Read", B[:3])),
        called(piece(1, "c5", "", B[3:])),
    ],
    "the name in every piece": [
        called(piece(0, "c1", "Bash", A[:3])),
        called(piece(0, "c1", "Bash", A[3:])),
        called(piece(1, "c2", "Read", B[:3])),
        called(piece(1, "c2", "Read", B[3:])),
    ],
    "arguments before the name": [
        called(piece(0, "c1", None, A[:3])),
        called(piece(0, None, None, A[3:])),
        called(piece(0, None, "Bash", "")),
        called(piece(1, None, None, B)),
        called(piece(1, "c2", "Read", None)),
    ],
    "an object": [called(piece(0, "c1", "Bash", json.loads(A)), piece(1, "c2", "Read", json.loads(B)))],
    "JSON within JSON": [
        called(piece(0, "c1", "Bash", json.dumps(A)[:5])),
        called(piece(0, None, None, json.dumps(A)[5:])),
        called(piece(1, "c2", "Read", json.dumps(B))),
    ],
    "one brace too many": [
        called(piece(0, "c1", "Bash", A), piece(1, "c2", "Read", B + "}")),
        called(piece(1, None, None, "}")),
    ],
    "an empty object first": [
        called(piece(0, "c1", "Bash", "{}")),
        called(piece(0, None, None, A)),
        called(piece(1, "c2", "Read", {})),
        called(piece(1, None, None, B)),
    ],
    "a call instead of a list": [delta({"tool_calls": piece(0, "c1", "Bash", A)}), called(piece(1, "c2", "Read", B))],
    "names between blanks": [called(piece(0, "c1", " Bash\n", A)), called(piece(1, "c2", "Read ", B))],
    "by number": [
        delta({"tool_calls": {"0": piece(0, "c1", "Bash", A), "1": piece(1, "c2", "Read", B[:3])}}),
        delta({"tool_calls": {"1": {"function": {"arguments": B[3:]}}}}),
    ],
    "without a function in between": [
        called({"index": 0, "id": "c1", "name": "Bash", "arguments": A}, {"index": 1, "name": "Read", "parameters": B})
    ],
    "the rest of a call under another number": [
        called(piece(0, "c1", "Bash", A)),
        called(piece(0, "c2", "Read", B[:3])),
        called(piece(1, None, None, B[3:])),
    ],
    "names in pieces": [
        called(piece(0, "c1", "Ba", "")),
        called(piece(0, None, "sh", None)),
        called(piece(0, None, None, A)),
        called(piece(1, "c2", "R", None), piece(1, "c2", "ea", "")),
        called(piece(1, "c2", "d", B[:3])),
        called(piece(1, None, None, B[3:])),
    ],
    "names in pieces, by turns": [
        called(piece(0, "c1", "Ba"), piece(1, "c2", "Re")),
        called(piece(0, None, "sh"), piece(1, None, "ad")),
        called(piece(1, None, None, B)),
        called(piece(0, None, None, A)),
    ],
    "names in pieces, without a number": [
        called(piece(None, None, "Ba", "")),
        called(piece(None, None, "sh", A)),
        called(piece(None, "c2", "Read", "")),
        called(piece(None, "c2", "Read", B)),
    ],
    "all of the name so far in every piece": [
        called(piece(0, "c1", "Ba", "")),
        called(piece(0, "c1", "Bash", "")),
        called(piece(0, "c1", "Bash", A)),
        called(piece(1, "c2", "Re", "")),
        called(piece(1, "c2", "Read", B)),
    ],
    "names and then arguments, by turns": [
        called(piece(0, "c1", "Bash", ""), piece(1, "c2", "Read", "")),
        called(piece(1, None, None, B)),
        called(piece(0, None, None, A)),
    ],
    "nulls around them": [
        called(None, piece(0, "c1", "Bash", A)),
        delta({"tool_calls": None}),
        called({"index": 0}, {"index": 0, "function": None}, piece(1, "c2", "Read", B)),
    ],
}


@pytest.mark.parametrize("name", CALLS)
def test_each_call_comes_out_once_complete_and_in_order(name: str) -> None:
    message = answer(*CALLS[name], DONE)
    assert said(message) == [BASH, READ]
    assert message.stop_reason == "tool_use"
    ids = [block["id"] for block in msgspec.to_builtins(message.content)]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("known", [frozenset(), frozenset({"Bash", "Read"}), frozenset({"Bash", "BashOutput"})])
@pytest.mark.parametrize("name", CALLS)
def test_calls_of_known_tools(name: str, known: frozenset[str]) -> None:
    assert said(answer(*CALLS[name], DONE, options=RequestOptions(model="m", tools=known))) == [BASH, READ]


KNOWN_TOOLS: dict[str, tuple[list[Any], list[tuple[str, Any]]]] = {
    "one number, no id, no arguments": (
        [called(piece(0, None, "Bash", "")), called(piece(0, None, "Read", B))],
        [("Bash", {}), ("Read", {"file_path": "b"})],
    ),
    "a tool's name begins another's": (
        [called(piece(0, "c1", "Read", "")), called(piece(0, "c1", "Many", A))],
        [("ReadMany", {"command": "a"})],
    ),
    "a tool's name ends another's": (
        [called(piece(0, "c1", "Un", "")), called(piece(0, "c1", "Read", A))],
        [("UnRead", {"command": "a"})],
    ),
    "both halves are the same": (
        [called(piece(0, "c1", "do", "")), called(piece(0, "c1", "do", A))],
        [("dodo", {"command": "a"})],
    ),
    "an unknown tool, then a known one": (
        [called(piece(0, None, "Foo", "")), called(piece(0, None, "Read", A))],
        [("Foo", {}), ("Read", {"command": "a"})],
    ),
    "an unknown tool": (
        [called(piece(0, None, "Fo", "")), called(piece(0, None, "o", A))],
        [("Foo", {"command": "a"})],
    ),
    "a name without an end": (
        [called(piece(0, None, "a" * 400, "")), called(piece(0, None, "b" * 400, A))],
        [("a" * 400, {}), ("b" * 400, {"command": "a"})],
    ),
    "the last call has no arguments": (
        [called(piece(0, "c1", "Read", B)), called(piece(1, "c2", "Ba")), called(piece(1, None, "sh"))],
        [("Read", {"file_path": "b"}), ("Bash", {})],
    ),
}


@pytest.mark.parametrize("name", KNOWN_TOOLS)
def test_the_tools_of_the_request_tell_names_from_their_pieces(name: str) -> None:
    chunks, expected = KNOWN_TOOLS[name]
    tools = frozenset({"Bash", "Read", "ReadMany", "UnRead", "dodo"})
    calls = said(answer(*chunks, DONE, options=RequestOptions(model="m", tools=tools)))
    assert [call[1:] for call in calls] == expected


def test_a_call_begins_as_soon_as_its_name_is_certain() -> None:
    for tools, begun in ((frozenset({"Bash"}), True), (frozenset({"Bash", "BashOutput"}), False), (frozenset(), False)):
        reader = ChatReader(Writer(RequestOptions(model="m", tools=tools)))
        assert bool(list(reader.chunk(called(piece(0, "c1", "Bash", ""))))) is begun
        assert bool(list(reader.chunk(called(piece(0, None, None, A[:3]))))) is True


def test_two_calls_of_one_tool() -> None:
    again = {"command": "b"}
    for ident in (None, "c2"):
        chunks = [called(piece(0, "c1", "Bash", A)), called(piece(0, ident, "Bash", json.dumps(again))), DONE]
        assert said(answer(*chunks)) == [BASH, ("tool_use", "Bash", again)]
    chunks = [called(piece(0, "c1", "Now", "")), called(piece(0, "c2", "Now", "")), DONE]
    assert said(answer(*chunks)) == [("tool_use", "Now", {})] * 2


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
    ("reason", "stop"),
    [
        ("stop", "end_turn"),
        ("STOP", "end_turn"),
        ("eos_token", "end_turn"),
        ("end_turn", "end_turn"),
        ("something new", "end_turn"),
        ("length", "max_tokens"),
        ("MAX_TOKENS", "max_tokens"),
        ("model_length", "max_tokens"),
        ("model_context_window_exceeded", "max_tokens"),
        ("content_filter", "refusal"),
        ("SAFETY", "refusal"),
        ("sensitive", "refusal"),
    ],
)
def test_reasons_for_the_end(reason: str, stop: str) -> None:
    assert answer(delta({"content": "x"}), delta({}, reason)).stop_reason == stop


@pytest.mark.parametrize("word", ["null", "None", ""])
def test_a_reason_that_is_none(word: str) -> None:
    assert said(answer(delta({"content": "a"}, word), delta({"content": "b"}), STOP)) == [("text", "ab")]
    with pytest.raises(Broken):
        answer(delta({"content": "a"}, word))


@pytest.mark.parametrize(
    "reason",
    [
        *("abort", "error", "network_error", "insufficient_system_resource", "malformed_function_call", "cancelled"),
        *("MALFORMED_FUNCTION_CALL", "FinishReason.MALFORMED_FUNCTION_CALL", "unexpected-tool-call", "timeout"),
    ],
)
def test_a_reason_that_is_a_failure(reason: str) -> None:
    for chunks in (
        [delta({"content": "half"}), delta({}, reason)],
        [{"choices": [{"message": {"content": "half"}, "finish_reason": reason}]}],
        [called(piece(0, "c", "Bash", A)), delta({}, reason)],
    ):
        with pytest.raises(Broken, match=reason):
            answer(*chunks)


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [{"choices": []}],
        [{"usage": {"prompt_tokens": 1}}],
        [{"choices": None}],
        [delta({"content": "I will now ed"})],
        [delta({"role": "assistant", "content": ""})],
        [called(piece(0, "c1", "Bash", '{"command":"rm -r'))],
        [called(piece(0, "c1", "Bash", '{"command":"rm -r')), DONE],
        [called(piece(0, "c1", "Bash", '{"command":"rm -r')), STOP],
        [
            {
                "choices": [
                    {"message": {"tool_calls": [piece(0, "c1", "Bash", '{"command":"rm')]}, "finish_reason": "stop"}
                ]
            }
        ],
        [{"choices": [{"message": {"content": "a"}}]}, {"choices": [{"message": {"content": "b"}}]}],
    ],
)
def test_a_cut_or_empty_answer_is_never_a_complete_one(chunks: list[Any]) -> None:
    with pytest.raises(Broken) as raised:
        answer(*chunks)
    assert str(raised.value).startswith("the upstream ")


@pytest.mark.parametrize(
    "chunks",
    [
        # The server's reader of calls lost the call.
        [delta({"role": "assistant", "content": ""}), DONE],
        [delta({"reasoning_content": "I call it"}), DONE],
        [{"choices": [{"message": {"content": None, "tool_calls": []}, "finish_reason": "tool_calls"}]}],
    ],
)
def test_an_end_without_what_it_promises_is_broken(chunks: list[Any]) -> None:
    with pytest.raises(Broken, match="before it began"):
        answer(*chunks)


def test_a_model_may_have_nothing_to_say() -> None:
    for count in (0, 1):
        counted = {"usage": {"prompt_tokens": 9, "completion_tokens": count}}
        assert answer(delta({"role": "assistant", "content": ""}), STOP, counted).stop_reason == "end_turn"
    assert said(answer(delta({"content": "done"}), DONE)) == [("text", "done")]


def test_where_servers_put_the_reason_and_the_stop_that_they_met() -> None:
    assert answer(delta({"content": "x"}), delta({"finish_reason": "length"})).stop_reason == "max_tokens"
    assert answer(delta({"content": "x"}), delta({}, {"type": "length", "length": 9})).stop_reason == "max_tokens"
    for name in ("stop_reason", "matched_stop"):
        met = answer(delta({"content": "x"}), {"choices": [{"delta": {}, "finish_reason": "stop", name: "END"}]})
        assert (met.stop_reason, met.stop_sequence) == ("stop_sequence", "END")


def test_a_call_cut_by_the_limit_says_so() -> None:
    assert answer(called(piece(0, "c1", "Bash", '{"command":"rm -r')), delta({}, "length")).stop_reason == "max_tokens"


@pytest.mark.parametrize(("reason", "stop"), [("length", "max_tokens"), ("content_filter", "refusal")])
@pytest.mark.parametrize("after", ["stop", "tool_calls", "length"])
def test_a_reason_behind_that_of_a_cut_answer_says_nothing(reason: str, stop: str, after: str) -> None:
    cut = called(piece(0, "c1", "Bash", A[:4]), finish=reason)
    assert answer(cut, delta({}, after)).stop_reason == stop


def test_a_call_that_was_lost_is_no_answer() -> None:
    for lost in ({"index": 0, "id": "c1", "function": json.dumps({"name": "Bash"})}, {"index": 0, "id": "c1"}):
        with pytest.raises(Broken):
            answer(called(lost), DONE)


def test_a_whole_answer_needs_no_reason() -> None:
    assert answer({"choices": [{"message": {"content": "x"}}]}).stop_reason == "end_turn"


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


@pytest.mark.parametrize(
    "chunks",
    [
        [called(piece(0, "f1", "Bash", A, extra_content={"google": {"thought_signature": "c2ln"}}))],
        [called(piece(0, "f1", "Bash", A, extra_content={"vertex": {"thought_signature": "c2ln"}}))],
        [called(piece(0, "f1", "Bash", A, provider_specific_fields={"thought_signature": "c2ln"}))],
        [
            called(piece(0, "f1", "Bash", A)),
            delta({"reasoning_details": [{"type": "reasoning.encrypted", "id": "f1", "data": "c2ln"}]}),
        ],
        [
            delta(
                {
                    "reasoning_details": [{"type": "reasoning.encrypted", "data": "c2ln"}],
                    **called(piece(0, "f1", "Bash", A))["choices"][0]["delta"],
                }
            )
        ],
    ],
)
def test_the_signature_of_a_thought_is_in_the_id_of_its_call(chunks: list[Any]) -> None:
    (block,) = msgspec.to_builtins(answer(*chunks, DONE).content)
    assert signature_of(block["id"]) == "c2ln"


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
