"""Content of OpenAI's clients that LiteLLM would leave out is rejected by name."""

from typing import Any

import pytest

from claude_gateway.contract.target import Format
from claude_gateway_proxy.litellm.content import check_content
from claude_gateway_runtime.failure import Failure

AUDIO = {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}
KEPT = {"type": "file", "file": {"file_id": "file-1"}}
SENT = {"type": "file", "file": {"file_data": "data:"}}


def rejected(fields: dict[str, Any], *, format: Format = Format.CHAT, provider: str = "anthropic") -> str | None:
    try:
        check_content(fields, format=format, provider=provider)
    except Failure as failure:
        return f"{failure.status} {failure.message}"
    return None


def test_parts_that_a_claude_has_nothing_like() -> None:
    chat = {"messages": ["x", {"role": "user", "content": [7, {"type": "text", "text": "a"}, AUDIO]}]}
    assert (
        rejected(chat) == "400 messages.1.content.2.type: parts of type 'input_audio' are not supported for this model"
    )
    for provider in ("openai", "azure", "gemini"):
        assert rejected(chat, provider=provider) is None
    assert (rejected({"messages": [{"content": [KEPT]}]}) or "").startswith("400 messages.0.content.0: send the file")
    assert rejected({"messages": [{"content": [SENT]}]}) is None
    output = {"type": "function_call_output", "output": [{"type": "input_file", "file_id": "file-1"}]}
    assert (rejected({"input": [output]}, format=Format.RESPONSES) or "").startswith("400 input.0.output.0: send the")


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"role": "user", "content": "x"}, None),
        ({"type": "reasoning", "summary": []}, None),
        ({"type": "local_shell_call"}, "items of type 'local_shell_call' are not supported for this model"),
        ({"type": ["x"]}, "items of type '['x']' are not supported for this model"),
        ("x", "items of type 'None' are not supported for this model"),
    ],
)
def test_items_that_litellm_would_leave_out(item: Any, words: str | None) -> None:
    expected = None if words is None else f"400 input.0: {words}"
    assert rejected({"input": [item]}, format=Format.RESPONSES, provider="gemini") == expected
    assert rejected({"input": [item]}, format=Format.RESPONSES, provider="azure") is None
    assert rejected({"input": "x"}, format=Format.RESPONSES) is None


def test_a_reference_without_its_type() -> None:
    assert rejected({"input": [{"id": "msg_1"}]}, format=Format.RESPONSES) == "400 input.0.role: Field required"


def test_logprobs_of_responses() -> None:
    fields = {"input": "x", "include": ["message.output_text.logprobs"]}
    assert "message.output_text.logprobs is not supported" in (rejected(fields, format=Format.RESPONSES) or "")
    assert rejected(fields, format=Format.RESPONSES, provider="openai") is None
