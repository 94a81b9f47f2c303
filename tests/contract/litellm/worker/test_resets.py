"""A 429 behind LiteLLM names the time to come back in ``retry-after``, wherever the provider names it."""

import json
from typing import Any

import pytest
from tests.support.processes.worker import Worker, bundle, deployment

from claude_gateway_scripted.local import Scripted

HELLO = [{"role": "user", "content": "hello"}]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/messages": {"max_tokens": 50, "messages": HELLO},
    "/v1/chat/completions": {"messages": HELLO},
    "/v1/responses": {"input": "hello"},
}
RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "20s"}
HELP = {"@type": "type.googleapis.com/google.rpc.Help", "links": [{"description": "Learn more", "url": "https://x"}]}
GOOGLE = {"error": {"code": 429, "message": "Quota exceeded.", "status": "RESOURCE_EXHAUSTED"}}


def used_up(reset: str) -> dict[str, str]:
    return {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": reset}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("provider", ["vllm", "openai", "mistral", "anthropic"])
@pytest.mark.parametrize(
    ("step", "seconds"),
    [
        ({"headers": used_up("1m6s")}, "66"),
        ({"headers": used_up("120ms")}, "1"),
        ({"headers": {"x-ratelimit-reset-tokens": "6s"}}, "6"),
        ({"headers": {"retry-after-ms": "1500"}}, "2"),
        (
            {
                "headers": {
                    "anthropic-ratelimit-tokens-remaining": "0",
                    "anthropic-ratelimit-tokens-reset": "2019-01-01T00:00:00Z",
                }
            },
            "0",
        ),
        ({"error_message": "Rate limit reached. Please try again in 20s."}, "20"),
        ({"headers": {"retry-after": "7", **used_up("1m6s")}, "error_message": "Please try again in 20s."}, "7"),
        ({"error_message": "slow down"}, None),
    ],
    ids=["reset", "milliseconds", "only a reset", "retry-after-ms", "over", "words", "retry-after", "nothing"],
)
def test_in_headers_and_words(
    worker: Worker, upstream: Scripted, provider: str, step: dict[str, Any], seconds: str | None, stream: bool
) -> None:
    for path, body in BODIES.items():
        upstream.script({"status": 429, **step})
        answer = worker.post(path, provider, {**body, "stream": stream})
        assert (answer.status_code, answer.headers.get("retry-after")) == (429, seconds), path
    assert upstream.pending == 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("listed", [False, True], ids=["object", "list"])
def test_in_googles_retry_info(worker: Worker, upstream: Scripted, stream: bool, listed: bool) -> None:
    worker.apply(bundle(deployment("gemini", "gemini/gemini-2.5-pro", api_base=f"{upstream.url}/v1beta")))
    error = {"error": {**GOOGLE["error"], "details": [HELP, RETRY_INFO]}}
    for path, body in BODIES.items():
        upstream.script({"status": 429, "raw": [json.dumps([error] if listed else error, indent=2)]})
        answer = worker.post(path, "gemini", {**body, "stream": stream})
        assert (answer.status_code, answer.headers.get("retry-after")) == (429, "20"), path
        assert answer.json()["error"]["message"] == "Quota exceeded."
