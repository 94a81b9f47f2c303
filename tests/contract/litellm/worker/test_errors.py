"""Upstreams' failures in the caller's envelope: status, type, words and ``retry-after`` as the upstream meant them."""

from typing import Any

import httpx
import pytest
from tests.support.processes.worker import KEY, Worker, bundle, deployment, events

from claude_gateway_scripted.local import Scripted

HELLO = [{"role": "user", "content": "hello"}]
MESSAGES: dict[str, Any] = {"max_tokens": 50, "messages": HELLO}
CHAT: dict[str, Any] = {"messages": HELLO}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/messages": MESSAGES,
    "/v1/chat/completions": CHAT,
    "/v1/completions": {"prompt": "hello"},
    "/v1/responses": {"input": "hello"},
}
TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "api_error",
    529: "overloaded_error",
}
PROVIDERS = ("vllm", "anthropic", "openai", "mistral")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("status", TYPES)
@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_early_failure_keeps_its_status_and_words(
    worker: Worker, upstream: Scripted, provider: str, status: int, stream: bool
) -> None:
    if (provider, status) == ("openai", 422):
        return  # LiteLLM tries once more without the parameters that a 422 complains of
    words = 'scripted {failure} isn\'t "good"'
    upstream.script({"status": status, "error_message": words, "headers": {"retry-after": "7"}, "times": 2})
    for path, body in (("/v1/messages", MESSAGES), ("/v1/chat/completions", CHAT)):
        answer = worker.post(path, provider, {**body, "stream": stream})
        assert answer.status_code == status
        error = answer.json()["error"]
        assert error["message"] == words
        assert answer.headers["retry-after"] == "7"
        if path == "/v1/messages":
            assert answer.json()["type"] == "error"
            assert error["type"] == TYPES[status]
        else:
            assert set(error) == {"message", "type", "param", "code"}
    assert upstream.pending == 0, "LiteLLM must try once: retries are the gateway's"
    assert len(upstream.requests) == 2


@pytest.mark.parametrize(
    "words",
    [
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 140000 tokens.",
        "prompt is too long: 140000 tokens > 128000 maximum",
        "Input of 140000 tokens exceeds the context window of 128000 tokens",
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_too_long_a_prompt_is_said_as_claude_code_knows_it(
    worker: Worker, upstream: Scripted, provider: str, stream: bool, words: str
) -> None:
    upstream.script({"status": 400, "error_message": words, "times": 2})
    answer = worker.post("/v1/messages", provider, {**MESSAGES, "stream": stream})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error == {"type": "invalid_request_error", "message": "prompt is too long: 140000 tokens > 128000 maximum"}
    answer = worker.post("/v1/chat/completions", provider, {**CHAT, "stream": stream})
    assert answer.json()["error"]["code"] == "context_length_exceeded"
    assert answer.json()["error"]["message"] == words


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/messages", MESSAGES), ("/v1/chat/completions", CHAT), ("/v1/responses", {"input": "hello"})],
)
def test_a_failure_within_a_stream_is_an_event(
    worker: Worker, upstream: Scripted, provider: str, path: str, body: dict[str, Any]
) -> None:
    upstream.script({"text": "one two three four", "midstream": "error", "midstream_after": 2})
    answer = worker.post(path, provider, {**body, "stream": True})
    assert answer.status_code == 200
    found = events(answer.text)
    name, last = found[-1]
    assert "[DONE]" not in answer.text
    assert "response.completed" not in answer.text
    assert "message_stop" not in answer.text
    if path == "/v1/messages":
        assert name == "error"
        assert last["type"] == "error"
        assert last["error"]["type"] in ("overloaded_error", "api_error")
    elif path == "/v1/responses":
        assert name == "error"
        assert last["type"] == "error"
    else:
        assert set(last["error"]) == {"message", "type", "param", "code"}
    assert "litellm" not in answer.text.lower()


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/messages", MESSAGES), ("/v1/chat/completions", CHAT), ("/v1/responses", {"input": "hello"})],
)
def test_a_connection_that_breaks_within_a_stream_breaks_on(
    worker: Worker, upstream: Scripted, provider: str, path: str, body: dict[str, Any]
) -> None:
    upstream.script({"text": "one two three four", "midstream": "drop", "midstream_after": 2})
    parts: list[bytes] = []
    with worker.stream(path, provider, {**body, "stream": True}) as answer:
        assert answer.status_code == 200
        with pytest.raises(httpx.RemoteProtocolError):
            parts.extend(answer.iter_raw())
    came = b"".join(parts)
    assert b"one" in came
    for end in (b"[DONE]", b"response.completed", b"message_stop", b"event: error", b'{"error"'):
        assert end not in came


