"""Answers in the formats of Cohere, Bedrock's models and Ollama: their ends, and what LiteLLM misreads of them.

Also what it drops of Cohere's requests.
"""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from tests.support.builders.objects import aws_keys, bedrock, route, target
from tests.support.processes import gateway
from tests.support.processes.worker import Worker, bundle, deployment, events

from claude_gateway_scripted.eventstream import frame

USAGE = {"billed_units": {"input_tokens": 5, "output_tokens": 6}, "tokens": {"input_tokens": 7, "output_tokens": 8}}
TOOL = {"name": "look", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
BODY: dict[str, Any] = {
    "max_tokens": 50,
    "messages": [{"role": "user", "content": "hello"}],
    "tools": [TOOL],
    "thinking": {"type": "adaptive"},
}


class Vendor(ThreadingHTTPServer):
    """Answers every request with one body."""

    kind = ""
    body = b""
    asked = b""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)


class Answers(BaseHTTPRequestHandler):
    """One connection."""

    def do_POST(self) -> None:
        server: Any = self.server
        server.asked = self.rfile.read(int(self.headers["content-length"]))
        body = server.body
        self.send_response(200)
        self.send_header("content-type", server.kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def vendor() -> Iterator[Vendor]:
    with Vendor() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def event(kind: str, **more: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more}, ensure_ascii=False)}\n\n"


def said(kind: str, message: dict[str, Any], index: int = 0) -> str:
    return event(kind, index=index, delta={"message": message})


def text(*pieces: str, index: int = 0) -> list[str]:
    return [
        said("content-start", {"content": {"type": "text", "text": ""}}, index),
        *(said("content-delta", {"content": {"text": each}}, index) for each in pieces),
        event("content-end", index=index),
    ]


def call(index: int, city: str) -> list[str]:
    function = {"name": "look", "arguments": ""}
    arguments = json.dumps({"city": city})
    return [
        said("tool-call-start", {"tool_calls": {"id": f"c{index}", "type": "function", "function": function}}, index),
        *(said("tool-call-delta", {"tool_calls": {"function": {"arguments": each}}}, index) for each in arguments),
        event("tool-call-end", index=index),
    ]


def end(reason: str) -> str:
    return event("message-end", id="x", delta={"finish_reason": reason, "usage": USAGE})


START = event("message-start", id="x", delta={"message": {"role": "assistant", "content": [], "tool_calls": []}})
THOUGHT = [
    said("content-start", {"content": {"type": "thinking", "thinking": ""}}),
    said("content-delta", {"content": {"thinking": "hm"}}),
    event("content-end", index=0),
]
PLAN = said("tool-plan-delta", {"tool_plan": "hm"})


def ask_cohere(
    worker: Worker, vendor: Vendor, answer: list[str] | dict[str, Any], *, path: str, **more: Any
) -> httpx.Response:
    """Send a request whose answer is a stream of events, or a whole one."""
    stream = isinstance(answer, list)
    vendor.kind = "text/event-stream" if stream else "application/json"
    vendor.body = ("".join(answer) if stream else json.dumps(answer)).encode()
    address = f"http://127.0.0.1:{vendor.server_port}/v2/chat"
    worker.apply(bundle(deployment("raw", "cohere_chat/command-a-03-2025", api_base=address)))
    body = BODY if path == "/v1/messages" else {"messages": BODY["messages"]}
    return worker.post(path, "raw", {**body, "stream": stream, **more})


