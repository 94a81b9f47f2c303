"""Which tools of a request reach LiteLLM."""

from typing import Any

import pytest

from claude_gateway.contract.target import Format
from claude_gateway_proxy.litellm.tools import check_tools
from claude_gateway_runtime.failure import Failure

RUN_BY_LITELLM = ("mcp", "shell", "local_shell", "advisor_20260301", "url", "a2a", "not_invented_yet")
HOSTED = ("file_search", "code_interpreter", "computer_use_preview", "computer", "apply_patch")
SERVED = {
    Format.MESSAGES: (None, "custom"),
    Format.COUNT_TOKENS: (None, "custom"),
    Format.CHAT: ("function",),
    Format.RESPONSES: ("function", "custom", "web_search", "web_search_preview", "image_generation"),
}


def refusal(format: Format, tools: list[dict[str, Any]], provider: str = "anthropic") -> str | None:
    try:
        check_tools({"tools": tools}, format=format, provider=provider)
    except Failure as failure:
        return f"{failure.status} {failure.message}"
    return None


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize("provider", ["anthropic", "hosted_vllm", "openai", "azure"])
@pytest.mark.parametrize("kind", [*RUN_BY_LITELLM, 5, [], {}, ["function"], ""])
def test_what_litellm_would_run_or_fail_on_is_refused(format: Format, provider: str, kind: Any) -> None:
    words = f"400 tools.1: tools of type '{kind}' are not supported for this model"
    known = {"type": SERVED.get(format, (None,))[0]}
    if format in SERVED:
        assert refusal(format, [known], provider) is None
        assert refusal(format, [known, {"type": kind}], provider) == words
    else:
        assert refusal(format, [{"type": kind}], provider) is not None


@pytest.mark.parametrize("format", SERVED)
def test_what_the_caller_runs_is_served(format: Format) -> None:
    assert refusal(format, [{"type": kind} for kind in SERVED[format]]) is None
    check_tools({}, format=format, provider="anthropic")


@pytest.mark.parametrize("kind", HOSTED)
def test_what_openai_runs_reaches_openai_only(kind: str) -> None:
    for provider in ("openai", "azure"):
        assert refusal(Format.RESPONSES, [{"type": kind}], provider) is None
    for provider in ("anthropic", "hosted_vllm", "xai", "gemini"):
        assert refusal(Format.RESPONSES, [{"type": kind}], provider) is not None


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        ([{"type": "function"}, {"type": "custom"}], None),
        ([{"type": "function"}, {"type": "mcp"}], "400 tools.0.tools.1: tools of type 'mcp' are not supported"),
        ({"type": "mcp"}, "400 tools.0.tools: must be a list of objects"),
        (["mcp"], "400 tools.0.tools: must be a list of objects"),
    ],
)
def test_a_namespace_holds_no_others(inner: Any, words: str | None) -> None:
    found = refusal(Format.RESPONSES, [{"type": "namespace", "name": "n", "tools": inner}])
    assert found == words if words is None or found is None else found.startswith(words)


def test_filters_of_a_search_that_would_be_dropped() -> None:
    filtered = {"type": "web_search", "filters": {"allowed_domains": ["a.com"]}}
    words = "400 tools.0.filters: is not supported for this model"
    assert refusal(Format.RESPONSES, [filtered]) == words
    assert refusal(Format.RESPONSES, [filtered], "openai") is None
    assert refusal(Format.RESPONSES, [{"type": "web_search", "filters": {"allowed_domains": []}}]) is None