def test_an_overloaded_claude_within_a_stream_is_overloaded(worker: Worker, upstream: Scripted) -> None:
    upstream.script(
        {"text": "one two three", "midstream": "error", "error_type": "overloaded_error", "error_message": "Overloaded"}
    )
    answer = worker.post("/v1/messages", "anthropic", {**MESSAGES, "stream": True})
    assert events(answer.text)[-1][1]["error"]["type"] == "overloaded_error"


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("provider", ["hosted_vllm", "anthropic", "openai", "gemini"])
def test_an_upstream_that_is_not_there(worker: Worker, provider: str, path: str, stream: bool) -> None:
    targets = [deployment("gone", f"{provider}/m", api_base="http://127.0.0.1:9/v1")]
    worker.apply(bundle(*targets))
    answer = worker.post(path, "gone", {**BODIES[path], "stream": stream})
    assert answer.status_code == 502
    assert "127.0.0.1" not in answer.text
    assert answer.json()["error"]["message"] == "the upstream gave no answer: it refused the connection"


def test_a_key_in_an_upstreams_words_goes_no_further(worker: Worker, upstream: Scripted) -> None:
    worker.apply(bundle(deployment("vllm", "hosted_vllm/m", api_base=upstream.openai_url)))
    words = f"no such key {KEY}, see https://user:pass@example.com/x?key={KEY}"
    upstream.script({"status": 400, "error_message": words})
    answer = worker.post("/v1/chat/completions", "vllm", CHAT)
    assert answer.json()["error"]["message"] == "no such key [key], see https://example.com/x"
    assert KEY not in worker.process.output


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions", "/v1/responses"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_model_that_does_not_think_is_not_told_to(
    worker: Worker, upstream: Scripted, path: str, stream: bool
) -> None:
    ident = f"thoughtless{path}{stream}"
    worker.apply(bundle(deployment(ident, "hosted_vllm/m", api_base=upstream.openai_url)))
    efforts: dict[str, dict[str, Any]] = {
        "/v1/messages": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}},
        "/v1/chat/completions": {"reasoning_effort": "medium"},
        "/v1/responses": {"reasoning": {"effort": "medium"}},
    }
    upstream.script({"status": 400, "error_message": '"llama3.2" does not support thinking'})
    for _ in range(2):
        answer = worker.post(path, ident, {**BODIES[path], **efforts[path], "stream": stream})
        assert answer.status_code == 200
    assert [each.json.get("reasoning_effort") for each in upstream.requests] == ["medium", None, None]


def test_what_one_model_refuses_is_said_to_the_others(worker: Worker, upstream: Scripted) -> None:
    worker.apply(bundle(deployment("many", "hosted_vllm/*", api_base=upstream.openai_url)))
    upstream.script({"status": 400, "error_message": "thinking is not supported by this model"})
    asked = {**CHAT, "reasoning_effort": "low"}
    for model in ("small", "small", "large"):
        assert worker.post("/v1/chat/completions", "many", asked, model=model).status_code == 200
    assert [(each.json["model"], each.json.get("reasoning_effort")) for each in upstream.requests] == [
        ("small", "low"),
        ("small", None),
        ("small", None),
        ("large", "low"),
    ]
    metrics = worker.http.get("/metrics").text
    assert 'claude_gateway_repairs_total{cause="refused",repair="thinking"}' in metrics
    assert 'claude_gateway_repairs_total{cause="known",repair="thinking"}' in metrics
    (line,) = (line for line in worker.process.output.splitlines() if '"repair_learned"' in line and '"many"' in line)
    assert '"model": "hosted_vllm/small"' in line


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_conflict_within_one_request_is_not_held_against_the_next(
    worker: Worker, upstream: Scripted, stream: bool
) -> None:
    ident = f"conflict{stream}"
    worker.apply(bundle(deployment(ident, "hosted_vllm/m", api_base=upstream.openai_url)))
    upstream.script({"status": 400, "error_message": "Thinking may not be enabled when tool_choice forces tool use."})
    for _ in range(2):
        asked = {**CHAT, "reasoning_effort": "low", "stream": stream}
        assert worker.post("/v1/chat/completions", ident, asked).status_code == 200
    assert [each.json.get("reasoning_effort") for each in upstream.requests] == ["low", None, "low"]


def test_another_complaint_is_the_callers(worker: Worker, upstream: Scripted) -> None:
    worker.apply(bundle(deployment("strict", "hosted_vllm/m", api_base=upstream.openai_url)))
    upstream.script({"status": 400, "error_message": "messages: too few"})
    answer = worker.post("/v1/chat/completions", "strict", {**CHAT, "reasoning_effort": "low"})
    assert answer.status_code == 400
    assert len(upstream.requests) == 1
