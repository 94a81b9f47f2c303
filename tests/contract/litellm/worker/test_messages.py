"""Messages through formats that are not Messages: what must reach the model, and what must come back."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.processes.worker import Worker, bundle, deployment, events, headers

from claude_gateway_scripted.local import Scripted

HELLO: list[dict[str, Any]] = [{"role": "user", "content": "hello"}]
BODY: dict[str, Any] = {"max_tokens": 500, "messages": HELLO}
LONG = "mcp__a-server-with-a-long-name__a.tool with a name of more than sixty-four characters"
TOOL: dict[str, Any] = {"name": LONG, "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
FUNCTION = {"type": "function", "function": {"name": "get_weather", "parameters": TOOL["input_schema"]}}
THINKING: dict[str, Any] = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}
PROVIDERS = ("vllm", "openai", "mistral")


@pytest.fixture(autouse=True)
def targets(worker: Worker, upstream: Scripted) -> None:
    """The worker with a target per provider, as other modules have left it with others."""
    worker.apply(
        bundle(
            deployment("vllm", "hosted_vllm/m", api_base=upstream.openai_url),
            deployment("openai", "openai/gpt-5-codex", api_base=upstream.openai_url),
            deployment("mistral", "mistral/m", api_base=upstream.openai_url),
        )
    )


@pytest.fixture
def responses_only(upstream: Scripted) -> Iterator[None]:
    """An upstream that knows the model in Responses only, as OpenAI's for gpt-5-codex."""
    words = "This is not a chat model and thus not supported in the v1/chat/completions endpoint."
    upstream.script({"status": 404, "error_message": words, "match": '"messages"', "times": 100})
    yield
    assert {request.path for request in upstream.requests} == {"/v1/responses"}


@pytest.mark.usefixtures("responses_only")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_model_that_speaks_responses_only_answers_messages(worker: Worker, upstream: Scripted, stream: bool) -> None:
    upstream.script({"text": "let me look", "thinking": "hm hm", "tools": [["n", {"city": "Paris"}]]})
    answer = worker.post("/v1/messages", "openai", {**BODY, "tools": [TOOL], **THINKING, "stream": stream})
    assert answer.status_code == 200, answer.text
    assert "let " in answer.text
    assert "hm " in answer.text
    assert '"tool_use"' in answer.text
    sent = upstream.last.json
    assert (sent["model"], sent["store"]) == ("gpt-5-codex", False)
    assert sent["reasoning"] == {"effort": "high", "summary": "auto"}
    assert sent["include"] == ["reasoning.encrypted_content"]
    assert sent["tools"][0]["strict"] is False


@pytest.mark.usefixtures("responses_only")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_model_that_speaks_responses_only_answers_chat(worker: Worker, upstream: Scripted, stream: bool) -> None:
    upstream.script({"tools": [["get_weather", {"city": "Paris"}], ["get_weather", {"city": "Rome"}]]})
    options = {"stream_options": {"include_usage": True}} if stream else {}
    body = {"messages": HELLO, "tools": [FUNCTION], "reasoning_effort": "low", "stream": stream, **options}
    answer = worker.post("/v1/chat/completions", "openai", body)
    assert answer.status_code == 200, answer.text
    if stream:
        found = [data for _, data in events(answer.text)]
        assert found.pop() == "[DONE]"
        calls = [
            call for chunk in found for choice in chunk["choices"] for call in choice["delta"].get("tool_calls", ())
        ]
        arguments = ["".join(c["function"].get("arguments") or "" for c in calls if c["index"] == at) for at in (0, 1)]
        assert found[-1]["usage"]["completion_tokens"] > 0
    else:
        (choice,) = answer.json()["choices"]
        assert choice["finish_reason"] == "tool_calls"
        arguments = [call["function"]["arguments"] for call in choice["message"]["tool_calls"]]
        assert answer.json()["usage"]["prompt_tokens_details"]["cached_tokens"] == 3
    assert arguments == ['{"city": "Paris"}', '{"city": "Rome"}']
    assert upstream.last.json["reasoning"]["effort"] == "low"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_tools_long_name_goes_out_short_and_comes_back(worker: Worker, upstream: Scripted, provider: str) -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": LONG, "input": {"city": "Paris"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}
    history = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    body = {**BODY, "messages": [*HELLO, *history], "tools": [TOOL], "tool_choice": {"type": "tool", "name": LONG}}
    answer = worker.post("/v1/messages", provider, body)
    assert answer.status_code == 200, answer.text
    (again,) = answer.json()["content"]
    assert (again["type"], again["name"]) == ("tool_use", LONG)
    assert LONG not in upstream.last.body.decode()
    streamed = worker.post("/v1/messages", provider, {**body, "stream": True})
    assert events(streamed.text)[1][1]["content_block"]["name"] == LONG


