"""What happens within a stream of OpenAI's Responses: thoughts that go back, failures, an end too soon."""

import json
from typing import Any

import httpx
import pytest
from tests.support.processes.worker import Worker, bundle, deployment, events

from claude_gateway_scripted.local import Scripted

HELLO: list[dict[str, Any]] = [{"role": "user", "content": "hello"}]
BODY: dict[str, Any] = {"max_tokens": 500, "messages": HELLO, "thinking": {"type": "adaptive"}}
BEGUN = {"id": "resp_1", "object": "response", "created_at": 1, "status": "in_progress", "model": "m", "output": []}
USAGE = {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12, "input_tokens_details": {"cached_tokens": 4}}
SUMMARY = [{"type": "summary_text", "text": "hm"}]
REASONED = {"id": "rs_1", "type": "reasoning", "summary": SUMMARY, "encrypted_content": "gAAA"}
SAID = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}


def event(kind: str, **values: Any) -> str:
    """One event on the wire."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': 0, **values})}\n\n"


CREATED = event("response.created", response=BEGUN)
TEXT = event("response.output_text.delta", output_index=1, content_index=0, item_id="msg_1", delta="hello")
COMPLETED = event("response.completed", response={**BEGUN, "status": "completed", "usage": USAGE})


def failed(code: str, message: str) -> str:
    return event("response.failed", response={**BEGUN, "status": "failed", "error": {"code": code, "message": message}})


@pytest.fixture(autouse=True)
def target(worker: Worker, upstream: Scripted) -> None:
    """The worker with a target that supports Responses."""
    worker.apply(bundle(deployment("codex", "openai/gpt-5-codex", api_base=upstream.openai_url)))


def raw(upstream: Scripted, *pieces: str) -> None:
    upstream.script({"raw": list(pieces), "headers": {"content-type": "text/event-stream"}})


def test_an_encrypted_thought_goes_back_with_the_history(worker: Worker, upstream: Scripted) -> None:
    added = event("response.output_item.added", output_index=0, item={**REASONED, "summary": []})
    done = event("response.output_item.done", output_index=0, item=REASONED)
    news = event("response.brand_new", anything=1)
    raw(
        upstream,
        CREATED,
        added,
        done,
        news,
        event("response.output_item.added", output_index=1, item=SAID),
        TEXT,
        COMPLETED,
    )
    found = events(worker.post("/v1/messages", "codex", {**BODY, "stream": True}).text)
    deltas = [data["delta"] for name, data in found if name == "content_block_delta"]
    assert [delta["type"] for delta in deltas] == ["thinking_delta", "signature_delta", "text_delta"]
    assert found[-2][1]["usage"]["cache_read_input_tokens"] == 4
    thought = {"type": "thinking", "thinking": "hm", "signature": deltas[1]["signature"]}
    said = {"role": "assistant", "content": [thought, {"type": "text", "text": "hello"}]}
    more = {"role": "user", "content": "more"}
    worker.post("/v1/messages", "codex", {**BODY, "messages": [*HELLO, said, more]}).raise_for_status()
    assert upstream.last.json["input"][1] == {"type": "reasoning", "summary": SUMMARY, "encrypted_content": "gAAA"}


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
@pytest.mark.parametrize(
    ("code", "words", "status"),
    [
        ("server_error", "The model is overloaded", 529),
        ("rate_limit_exceeded", "slow", 429),
        ("server_error", "x", 500),
    ],
)
def test_a_failure_before_the_first_word_has_its_status(
    worker: Worker, upstream: Scripted, path: str, code: str, words: str, status: int
) -> None:
    raw(upstream, CREATED, failed(code, words))
    answer = worker.post(path, "codex", {**BODY, "stream": True})
    assert (answer.status_code, answer.json()["error"]["message"]) == (status, words)


def test_too_long_a_prompt_is_said_within_the_stream(worker: Worker, upstream: Scripted) -> None:
    words = "Your input exceeds the context window of this model. Please adjust your input and try again."
    raw(upstream, CREATED, failed("context_length_exceeded", words))
    answer = worker.post("/v1/messages", "codex", {**BODY, "stream": True})
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, f"prompt is too long: {words}")


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_a_stream_that_ends_too_soon_breaks_on(worker: Worker, upstream: Scripted, path: str) -> None:
    raw(upstream, CREATED, event("response.output_item.added", output_index=1, item=SAID), TEXT)
    with worker.stream(path, "codex", {**BODY, "stream": True}) as answer, pytest.raises(httpx.RemoteProtocolError):
        answer.read()
