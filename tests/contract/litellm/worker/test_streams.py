"""Streams as servers really send them, through the real LiteLLM: what of them is left for the client."""

import json
from typing import Any

import httpx
import pytest
from tests.support.processes.worker import Worker, bundle, deployment, events

from claude_gateway_scripted.local import Scripted

DONE = "data: [DONE]\n\n"
COUNTS = {
    "prompt_tokens": 10,
    "completion_tokens": 2,
    "total_tokens": 12,
    "prompt_tokens_details": {"cached_tokens": 4},
}


def chunk(finish: str | None = None, *, usage: Any = None, stop_reason: Any = None, **delta: Any) -> str:
    """One chunk on the wire."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "stop_reason": stop_reason}
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return f"data: {json.dumps({**head, 'usage': usage} if usage else head)}\n\n"


def part(index: int, arguments: str, name: str | None = None) -> dict[str, Any]:
    """A call, or with no name a piece of one."""
    ident = {} if name is None else {"id": f"id-of-{name}-{index}", "type": "function"}
    return {"index": index, **ident, "function": {"arguments": arguments, **({"name": name} if name else {})}}


CASES: dict[str, tuple[list[str], list[Any]]] = {
    "reasoning alone": ([chunk(reasoning_content="hm"), chunk("stop"), DONE], ["end_turn", "hm"]),
    "another name for reasoning": (
        [chunk(reasoning="hm"), chunk(content="x"), chunk("stop"), DONE],
        ["end_turn", "hm", "x"],
    ),
    "an empty answer": ([chunk(content=""), chunk("stop"), DONE], ["end_turn", ""]),
    "an end with content": ([chunk("length", content="a"), DONE], ["max_tokens", "a"]),
    "a named stop sequence": ([chunk("stop", content="a", stop_reason="END"), DONE], ["stop_sequence", "a"]),
    "calls that take turns": (
        [
            chunk(tool_calls=[part(0, "", "a"), part(1, "", "b")]),
            *(
                chunk(tool_calls=[part(index, text)])
                for index, text in ((0, '{"x"'), (1, '{"y"'), (0, ":1}"), (1, ":2}"))
            ),
            chunk("tool_calls"),
            DONE,
        ],
        ["tool_use", ("a", {"x": 1}), ("b", {"y": 2})],
    ),
    "calls in one piece": (
        [chunk(tool_calls=[part(0, '{"x":1}', "a")]), chunk(tool_calls=[part(1, '{"x":2}', "a")]), chunk("stop"), DONE],
        ["tool_use", ("a", {"x": 1}), ("a", {"x": 2})],
    ),
    "calls that are all numbered 0": (
        [chunk(tool_calls=[part(0, '{"x":1}', "a")]), chunk(tool_calls=[part(0, '{"x":2}', "b")]), chunk("stop"), DONE],
        ["tool_use", ("a", {"x": 1}), ("b", {"x": 2})],
    ),
    "an empty object first": (
        [chunk(tool_calls=[part(0, "{}", "a")]), chunk(tool_calls=[part(0, '{"x":1}')]), chunk("tool_calls"), DONE],
        ["tool_use", ("a", {"x": 1})],
    ),
}


CUT = {
    "no finish reason": [chunk(content="a b"), DONE],
    "no end at all": [chunk(content="a b")],
    "a failure": [chunk(content="a b"), chunk("abort"), DONE],
    "half a call": [chunk(tool_calls=[part(0, '{"x"', "a")]), chunk("tool_calls"), DONE],
}


@pytest.mark.parametrize("name", CUT)
def test_a_stream_without_its_end_breaks(worker: Worker, upstream: Scripted, name: str) -> None:
    worker.apply(bundle(deployment("raw", "hosted_vllm/m", api_base=upstream.openai_url)))
    at_once = name in ("a failure", "half a call")
    raw = ["".join(CUT[name])] if at_once else CUT[name]
    upstream.script({"raw": raw, "headers": {"content-type": "text/event-stream"}})
    body = {"max_tokens": 50, "messages": [{"role": "user", "content": "hello"}], "stream": True}
    try:
        assert worker.post("/v1/messages", "raw", body).status_code == 502, "nothing was sent yet"
    except httpx.RemoteProtocolError:
        assert not at_once


@pytest.mark.parametrize("raw", [[], [DONE], [": ping\n\n"], ["<html></html>"]])
def test_a_stream_of_nothing_is_a_failure(worker: Worker, upstream: Scripted, raw: list[str]) -> None:
    worker.apply(bundle(deployment("raw", "hosted_vllm/m", api_base=upstream.openai_url)))
    upstream.script({"raw": raw, "headers": {"content-type": "text/event-stream"}})
    body = {"max_tokens": 50, "messages": [{"role": "user", "content": "hello"}], "stream": True}
    assert worker.post("/v1/messages", "raw", body).status_code == 502


@pytest.mark.parametrize("name", CASES)
def test_what_a_stream_says(worker: Worker, upstream: Scripted, name: str) -> None:
    raw, expected = CASES[name]
    worker.apply(bundle(deployment("raw", "hosted_vllm/m", api_base=upstream.openai_url)))
    upstream.script({"raw": raw, "headers": {"content-type": "text/event-stream"}})
    hello = [{"role": "user", "content": "hello"}]
    body = {"max_tokens": 50, "messages": hello, "thinking": {"type": "adaptive"}, "stream": True}
    found = events(worker.post("/v1/messages", "raw", body).text)
    blocks: list[Any] = []
    for kind, data in found:
        if kind == "content_block_start":
            blocks.append([data["content_block"].get("name"), ""])
        elif kind == "content_block_delta":
            said = data["delta"]
            blocks[-1][1] += said.get("text") or said.get("thinking") or said.get("partial_json") or ""
    said_of = [(call, json.loads(text)) if call else text for call, text in blocks]
    assert [found[-2][1]["delta"]["stop_reason"], *said_of] == expected
    assert found[-1][0] == "message_stop"


def test_counts_are_the_last_ones(worker: Worker, upstream: Scripted) -> None:
    worker.apply(bundle(deployment("raw", "hosted_vllm/m", api_base=upstream.openai_url)))
    first = {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11}
    raw = [chunk(content="a", usage=first), chunk("stop", usage=COUNTS), DONE]
    upstream.script({"raw": raw, "headers": {"content-type": "text/event-stream"}})
    body = {"max_tokens": 50, "messages": [{"role": "user", "content": "hello"}], "stream": True}
    usage = events(worker.post("/v1/messages", "raw", body).text)[-2][1]["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (6, 4, 2)