@pytest.mark.parametrize("provider", PROVIDERS)
def test_parallel_calls_can_be_forbidden(worker: Worker, upstream: Scripted, provider: str) -> None:
    calls = [[LONG, {"city": "Paris"}], [LONG, {"city": "Rome"}]]
    upstream.script({"tools": calls}, {"tools": calls})
    body = {**BODY, "tools": [TOOL]}
    both = worker.post("/v1/messages", provider, body).json()["content"]
    one = worker.post(
        "/v1/messages", provider, {**body, "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
    ).json()["content"]
    assert (len(both), len(one)) == (2, 1)
    assert upstream.last.json["parallel_tool_calls"] is False


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_more_output_than_a_model_gives_is_asked_once(worker: Worker, upstream: Scripted, stream: bool) -> None:
    ident = f"little-{stream}"
    worker.apply(bundle(deployment(ident, "hosted_vllm/m", api_base=upstream.openai_url)))
    words = "max_tokens is too large: 32000. This model supports at most 16384 completion tokens."
    upstream.script({"status": 400, "error_message": words})
    for _ in range(2):
        body = {**BODY, "max_tokens": 32000, "stream": stream}
        assert worker.post("/v1/messages", ident, body).status_code == 200
    assert [request.json["max_tokens"] for request in upstream.requests] == [32000, 16384, 16384]


def test_a_prompt_that_leaves_less_room_is_asked_again(worker: Worker, upstream: Scripted) -> None:
    words = (
        "This model's maximum context length is 32768 tokens. However, you requested 33000 tokens (1000 in the "
        "messages, 32000 in the completion). Please reduce the length of the messages or completion."
    )
    upstream.script({"status": 400, "error_message": words})
    assert worker.post("/v1/messages", "vllm", {**BODY, "max_tokens": 32000}).status_code == 200
    assert worker.post("/v1/messages", "vllm", {**BODY, "max_tokens": 32000}).status_code == 200
    assert [request.json["max_tokens"] for request in upstream.requests] == [32000, 31768, 32000]


def test_the_upstreams_own_request_id_comes_through(worker: Worker, upstream: Scripted) -> None:
    for step in ({}, {"status": 429}, {"status": 529}):
        for stream in (False, True):
            upstream.script({**step, "headers": {"x-request-id": "req_of_upstream"}})
            answer = worker.post("/v1/messages", "vllm", {**BODY, "stream": stream})
            assert answer.headers["request-id"] == "req_of_upstream", (step, stream)


def test_openai_counts_its_own_tokens(worker: Worker, upstream: Scripted) -> None:
    answer = worker.post("/v1/messages/count_tokens", "openai", {"messages": HELLO, "tools": [TOOL], "system": "s"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["input_tokens"] > 0
    assert "mcp__a-server" in upstream.last.body.decode()
    assert upstream.last.path == "/v1/responses/input_tokens"


def test_a_failure_bears_the_gateways_id_where_the_upstream_gave_none(worker: Worker) -> None:
    fields = {**headers("vllm", "m"), "x-request-id": "req_of_the_gateway"}
    answer = worker.http.post("/v1/messages/count_tokens", headers=fields, json={"messages": HELLO})
    assert (answer.status_code, answer.headers["x-should-retry"]) == (501, "false")
    assert answer.json()["request_id"] == "req_of_the_gateway"