def content(answer: httpx.Response) -> list[Any]:
    """The blocks of a stream, and why it ended."""
    blocks: list[Any] = []
    for kind, data in events(answer.text):
        if kind == "content_block_start":
            blocks.append([data["content_block"]["type"], ""])
        elif kind == "content_block_delta":
            delta = data["delta"]
            blocks[-1][1] += delta.get("text") or delta.get("thinking") or delta.get("partial_json") or ""
        elif kind == "message_delta":
            blocks.append(data["delta"]["stop_reason"])
    return blocks


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([START, *text("a b", " c"), end("COMPLETE")], [["text", "a b c"], "end_turn"]),
        ([START, *text("a b"), end("MAX_TOKENS")], [["text", "a b"], "max_tokens"]),
        ([START, *THOUGHT, *text("a", index=1), end("COMPLETE")], [["thinking", "hm"], ["text", "a"], "end_turn"]),
        (
            [START, PLAN, *call(0, "Paris"), *call(1, "Rome"), end("TOOL_CALL")],
            [["thinking", "hm"], ["tool_use", '{"city": "Paris"}'], ["tool_use", '{"city": "Rome"}'], "tool_use"],
        ),
    ],
    ids=["text", "limit", "thinking", "calls"],
)
def test_coheres_streams(worker: Worker, vendor: Vendor, answer: list[str], expected: list[Any]) -> None:
    found = ask_cohere(worker, vendor, answer, path="/v1/messages")
    assert found.status_code == 200, found.text
    assert content(found) == expected
    (usage,) = (data["usage"] for kind, data in events(found.text) if kind == "message_delta")
    assert (usage["input_tokens"], usage["output_tokens"]) == (7, 8)


def of_cohere(reason: str, **message: Any) -> dict[str, Any]:
    return {"id": "x", "finish_reason": reason, "message": {"role": "assistant", **message}, "usage": USAGE}


TEXT = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a b"}]
CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"city":"Paris"}'}}
THINKS, TALKS, LOOKS = "thinking", "text", "tool_use"


@pytest.mark.parametrize(
    ("answer", "kinds", "stop"),
    [
        (of_cohere("COMPLETE", content=TEXT), [THINKS, TALKS], "end_turn"),
        (of_cohere("MAX_TOKENS", content=TEXT), [THINKS, TALKS], "max_tokens"),
        (of_cohere("TOOL_CALL", tool_plan="hm", tool_calls=[CALL]), [THINKS, LOOKS], "tool_use"),
    ],
    ids=["text", "limit", "call"],
)
def test_coheres_whole_answers(
    worker: Worker, vendor: Vendor, answer: dict[str, Any], kinds: list[str], stop: str
) -> None:
    found = ask_cohere(worker, vendor, answer, path="/v1/messages").json()
    assert [block["type"] for block in found["content"]] == kinds
    assert found["stop_reason"] == stop
    assert (found["usage"]["input_tokens"], found["usage"]["output_tokens"]) == (7, 8)


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
@pytest.mark.parametrize(
    "answer",
    [
        [START, *text("a b"), end("ERROR")],
        [START, *text("a b")],
        [START, PLAN, *call(0, "Paris")],
        [START],
        of_cohere("ERROR", content=TEXT),
        of_cohere("TIMEOUT", content=TEXT),
    ],
    ids=["error", "cut", "cut behind a call", "empty", "whole error", "whole timeout"],
)
def test_a_failed_answer_of_coheres_is_not_a_complete_one(
    worker: Worker, vendor: Vendor, answer: list[str] | dict[str, Any], path: str
) -> None:
    try:
        found = ask_cohere(worker, vendor, answer, path=path)
    except httpx.RemoteProtocolError:
        return
    assert found.status_code == 502, found.text


LOOK, TALK = ({"name": name, "input_schema": TOOL["input_schema"]} for name in ("look", "talk"))


@pytest.mark.parametrize(
    ("choice", "word", "names"),
    [
        ({"type": "auto"}, None, ["look", "talk"]),
        ({"type": "any"}, "REQUIRED", ["look", "talk"]),
        ({"type": "none"}, "NONE", ["look", "talk"]),
        ({"type": "tool", "name": "talk"}, "REQUIRED", ["talk"]),
    ],
    ids=["auto", "any", "none", "one"],
)
def test_cohere_hears_which_tools_to_call(
    worker: Worker, vendor: Vendor, choice: dict[str, Any], word: str | None, names: list[str]
) -> None:
    answer = of_cohere("COMPLETE", content=TEXT)
    ask_cohere(worker, vendor, answer, path="/v1/messages", tools=[LOOK, TALK], tool_choice=choice)
    sent = json.loads(vendor.asked)
    assert (sent.get("tool_choice"), [tool["function"]["name"] for tool in sent["tools"]]) == (word, names)


