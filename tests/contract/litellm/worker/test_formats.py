"""Every format at targets of other formats, judged by the vendors' own SDKs and by the events on the wire."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
from tests.support.processes.worker import KEY, Worker, events, headers

from claude_gateway_scripted.journal import digest
from claude_gateway_scripted.local import Scripted

TOOL: Any = {
    "name": "get_weather",
    "description": "Tells the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
FUNCTION: Any = {
    "type": "function",
    "function": {"name": TOOL["name"], "description": TOOL["description"], "parameters": TOOL["input_schema"]},
}
HELLO: Any = [{"role": "user", "content": "hello"}]
CALLS: Any = {"text": "let me look", "tools": [["get_weather", {"city": "Paris"}]]}
PROVIDERS = ("vllm", "anthropic", "openai", "mistral")


@contextmanager
def claude(worker: Worker, target: str) -> Iterator[anthropic.Anthropic]:
    transport = httpx2.HTTPTransport(uds=str(worker.socket))
    with (
        httpx2.Client(transport=transport) as http,
        anthropic.Anthropic(
            api_key="x", base_url="http://w", max_retries=0, default_headers=headers(target, "m"), http_client=http
        ) as client,
    ):
        yield client


@contextmanager
def gpt(worker: Worker, target: str) -> Iterator[openai.OpenAI]:
    transport = httpx.HTTPTransport(uds=str(worker.socket))
    with (
        httpx.Client(transport=transport) as http,
        openai.OpenAI(
            api_key="x", base_url="http://w/v1", max_retries=0, default_headers=headers(target, "m"), http_client=http
        ) as client,
    ):
        yield client


@pytest.mark.parametrize("provider", PROVIDERS)
def test_messages(worker: Worker, upstream: Scripted, provider: str) -> None:
    upstream.script(CALLS)
    with claude(worker, provider) as client:
        answer = client.messages.create(model="m", max_tokens=50, messages=HELLO, tools=[TOOL])
    assert answer.id.startswith("msg_")
    assert answer.stop_reason == "tool_use"
    text, call = answer.content
    assert text.type == "text"
    assert text.text == "let me look"
    assert call.type == "tool_use"
    assert (call.name, call.input) == ("get_weather", {"city": "Paris"})
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens > 0
    assert upstream.last.credential == digest(KEY)
    assert "stop_sequence" in answer.model_fields_set


@pytest.mark.parametrize("provider", PROVIDERS)
def test_messages_streamed(worker: Worker, upstream: Scripted, provider: str) -> None:
    upstream.script(CALLS, CALLS)
    request: Any = {"max_tokens": 50, "messages": HELLO, "tools": [TOOL]}
    answer = worker.post("/v1/messages", provider, {**request, "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = events(answer.text)
    assert all(name == data["type"] for name, data in found)
    names = [name for name, _ in found if name != "content_block_delta"]
    block = ["content_block_start", "content_block_stop"]
    assert names == ["message_start", *block, *block, "message_delta", "message_stop"]
    start = found[0][1]["message"]
    assert start["id"].startswith("msg_")
    assert "/" not in start["model"]
    assert start["usage"] == {
        "input_tokens": 0,
        "output_tokens": 0,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    }
    closing = found[-2][1]
    assert closing["delta"] == {"stop_reason": "tool_use", "stop_sequence": None}
    # LiteLLM does not ask Mistral for counts: its servers send them unasked, and the scripted model does not.
    counted = provider != "mistral"
    assert bool(closing["usage"]["input_tokens"]) == bool(closing["usage"]["output_tokens"]) == counted
    with claude(worker, provider) as client, client.messages.stream(model="m", **request) as stream:
        message = stream.get_final_message()
    assert [block.type for block in message.content] == ["text", "tool_use"]
    assert message.content[1].to_dict()["input"] == {"city": "Paris"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_tool_round_trip_in_messages(worker: Worker, upstream: Scripted, provider: str) -> None:
    messages = [
        *HELLO,
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}]},
    ]
    worker.post("/v1/messages", provider, {"max_tokens": 50, "messages": messages, "tools": [TOOL]}).raise_for_status()
    assert "sunny" in upstream.last.body.decode()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_chat(worker: Worker, upstream: Scripted, provider: str) -> None:
    upstream.script(CALLS)
    with gpt(worker, provider) as client:
        answer = client.chat.completions.create(model="m", messages=HELLO, tools=[FUNCTION])
    assert answer.object == "chat.completion"
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    assert choice.message.tool_calls[0].to_dict()["function"] == {
        "name": "get_weather",
        "arguments": '{"city": "Paris"}',
    }
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    assert upstream.last.credential == digest(KEY)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("wanted", [True, False], ids=["usage", "no usage"])
def test_chat_streamed(worker: Worker, upstream: Scripted, provider: str, wanted: bool) -> None:
    upstream.script(CALLS)
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if wanted else {}
    body = {"messages": HELLO, "tools": [FUNCTION], "stream": True, **options}
    answer = worker.post("/v1/chat/completions", provider, body)
    found = [data for _, data in events(answer.text)]
    assert found.pop() == "[DONE]"
    assert all(chunk["object"] == "chat.completion.chunk" for chunk in found)
    assert len({chunk["id"] for chunk in found}) == 1
    deltas = [chunk["choices"][0]["delta"] for chunk in found if chunk["choices"]]
    assert "".join(delta.get("content", "") for delta in deltas) == "let me look"
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    assert "".join(call["function"]["arguments"] for call in calls) == '{"city": "Paris"}'
    last = found[-1]
    assert last["usage"]["completion_tokens"] > 0
    assert last["choices"] == [] if wanted else last["choices"][0]["finish_reason"] == "tool_calls"
    assert [chunk for chunk in found if not chunk["choices"]] == ([last] if wanted else [])


@pytest.mark.parametrize("provider", PROVIDERS)
def test_completions(worker: Worker, provider: str) -> None:
    with gpt(worker, provider) as client:
        whole = client.completions.create(model="m", prompt="hello")
        chunks = list(client.completions.create(model="m", prompt="hello", stream=True))
    assert whole.choices[0].text == "echo: hello"
    assert whole.id.startswith("cmpl-")
    assert "".join(chunk.choices[0].text for chunk in chunks) == "echo: hello"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None


@pytest.mark.parametrize("provider", PROVIDERS)
def test_responses(worker: Worker, upstream: Scripted, provider: str) -> None:
    upstream.script(CALLS)
    tool: Any = {"type": "function", **FUNCTION["function"]}
    with gpt(worker, provider) as client:
        answer = client.responses.create(model="m", input="hello", tools=[tool])
    assert answer.status == "completed"
    assert answer.output_text == "let me look"
    assert answer.output[-1].to_dict()["arguments"] == '{"city": "Paris"}'
    assert answer.usage is not None
    assert answer.usage.output_tokens > 0
    assert len(answer.id) == len("resp_") + 32


@pytest.mark.parametrize("provider", PROVIDERS)
def test_responses_streamed(worker: Worker, upstream: Scripted, provider: str) -> None:
    upstream.script({"text": "one two three"})
    answer = worker.post("/v1/responses", provider, {"input": "hello", "stream": True})
    found = events(answer.text)
    assert all(name == data["type"] for name, data in found)
    assert [data["sequence_number"] for _, data in found] == list(range(len(found)))
    assert (found[0][0], found[-1][0]) == ("response.created", "response.completed")
    deltas = [data["delta"] for name, data in found if name == "response.output_text.delta"]
    assert "".join(deltas) == "one two three"
    assert len(deltas) > 1
    assert len({data["response"]["id"] for _, data in found if "response" in data}) == 1
    assert found[-1][1]["response"]["usage"]["output_tokens"] > 0
    with gpt(worker, provider) as client, client.responses.stream(model="m", input="hello") as stream:
        assert stream.get_final_response().output_text == "echo: hello"


def test_responses_at_a_compatible_server_need_its_chat_only(worker: Worker, upstream: Scripted) -> None:
    worker.post("/v1/responses", "vllm", {"input": "hello"}).raise_for_status()
    assert upstream.last.path == "/v1/chat/completions"


@pytest.mark.parametrize("stream", [False, True])
def test_responses_of_codex_keep_reasoning_and_the_tools_in_their_input(
    worker: Worker, upstream: Scripted, stream: bool
) -> None:
    group = {"type": "namespace", "name": "functions", "tools": [{"type": "custom", "name": "exec"}]}
    items = [{"type": "additional_tools", "role": "developer", "tools": [group]}, {"role": "user", "content": "hello"}]
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "exec", "arguments": '{"content":"1"}'}}
    said = {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [call]}
    choice = {"index": 0, "message": said, "finish_reason": "tool_calls"}
    if stream:
        head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        chunk = {**head, "choices": [{"index": 0, "delta": said, "finish_reason": "tool_calls"}]}
        pieces = [f"data: {json.dumps(chunk)}\n\n", "data: [DONE]\n\n"]
        upstream.script({"raw": pieces, "headers": {"content-type": "text/event-stream"}})
    else:
        document = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        upstream.script({"raw": [json.dumps(document)], "headers": {"content-type": "application/json"}})
    answer = worker.post("/v1/responses", "vllm", {"input": items, "stream": stream}).raise_for_status()
    found = events(answer.text) if stream else []
    output = found[-1][1]["response"]["output"] if stream else answer.json()["output"]
    assert [tool["function"]["name"] for tool in upstream.last.json["tools"]] == ["exec"]
    reasoning, made = output
    assert reasoning["summary"] == [{"type": "summary_text", "text": "hm"}]
    assert (made["type"], made["namespace"], made["name"]) == ("custom_tool_call", "functions", "exec")
    names = [name for name, _ in found if "summary" in str(name)]
    assert not stream or names[:2] == ["response.reasoning_summary_part.added", "response.reasoning_summary_text.delta"]


@pytest.mark.parametrize("field", ["previous_response_id", "conversation", "prompt"])
def test_responses_that_need_a_memory_are_refused(worker: Worker, upstream: Scripted, field: str) -> None:
    answer = worker.post("/v1/responses", "vllm", {"input": "hello", field: "resp_1"})
    assert answer.status_code == 400
    assert field in answer.json()["error"]["message"]
    assert not upstream.requests


@pytest.mark.parametrize("provider", ["vllm", "openai", "mistral"])
def test_embeddings(worker: Worker, provider: str) -> None:
    with gpt(worker, provider) as client:
        answer = client.embeddings.create(model="m", input=["hello", "world"], encoding_format="float")
    assert [each.index for each in answer.data] == [0, 1]
    assert len(answer.data[0].embedding) > 1
    assert answer.usage.prompt_tokens > 0


def test_tokens_are_counted_where_the_provider_counts(worker: Worker, upstream: Scripted) -> None:
    answer = worker.post("/v1/messages/count_tokens", "anthropic", {"messages": HELLO, "tools": [TOOL]})
    assert answer.json()["input_tokens"] > 0
    assert upstream.last.path == "/v1/messages/count_tokens"


@pytest.mark.parametrize("provider", ["vllm", "openai", "anthropic"])
def test_tokens_are_never_estimated(worker: Worker, upstream: Scripted, provider: str) -> None:
    upstream.configure(count_tokens=500)
    try:
        answer = worker.post("/v1/messages/count_tokens", provider, {"messages": HELLO})
    finally:
        upstream.configure(count_tokens=200)
    assert answer.status_code == 501
    assert answer.headers["x-should-retry"] == "false"
    assert answer.json()["error"]["type"] == "not_supported_error"


def test_nothing_of_litellm_is_in_the_answers(worker: Worker) -> None:
    bodies = {
        "/v1/messages": {"max_tokens": 50, "messages": HELLO},
        "/v1/chat/completions": {"messages": HELLO},
        "/v1/completions": {"prompt": "hello"},
        "/v1/responses": {"input": "hello"},
    }
    for provider in PROVIDERS:
        for path, body in bodies.items():
            for stream in (False, True):
                answer = worker.post(path, provider, {**body, "stream": stream})
                everything = f"{answer.headers} {answer.text}".lower()
                for word in ("litellm", "provider_specific", "hidden_params", "bgl0zwxs", "response_cost"):
                    assert word not in everything, (provider, path, stream, word)


def test_the_clients_model_is_used_where_the_target_is_open(worker: Worker, upstream: Scripted) -> None:
    body = {"messages": HELLO}
    worker.post("/v1/chat/completions", "any", body, model="org/some-model:8b").raise_for_status()
    assert upstream.last.json["model"] == "org/some-model:8b"


@pytest.mark.parametrize("model", ["../../admin", "a/../b", "m?key=1", "m#x", "m%2e", "", "/m", "a b", "a//b"])
def test_the_clients_model_leads_nowhere_else(worker: Worker, upstream: Scripted, model: str) -> None:
    answer = worker.post("/v1/chat/completions", "any", {"messages": HELLO}, model=model)
    assert answer.status_code == 400
    assert not upstream.requests
