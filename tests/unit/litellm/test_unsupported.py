"""What LiteLLM would drop is rejected by name, and what asks for nothing is not."""

from typing import Any

import pytest

from claude_gateway.contract.target import Format
from claude_gateway_proxy.litellm import fields
from claude_gateway_proxy.litellm.unsupported import check_fields, check_strict
from claude_gateway_runtime.failure import Failure


class Library:
    """Knows one field, or for another provider nothing."""

    def get_supported_openai_params(self, *, model: str, custom_llm_provider: str) -> list[str] | None:
        assert model == "m"
        return ["n"] if custom_llm_provider == "p" else None


def check(provider: str = "p", *, format: Format = Format.CHAT, **asked: Any) -> None:
    check_fields(Library(), asked, format=format, provider=provider, model=f"{provider}/m")


@pytest.mark.parametrize(
    ("name", "value"),
    [("logprobs", True), ("audio", {}), ("response_format", {"type": "json_object"}), ("functions", [{}])],
)
def test_a_field_that_would_be_dropped_is_named(name: str, value: Any) -> None:
    with pytest.raises(Failure, match=f"{name}: is not supported"):
        check(**{name: value})
    check("unknown", **{name: value})


def test_what_asks_for_nothing_or_is_known_passes() -> None:
    check(n=2, logprobs=False, logit_bias={}, temperature=1, response_format={"type": "text"}, functions=[])
    check(format=Format.RESPONSES, logprobs=True)


def completions(**more: Any) -> dict[str, Any]:
    return fields.allowed({"prompt": "x", **more}, format=Format.COMPLETIONS)


def test_one_text_in_a_list_is_one_text() -> None:
    assert completions(prompt=["x"], best_of=1, echo=False)["prompt"] == "x"


@pytest.mark.parametrize(
    "more", [{"prompt": ["a", "b"]}, {"prompt": [1, 2]}, {"best_of": 2}, {"echo": True}, {"suffix": "z"}]
)
def test_several_texts_are_rejected_by_name(more: dict[str, Any]) -> None:
    with pytest.raises(Failure, match=f"{next(iter(more))}: "):
        completions(**more)


@pytest.mark.parametrize("tool", [{"name": "a"}, {"type": "function", "function": {"name": "a"}}])
def test_a_strict_tool_is_strict_or_named(tool: dict[str, Any]) -> None:
    def asked(provider: str, model: str, strict: object) -> None:
        inner = tool.get("function", tool)
        given = {**tool, "function": {**inner, "strict": strict}} if "function" in tool else {**tool, "strict": strict}
        fields, name = {"tools": [tool, given]}, f"{provider}/{model}"
        check_strict(fields, format=Format.COUNT_TOKENS, provider=provider, model=name)
        check_strict(fields, format=Format.MESSAGES, provider=provider, model=name)

    for provider, model in (
        ("gemini", "gemini-2.5-pro"),
        ("cohere_chat", "m"),
        ("anthropic", "m"),
        ("bedrock", "amazon.nova-pro-v1:0"),
    ):
        with pytest.raises(Failure, match=r"tools\.1\.strict: is not supported for this model, send strict: false"):
            asked(provider, model, True)
        asked(provider, model, False)
        asked(provider, model, None)
    asked("openai", "gpt-5", True)
    asked("bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", True)
