"""What a client could try with fields of a body: none redirects, adds headers, swaps keys or reads the environment."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from tests.support.processes.worker import KEY, Worker

from claude_gateway_scripted.journal import digest
from claude_gateway_scripted.local import Scripted

HELLO = [{"role": "user", "content": "hello"}]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/messages": {"max_tokens": 50, "messages": HELLO},
    "/v1/chat/completions": {"messages": HELLO},
    "/v1/completions": {"prompt": "hello"},
    "/v1/responses": {"input": "hello"},
    "/v1/embeddings": {"input": ["hello"]},
    "/v1/messages/count_tokens": {"messages": HELLO},
}
UNSERVED = {("/v1/messages/count_tokens", target) for target in ("vllm", "openai", "mistral")}
UNSERVED.add(("/v1/embeddings", "anthropic"))
CANARY = "canary-of-the-client"
IMPORTS = True


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Scripted]:
    with Scripted() as scripted:
        yield scripted


NAMES: Final = [
    "api_key",
    "api_version",
    "api_type",
    "organization",
    "project",
    "deployment_id",
    "mock_response",
    "langfuse_public_key",
    "langfuse_secret_key",
    "shared_session",
    "client",
    "hf_model_name",
    "litellm_call_id",
    "litellm_credential_name",
    "litellm_session_id",
    "litellm_trace_id",
    "prompt_id",
    "aws_access_key_id",
    "vertex_credentials",
    "vertex_project",
    "azure_ad_token",
    "azure_ad_token_provider",
    "tenant_id",
    "text_format",
    "evil",
]
ADDRESSES: Final = ("api_base", "base_url", "langfuse_host", "aws_bedrock_runtime_endpoint")
SWITCHES: Final = {
    "mock_timeout": True,
    "caching": True,
    "drop_params": False,
    "ssl_verify": False,
    "acompletion": True,
    "use_chat_completions_api": False,
    "use_in_pass_through": True,
    "merge_reasoning_content_in_choices": True,
    "_skip_mcp_handler": False,
    "no-log": True,
}
NUMBERS: Final = {
    "num_retries": 7,
    "max_retries": 7,
    "timeout": 0.0001,
    "request_timeout": 0.0001,
    "stream_timeout": 0.0001,
    "input_cost_per_token": 1,
}
STRUCTURES: Final = {
    "custom_llm_provider": "anthropic",
    "extra_headers": {"x-evil": CANARY},
    "headers": {"x-evil": CANARY, "authorization": f"Bearer {CANARY}"},
    "default_headers": {"x-evil": CANARY},
    "provider_specific_header": {"custom_llm_provider": "hosted_vllm", "extra_headers": {"x-evil": CANARY}},
    "extra_body": {"evil": CANARY},
    "extra_query": {"evil": CANARY},
    "context_window_fallback_dict": {"m": "openai/x"},
    "mock_tool_calls": [],
    "callbacks": ["langfuse"],
    "success_callback": ["langfuse"],
    "cache": {"no-store": False},
    "additional_drop_params": ["messages"],
    "allowed_openai_params": ["evil"],
    "metadata": {"evil": CANARY, "user_api_key": CANARY, "model_group": CANARY, "user_id": CANARY},
    "litellm_metadata": {"evil": CANARY},
    "litellm_logging_obj": {},
    "litellm_router": {},
    "model_info": {"supported_endpoints": ["/v1/messages"], "evil": CANARY},
    "proxy_server_request": {"headers": {"x-evil": CANARY}},
    "secret_fields": {"raw_headers": {"authorization": CANARY}},
    "user_continue_message": {"role": "user", "content": CANARY},
    "prompt_variables": {},
    "context_management": {"edits": [{"type": "compact_20260112", "trigger": {"value": 1}}]},
    "container": {"id": CANARY},
}


def attacks(url: str) -> dict[str, Any]:
    """Every known keyword of LiteLLM's that steers a call, set to something that would show."""
    return {
        **dict.fromkeys(NAMES, CANARY),
        **dict.fromkeys(ADDRESSES, url),
        **SWITCHES,
        **NUMBERS,
        **STRUCTURES,
        "model_list": [{"model_name": "m", "litellm_params": {"model": "openai/x", "api_base": url}}],
        "fallbacks": [{"model": "openai/x", "api_base": url, "api_key": CANARY}],
        "proxies": {"http": url},
        "litellm_params": {"api_base": url},
        "mcp_servers": [{"type": "url", "url": url, "name": "evil"}],
    }


@pytest.mark.parametrize("target", ["vllm", "anthropic", "openai", "mistral"])
@pytest.mark.parametrize("path", BODIES)
def test_no_field_steers_litellm(
    worker: Worker, upstream: Scripted, elsewhere: Scripted, path: str, target: str
) -> None:
    worker.post(path, target, BODIES[path])
    clean = [(each.path, each.query, each.credential, each.body) for each in upstream.requests]
    assert clean or (path, target) in UNSERVED
    upstream.forget()
    fields = attacks(elsewhere.url)
    for name, value in fields.items():
        answer = worker.post(path, target, {**BODIES[path], name: value})
        seen = [(each.path, each.query, each.credential, each.body) for each in upstream.requests]
        assert seen == clean, name
        assert CANARY not in f"{answer.headers}{answer.text}", name
        assert all(CANARY not in value for each in upstream.requests for _, value in each.headers), name
        upstream.forget()
    worker.post(path, target, {**fields, **BODIES[path]})
    assert [each.body for each in upstream.requests] == [body for *_, body in clean]
    assert not elsewhere.requests