NOVA, TITAN = "amazon.nova-pro-v1:0", "amazon.titan-text-express-v1"
LLAMA = "meta.llama2-13b-chat-v1"


def framed(kind: str, **event: Any) -> bytes:
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps(event).encode())


def piece(**document: Any) -> bytes:
    return framed("chunk", bytes=base64.b64encode(json.dumps(document).encode()).decode())


SAID = framed("contentBlockDelta", contentBlockIndex=0, delta={"text": "a b"})


def ask_bedrock(worker: Worker, vendor: Vendor, model: str, answer: bytes | dict[str, Any]) -> httpx.Response:
    """Send a request to one of Bedrock's models whose answer is a stream of frames, or a whole one."""
    stream = isinstance(answer, bytes)
    vendor.kind = "application/vnd.amazon.eventstream" if stream else "application/json"
    vendor.body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    keys = aws_keys(AWS_BEARER_TOKEN_BEDROCK="bedrock-api-key-0123456789")
    account = bedrock(baseURL=f"http://127.0.0.1:{vendor.server_port}")
    decided = gateway.bundle([keys, account, route(targets=[target(f"bedrock/{model}", "bedrock")])])
    worker.apply(decided)
    (only,) = json.loads(decided.gateway)["routes"][0]["targets"]
    plain = {"max_tokens": 50, "messages": BODY["messages"], "stream": stream}
    return worker.post("/v1/messages", only["id"], plain, model=model)


@pytest.mark.parametrize(
    ("model", "answer", "stop"),
    [
        (NOVA, SAID + framed("messageStop", stopReason="end_turn"), "end_turn"),
        (NOVA, SAID + framed("messageStop", stopReason="max_tokens"), "max_tokens"),
        (NOVA, SAID + framed("messageStop", stopReason="model_context_window_exceeded"), "max_tokens"),
        (TITAN, piece(outputText="a b") + piece(outputText="", completionReason="FINISH"), "end_turn"),
        (TITAN, piece(outputText="a b", completionReason="LENGTH"), "max_tokens"),
        (LLAMA, piece(generation="a b") + piece(generation="", stop_reason="stop"), "end_turn"),
        (LLAMA, piece(generation="a b", stop_reason="length"), "max_tokens"),
    ],
)
def test_bedrocks_streams(worker: Worker, vendor: Vendor, model: str, answer: bytes, stop: str) -> None:
    found = ask_bedrock(worker, vendor, model, answer)
    assert found.status_code == 200, found.text
    assert content(found) == [["text", "a b"], stop]


RESULT = {"tokenCount": 2, "outputText": "a b", "completionReason": "LENGTH"}


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        (TITAN, {"inputTextTokenCount": 1, "results": [RESULT]}),
        (LLAMA, {"generation": "a b", "prompt_token_count": 1, "generation_token_count": 2, "stop_reason": "length"}),
    ],
)
def test_bedrocks_whole_answers(worker: Worker, vendor: Vendor, model: str, answer: dict[str, Any]) -> None:
    found = ask_bedrock(worker, vendor, model, answer)
    assert found.status_code == 200, found.text
    assert found.json()["stop_reason"] == "max_tokens"


