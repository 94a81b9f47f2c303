"""What of a body LiteLLM may see."""

import json
from typing import Any

import pytest

from claude_gateway.contract.target import Format
from claude_gateway_proxy.litellm.fields import FIELDS, allowed, read
from claude_gateway_runtime.failure import Failure

BODIES: dict[Format, dict[str, Any]] = {
    Format.MESSAGES: {"messages": [], "max_tokens": 5},
    Format.COUNT_TOKENS: {"messages": []},
    Format.CHAT: {"messages": [{"role": "user", "content": "x"}]},
    Format.COMPLETIONS: {"prompt": "x"},
    Format.RESPONSES: {"input": "x"},
    Format.EMBEDDINGS: {"input": ["x"]},
}
NEVER = {
    "api_key",
    "api_base",
    "base_url",
    "model",
    "headers",
    "extra_headers",
    "extra_body",
    "metadata",
    "timeout",
    "num_retries",
    "fallbacks",
    "mock_response",
    "client",
    "user_api_key",
    "organization",
    "cache",
    "callbacks",
}


@pytest.mark.parametrize("format", Format)
def test_only_what_is_listed_comes_through(format: Format) -> None:
    body = {**BODIES[format], **dict.fromkeys(NEVER, "evil"), "litellm_x": 1, "aws_x": 1, "vertex_x": 1, "azure_x": 1}
    assert read(json.dumps(body).encode(), format=format) == BODIES[format]
    assert not FIELDS[format].allowed & NEVER
    assert not [
        name for name in FIELDS[format].allowed if name.startswith(("litellm", "aws_", "vertex_", "azure_", "_"))
    ]


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("text", ["os.environ/X", " os.environ/X", "oidc/file/x"])
def test_references_are_refused_wherever_a_text_may_stand(format: Format, text: str) -> None:
    for name in FIELDS[format].allowed - {"messages", "tools", "functions", "max_tokens"}:
        with pytest.raises(Failure) as raised:
            allowed({**BODIES[format], name: text}, format=format)
        assert raised.value.status == 400
        assert raised.value.message.startswith(name)


def test_nulls_are_absent() -> None:
    body = {**BODIES[Format.MESSAGES], "tools": None, "stream": None, "thinking": None}
    assert read(json.dumps(body).encode(), format=Format.MESSAGES) == BODIES[Format.MESSAGES]


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"messages":5}', b'{"messages":["x"]}', b"\xff", b"[" * 100_000])
def test_what_is_no_request_is_refused(format: Format, raw: bytes) -> None:
    with pytest.raises(Failure) as raised:
        read(raw, format=format)
    assert raised.value.status == 400


def test_what_refers_to_an_earlier_answer_is_refused() -> None:
    said = {"role": "user", "content": "hello"}
    with pytest.raises(Failure) as raised:
        allowed({"input": [said, {"type": "item_reference", "id": "msg_1"}]}, format=Format.RESPONSES)
    assert raised.value.status == 400
    assert raised.value.message.startswith("input.1: an item_reference is not supported")
    assert allowed({"input": [said, "item_reference"]}, format=Format.RESPONSES)["input"] == [said, "item_reference"]