@pytest.mark.parametrize("path", [path for path in BODIES if "count" not in path])
@pytest.mark.parametrize("reference", ["os.environ/CANARY", "oidc/file/etc/hostname"])
def test_no_reference_is_resolved(worker: Worker, upstream: Scripted, path: str, reference: str) -> None:
    texts = {"system", "user", "prompt", "input", "instructions", "reasoning_effort", "stop", "suffix"}
    for name in sorted(texts):
        worker.post(path, "vllm", {**BODIES[path], name: reference})
        nested = {"role": "user", "content": reference}
        worker.post(path, "vllm", {**BODIES[path], "messages": [nested]})
    for each in upstream.requests:
        assert b"canary-of-the-environment" not in each.body
        # A text within a message is content, and stays what it is.
        assert (
            reference not in {k: v for k, v in each.json.items() if k not in ("messages", "contents", "input")}.values()
        )
    answer = worker.post("/v1/messages", "vllm", {**BODIES["/v1/messages"], "system": reference})
    assert answer.status_code == 400


@pytest.mark.parametrize("target", ["keyless", "keyless-openai", "keyless-mistral", "keyless-anthropic", "openai"])
def test_the_environments_keys_are_nobodys(worker: Worker, upstream: Scripted, target: str) -> None:
    for path, body in BODIES.items():
        worker.post(path, target, body)
    assert upstream.requests or target not in ("keyless", "openai")
    for each in upstream.requests:
        assert each.credential != digest("sk-canary")
        assert each.credential != digest(KEY) or target == "openai"
        assert "canary-of-the-environment" not in str(each.headers)


RUN_BY_LITELLM: Final = [
    {"type": "mcp", "server_url": "litellm_proxy", "server_label": "x"},
    {"type": "mcp", "server_url": "http://127.0.0.1:1", "server_label": "x", "require_approval": "never"},
    {"type": "advisor_20260301", "name": "advisor", "model": "openai/gpt-5"},
]


@pytest.mark.parametrize("tool", RUN_BY_LITELLM)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
def test_tools_that_litellm_would_run_itself_are_refused(
    worker: Worker, upstream: Scripted, path: str, tool: dict[str, Any]
) -> None:
    answer = worker.post(path, "vllm", {**BODIES[path], "tools": [tool]})
    assert answer.status_code == 400
    assert "tools.0" in json.dumps(answer.json())
    assert not upstream.requests


@pytest.mark.parametrize("tool", RUN_BY_LITELLM)
@pytest.mark.parametrize("target", ["vllm", "openai"])
def test_tools_of_other_servers_do_not_cross_the_dialect(
    worker: Worker, upstream: Scripted, target: str, tool: dict[str, Any]
) -> None:
    body = {**BODIES["/v1/messages"], "tools": [tool]}
    assert worker.post("/v1/messages", target, body).status_code == 200
    (request,) = upstream.requests
    assert "tools" not in request.json
    assert not any(word in request.body for word in (b"server_url", b"litellm_proxy", b'127.0.0.1:1"'))


def test_no_image_is_fetched(worker: Worker, upstream: Scripted, elsewhere: Scripted) -> None:
    image = {"type": "image", "source": {"type": "url", "url": f"{elsewhere.url}/x.png"}}
    parts = {"type": "image_url", "image_url": {"url": f"{elsewhere.url}/x.png"}}
    for target in ("vllm", "anthropic", "openai", "mistral"):
        worker.post("/v1/messages", target, {"max_tokens": 5, "messages": [{"role": "user", "content": [image]}]})
        worker.post("/v1/chat/completions", target, {"messages": [{"role": "user", "content": [parts]}]})
    assert not elsewhere.requests


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages", b"{"),
        ("/v1/messages", b"[]"),
        ("/v1/messages", b"\xff\xfe"),
        ("/v1/messages", b"[" * 100_000),
        ("/v1/messages", {"messages": HELLO}),
        ("/v1/messages", {"messages": "hello", "max_tokens": 5}),
        ("/v1/messages", {"messages": ["hello"], "max_tokens": 5}),
        ("/v1/messages", {"messages": HELLO, "max_tokens": True}),
        ("/v1/messages", {"messages": HELLO, "max_tokens": 5, "tools": {}}),
        ("/v1/messages", {"messages": HELLO, "max_tokens": 5, "stream": "yes"}),
        ("/v1/chat/completions", {}),
        ("/v1/chat/completions", {"messages": HELLO, "stream_options": []}),
        ("/v1/completions", {"prompt": 5}),
        ("/v1/responses", {"input": None}),
        ("/v1/embeddings", {"input": {}}),
    ],
)
def test_what_is_no_request_is_refused(worker: Worker, upstream: Scripted, path: str, body: Any) -> None:
    answer = worker.post(path, "vllm", body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert not upstream.requests