CONVERSED = {
    "output": {"message": {"role": "assistant", "content": [{"text": "a b"}]}},
    "stopReason": "malformed_model_output",
    "usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7},
    "metrics": {"latencyMs": 1},
}


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        (NOVA, SAID),
        (NOVA, SAID + framed("messageStop", stopReason="malformed_tool_use")),
        (NOVA, CONVERSED),
        (TITAN, piece(outputText="a b")),
        (LLAMA, piece(generation="a b")),
    ],
)
def test_a_failed_answer_of_bedrocks_is_not_a_complete_one(
    worker: Worker, vendor: Vendor, model: str, answer: bytes | dict[str, Any]
) -> None:
    try:
        found = ask_bedrock(worker, vendor, model, answer)
    except httpx.RemoteProtocolError:
        return
    assert found.status_code == 502, found.text


COUNTS = {"prompt_eval_count": 7, "eval_count": 8}
ERROR = {"error": "an error was encountered while running the model"}


def lines(*documents: dict[str, Any]) -> bytes:
    return "".join(json.dumps({"model": "m", **each}, ensure_ascii=False) + "\n" for each in documents).encode()


def talks(text: str, reason: str | None = None) -> dict[str, Any]:
    end = {} if reason is None else {"done_reason": reason, **COUNTS}
    return {"message": {"role": "assistant", "content": text}, "done": reason is not None, **end}


def writes(text: str, reason: str | None = None) -> dict[str, Any]:
    end = {} if reason is None else {"done_reason": reason, **COUNTS}
    return {"response": text, "done": reason is not None, **end}


def ask_ollama(worker: Worker, vendor: Vendor, provider: str, answer: bytes, *, stream: bool = True) -> httpx.Response:
    vendor.kind = "application/x-ndjson" if stream else "application/json"
    vendor.body = answer
    worker.apply(bundle(deployment("raw", f"{provider}/m", api_base=f"http://127.0.0.1:{vendor.server_port}")))
    plain = {"max_tokens": 50, "messages": BODY["messages"], "stream": stream}
    return worker.post("/v1/messages", "raw", plain)


@pytest.mark.parametrize(
    ("provider", "answer", "stop"),
    [
        ("ollama_chat", lines(talks("a b"), talks("", "stop")), "end_turn"),
        ("ollama_chat", lines(talks("a"), talks(" b", "length")), "max_tokens"),
        ("ollama", lines(writes("a b"), writes("", "stop")), "end_turn"),
        ("ollama", lines(writes("a b"), writes("", "length")).rstrip(), "max_tokens"),
    ],
)
def test_ollamas_streams(worker: Worker, vendor: Vendor, provider: str, answer: bytes, stop: str) -> None:
    found = ask_ollama(worker, vendor, provider, answer)
    assert found.status_code == 200, found.text
    assert content(found) == [["text", "a b"], stop]


@pytest.mark.parametrize(
    ("provider", "answer"), [("ollama_chat", talks("a b", "length")), ("ollama", writes("a b", "length"))]
)
def test_ollamas_whole_answers(worker: Worker, vendor: Vendor, provider: str, answer: dict[str, Any]) -> None:
    found = ask_ollama(worker, vendor, provider, lines(answer), stream=False)
    assert found.json()["stop_reason"] == "max_tokens", found.text


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("provider", "answer"),
    [
        ("ollama_chat", lines(talks("a b"))),
        ("ollama_chat", lines(talks("a b"), ERROR)),
        ("ollama_chat", lines(ERROR)),
        ("ollama", lines(writes("a b"))),
        ("ollama", lines(ERROR)),
        ("ollama", b"<html>sign in</html>"),
        ("ollama_chat", b""),
    ],
)
def test_a_failed_answer_of_ollamas_is_not_a_complete_one(
    worker: Worker, vendor: Vendor, provider: str, answer: bytes, stream: bool
) -> None:
    try:
        found = ask_ollama(worker, vendor, provider, answer, stream=stream)
    except httpx.RemoteProtocolError:
        return
    assert found.status_code >= 500 or '"end_turn"' not in found.text, found.text
    assert "litellm" not in found.text.lower()
    assert "{'" not in found.text
