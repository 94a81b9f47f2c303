"""What of a request in OpenAI's formats is changed for a provider of another format."""

from typing import Any

import pytest

from claude_gateway.contract.target import Format
from claude_gateway_proxy.litellm.openai_fields import fitted
from claude_gateway_proxy.litellm.targets import Target
from claude_gateway_proxy.translation.documents import Document
from claude_gateway_proxy.translation.stand_ins import JSON_ONLY


def sent(provider: str, **fields: Any) -> Document:
    target = Target(id="t", model=f"{provider}/m", api_base=None, api_key=None, timeout=None, dial=None)
    return fitted(fields, format=Format.CHAT, target=target)


def test_a_claude_gets_a_temperature_that_it_takes() -> None:
    assert sent("anthropic", temperature=1.5) == {"temperature": 1}
    assert sent("anthropic", temperature=0.5) == {"temperature": 0.5}
    assert sent("azure", temperature=1.5) == {"temperature": 1.5}


def test_a_claude_is_asked_for_json_in_words() -> None:
    fields = {"messages": [], "response_format": {"type": "json_object"}}
    assert sent("anthropic", **fields) == {"messages": [{"role": "system", "content": JSON_ONLY}]}
    assert sent("gemini", **fields) == fields


@pytest.mark.parametrize(("provider", "expected"), [("openai", {"max_tool_calls": 3}), ("gemini", {})])
def test_a_bound_of_calls_is_openais_own(provider: str, expected: dict[str, Any]) -> None:
    assert sent(provider, max_tool_calls=3) == expected
