"""Calls in answers of Chat Completions as servers happen to send them: each once, complete and in order."""

import json
from typing import Any

import msgspec
import pytest
from tests.support.builders.chat_chunks import DONE, answer, called, delta, piece, said

from claude_gateway_proxy.translation.chat.answer import ChatReader
from claude_gateway_proxy.translation.messages.options import RequestOptions
from claude_gateway_proxy.translation.messages.writer import Writer
from claude_gateway_proxy.translation.names import signature_of

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


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("functions.Bash", "Bash"),
        ("functions.Bash:0", "Bash"),
        ("default_api:Bash", "Bash"),
        ("Bash<|channel|>commentary", "Bash"),
        ("bash", "Bash"),
        ("READ", "READ"),
        ("Grep", "Grep"),
        ("functions.Grep", "functions.Grep"),
    ],
)
def test_a_name_with_marks_of_the_models_format_is_that_of_a_tool(name: str, meant: str) -> None:
    options = RequestOptions(model="m", tools=frozenset({"Bash", "Read", "read"}))
    for chunks in (
        [called(piece(0, "c1", name, A))],
        [called(piece(0, "c1", name, "")), called(piece(0, None, None, A[:4])), called(piece(0, None, None, A[4:]))],
    ):
        assert said(answer(*chunks, DONE, options=options)) == [("tool_use", meant, {"command": "a"})]


def test_a_name_means_nothing_else_where_the_tools_are_not_known() -> None:
    assert said(answer(called(piece(0, "c1", "functions.Bash", A)), DONE))[0][1] == "functions.Bash"


def test_a_call_with_plain_text() -> None:
    custom = {"id": "c1", "type": "custom", "custom": {"name": "Bash", "input": "ls -l"}}
    for chunks in ([called(custom)], [{"choices": [{"message": {"tool_calls": [custom]}}]}]):
        assert said(answer(*chunks, DONE)) == [("tool_use", "Bash", {"arguments": "ls -l"})]


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
