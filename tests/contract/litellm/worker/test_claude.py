"""OpenAI's clients at a Claude: what they may ask for reaches Anthropic, and what it says comes in OpenAI's shape."""

from typing import Any

import pytest
from tests.support.processes.worker import KEY, Worker, bundle, deployment, events

from claude_gateway.contract.bundle import secret_entry
from claude_gateway_scripted import digest
from claude_gateway_scripted.local import Scripted

HELLO: list[dict[str, Any]] = [{"role": "user", "content": "hello"}]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
FUNCTION: dict[str, Any] = {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {}}}}
USAGE = {"usage": {"input": 100, "cache_read": 40, "cache_write": 7, "output": 9}}
CHAT, RESPONSES = "/v1/chat/completions", "/v1/responses"


@pytest.fixture(autouse=True)
def targets(worker: Worker, upstream: Scripted) -> None:
    """The worker with an older and a newer Claude."""
    worker.apply(
        bundle(
            deployment("older", "anthropic/claude-sonnet-4-5", api_base=upstream.url),
            deployment("newer", "anthropic/claude-opus-5-5", api_base=upstream.url),
        )
    )


def test_tools_and_images(worker: Worker, upstream: Scripted) -> None:
    url = f"data:image/png;base64,{PIXEL}"
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": url}}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    options = {"tool_choice": "required", "parallel_tool_calls": False, "stop": ["END"]}
    body = {"messages": messages, "tools": [{"type": "function", "function": FUNCTION}], **options}
    (choice,) = worker.post(CHAT, "older", body).json()["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"]["name"] == "get_weather"
    sent = upstream.last.json
    assert sent["system"] == [{"type": "text", "text": "be brief"}]
    assert sent["messages"][0]["content"][1]["source"]["data"] == PIXEL
    assert sent["messages"][1]["content"][0]["input"] == {"city": "Paris"}
    assert sent["messages"][2]["content"][0]["content"] == "sunny"
    assert sent["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert sent["stop_sequences"] == ["END"]


def test_effort(worker: Worker, upstream: Scripted) -> None:
    upstream.script({"thinking": "hm", "text": "a"}, {"thinking": "hm", "text": "a"})
    body = {"messages": HELLO, "reasoning_effort": "high", "max_completion_tokens": 20000}
    for target in ("older", "newer"):
        (choice,) = worker.post(CHAT, target, body).json()["choices"]
        assert choice["message"]["reasoning_content"] == "hm"
    older, newer = (request.json for request in upstream.requests)
    assert older["thinking"]["type"] == "enabled"
    assert (newer["thinking"]["type"], newer["output_config"]["effort"]) == ("adaptive", "high")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("path", [CHAT, RESPONSES])
def test_a_schema_for_the_answer(worker: Worker, upstream: Scripted, path: str, stream: bool) -> None:
    named = {"name": "x", "schema": SCHEMA, "strict": True}
    body: dict[str, Any] = {"messages": HELLO, "response_format": {"type": "json_schema", "json_schema": named}}
    if path == RESPONSES:
        body = {"input": "hello", "text": {"format": {"type": "json_schema", **named}}}
    answer = worker.post(path, "newer", {**body, "stream": stream})
    assert answer.status_code == 200, answer.text
    assert "scripted" in answer.text
    assert upstream.last.json["output_format"] == {"type": "json_schema", "schema": SCHEMA}


def test_counts_with_what_was_cached(worker: Worker, upstream: Scripted) -> None:
    upstream.script({"text": "a", **USAGE}, {"text": "a", **USAGE}, {"text": "a", **USAGE})
    whole = worker.post(CHAT, "newer", {"messages": HELLO}).json()["usage"]
    options = {"stream": True, "stream_options": {"include_usage": True}}
    *_, (_, last), _ = events(worker.post(CHAT, "newer", {"messages": HELLO, **options}).text)
    assert last["choices"] == []
    for usage in (whole, last["usage"]):
        assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (147, 9, 156)
        assert usage["prompt_tokens_details"]["cached_tokens"] == 40
    usage = worker.post(RESPONSES, "newer", {"input": "hello"}).json()["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (147, 9)
    assert usage["input_tokens_details"]["cached_tokens"] == 40


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ({"text": "a"}, "stop"),
        ({"stop_reason": "max_tokens"}, "length"),
        ({"stop_reason": "refusal"}, "content_filter"),
    ],
)
def test_why_it_ended(worker: Worker, upstream: Scripted, step: dict[str, Any], reason: str) -> None:
    upstream.script(step, step)
    (choice,) = worker.post(CHAT, "newer", {"messages": HELLO}).json()["choices"]
    assert choice["finish_reason"] == reason
    streamed = events(worker.post(CHAT, "newer", {"messages": HELLO, "stream": True}).text)
    assert streamed[-2][1]["choices"][0]["finish_reason"] == reason


@pytest.mark.parametrize("path", [CHAT, RESPONSES])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_an_overload_keeps_status_time_and_id(worker: Worker, upstream: Scripted, path: str, stream: bool) -> None:
    upstream.script({"status": 529, "headers": {"retry-after": "3", "request-id": "req_x"}})
    body = {"messages": HELLO} if path == CHAT else {"input": "hello"}
    answer = worker.post(path, "newer", {**body, "stream": stream})
    assert (answer.status_code, answer.headers["retry-after"], answer.headers["request-id"]) == (529, "3", "req_x")
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


LOGIN = "sk-ant-oat01-" + "a1B2" * 10
LOGIN_ENTRY = secret_entry("login", LOGIN.encode())


def test_a_login_goes_along_to_the_claude_code_backend(worker: Worker, upstream: Scripted) -> None:
    there = deployment("mine", "claude-code/sonnet", api_base=upstream.url).model_copy(update={"login": LOGIN_ENTRY})
    worker.apply(bundle(there, secrets={LOGIN_ENTRY: LOGIN.encode()}))
    bodies: dict[str, Any] = {CHAT: {"messages": HELLO}, RESPONSES: {"input": "hello"}}
    for path, body in bodies.items():
        for stream in (False, True):
            more = {"stream": stream, "extra_headers": {"x-claude-code-login": "another", "x-evil": "1"}}
            assert worker.post(path, "mine", {**body, **more}).status_code == 200
            headers = {name.lower(): value for name, value in upstream.last.headers}
            assert headers["x-claude-code-login"] == LOGIN
            assert headers["x-api-key"] == digest(KEY)
            assert "x-evil" not in headers
    upstream.script({"status": 401, "error_message": f"no {LOGIN}"})
    answer = worker.post(CHAT, "mine", {"messages": HELLO})
    assert answer.status_code >= 400
    assert LOGIN not in answer.text
