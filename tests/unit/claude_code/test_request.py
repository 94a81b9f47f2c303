"""What one turn of Claude Code needs is read from a Messages request; what cannot be honoured is rejected by name."""

import json
from collections.abc import Callable
from typing import Any, Final

import pytest
from tests.support.growth import steep

from claude_gateway_claude_code.request import Turn, read
from claude_gateway_runtime.failure import Failure

CALL: Final = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
RESULT: Final = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sun"}


def said(content: Any, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": content}


def turn(*messages: dict[str, Any], betas: str = "", **fields: Any) -> Turn:
    body = {"model": "sonnet", "max_tokens": 9, "messages": list(messages) or [said("hello")], **fields}
    return read(json.dumps(body).encode(), betas=betas)


def refusal(*messages: Any, **fields: Any) -> str:
    with pytest.raises(Failure) as refused:
        turn(*messages, **fields)
    assert refused.value.status == 400
    return refused.value.message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("n", 2), ("seed", 1), ("logprobs", True), ("frequency_penalty", 0.5), ("presence_penalty", -1)),
        *(("mcp_servers", [{"url": "https://x.example"}]), ("container", "c_1"), ("response_format", {}), ("x", 1)),
        *(("model", ""), ("model", 5), ("model", "a b"), ("model", "../x"), ("max_tokens", 0), ("max_tokens", True)),
        *(("stream", "yes"), ("thinking", True), ("tools", {}), ("tools", ["x"]), ("output_config", [])),
        *(("system", 5), ("system", [{"type": "image"}]), ("messages", []), ("messages", "hello"), ("messages", [5])),
    ],
)
def test_the_field_is_named(field: str, value: object) -> None:
    assert refusal(**{field: value}).startswith(field)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_a_body_is_an_object(data: bytes) -> None:
    with pytest.raises(Failure) as refused:
        read(data)
    assert refused.value.status == 400


def test_values_that_request_nothing_are_left_out() -> None:
    nothing: dict[str, Any] = {
        "n": 1,
        "frequency_penalty": 0.0,
        "presence_penalty": 0,
        "logprobs": False,
        "logit_bias": {},
    }
    found = turn(**nothing, seed=None, container=None, mcp_servers=[], metadata={"user_id": "x"}, user="alice")
    assert found.body == {"max_tokens": 9}


def test_settings_go_as_they_are() -> None:
    sent: dict[str, Any] = {
        "temperature": 0.0,
        "top_p": 1,
        "top_k": 5,
        "stop_sequences": ["x"],
        "tool_choice": {"type": "any"},
    }
    assert turn(**sent).body == {"max_tokens": 9, **sent}


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([said("hi", "assistant")], "messages.0.role"),
        ([said("hi"), said("prefill", "assistant")], "messages.1.role"),
        ([said("hi", "tool")], "messages.0.role"),
        ([said(5)], "messages.0.content"),
        ([said("   ")], "say something"),
        ([said("\n"), said("x", "assistant"), said("hi")], "say something"),
        ([said([{"type": "text", "text": ""}])], "messages.0.role"),
        ([said([{"type": "thinking"}])], "messages.0.content.0.type"),
        ([said([{"type": "text"}])], "messages.0.content.0"),
        ([said("hi"), said([CALL], "assistant"), said("no result")], "toolu_1"),
        ([said([RESULT])], "toolu_1"),
        ([said("hi"), said([CALL], "assistant"), said([RESULT]), said("x", "assistant"), said([RESULT])], "toolu_1"),
    ],
)
def test_a_conversation_that_cannot_be_replayed_is_rejected(messages: list[dict[str, Any]], words: str) -> None:
    assert words in refusal(*messages)


def test_turns_of_one_role_are_joined_with_results_first() -> None:
    reminder = said([{"type": "text", "text": "be kind"}], "system")
    found = turn(said("a"), said("b"), said([CALL], "assistant"), reminder, said([RESULT]), said("c"))
    assert [message["role"] for message in found.messages] == ["user", "assistant", "user"]
    assert [block["text"] for block in found.messages[0]["content"]] == ["a", "b"]
    result, kind, last = found.messages[2]["content"]
    assert (result, last["text"]) == (RESULT, "c")
    assert kind["text"] == "<system-reminder>\nbe kind\n</system-reminder>"


def test_marks_for_the_cache_are_left_to_claude_code() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    text = {"type": "text", "text": "x", **mark}
    found = turn(
        said([text]),
        said([CALL], "assistant"),
        said([{**RESULT, "content": [text], **mark}]),
        tools=[{"name": "weather", "input_schema": {}, **mark}],
        system=[text],
    )
    assert "cache_control" not in json.dumps([found.messages, found.body, found.system])


def test_a_client_that_is_claude_code_names_itself_elsewhere() -> None:
    blocks = [{"type": "text", "text": text} for text in ("x-anthropic-billing-header: cc_version=2;", "You are", "X")]
    assert turn(system=blocks).system == "You are\n\nX"


def test_tools_that_a_search_found_can_be_called() -> None:
    deferred: list[dict[str, Any]] = [
        {"name": name, "input_schema": {}, "defer_loading": True} for name in ("found", "not_found")
    ]
    reference = {"type": "tool_reference", "tool_name": "found"}
    history = (said("hi"), said([CALL], "assistant"), said([{**RESULT, "content": [reference]}]))
    found = turn(*history, tools=[{"name": "search", "input_schema": {}}, *deferred])
    assert [tool["name"] for tool in found.body["tools"]] == ["search", "found"]
    assert "defer_loading" not in json.dumps(found.body)
    assert "found" in found.messages[2]["content"][0]["content"][0]["text"]
    hosted = {"type": "tool_search_tool_regex_20251119", "name": "search"}
    assert turn(tools=[hosted, *deferred]).body["tools"] == [hosted, *deferred]


@pytest.mark.parametrize("data", ["iVBORw0KGgoAAAA", "/9j/4AAQ", "R0lGODlhAQAB", "UklGRiQAAABXRUJQ"])
def test_an_image_is_passed_on(data: str) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    linked = {"type": "image", "source": {"type": "url", "url": "https://x.example/x.png"}}
    assert turn(said([image, linked])).messages[0]["content"] == [image, linked]


@pytest.mark.parametrize("data", ["/etc/passwd", "Qk0AAAAA", "data:image/png;base64,iVBORw0KGgo", "", None])
def test_what_claude_code_would_replace_by_words_is_refused(data: str | None) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}
    assert refusal(said([{"type": "text", "text": "see"}, image])).startswith("messages.0.content.1.source.data: ")


@pytest.mark.parametrize("place", ["output_config", "output_format"])
def test_a_schema_is_asked_for_with_its_beta(place: str) -> None:
    wanted = {"type": "json_schema", "schema": {}}
    found = turn(**{place: {"format": wanted} if place == "output_config" else wanted}, betas="oauth-x, context-1m, ")
    assert found.body["output_config"] == {"format": wanted}
    assert found.betas == ("context-1m", "structured-outputs-2025-12-15")


def test_thinking_is_what_the_client_says() -> None:
    assert not turn().thinks
    assert not turn(thinking={"type": "disabled"}).thinks
    assert turn(thinking={"type": "adaptive"}).thinks


@pytest.mark.parametrize("role", ["assistant", "user"], ids=["alternating", "joined"])
def test_reading_takes_linear_time(role: str) -> None:
    def reading(size: int) -> Callable[[], object]:
        messages = [said("x", speaker) for _ in range(size) for speaker in ("user", role)]
        data = json.dumps({"model": "sonnet", "max_tokens": 9, "messages": [*messages, said("y")]}).encode()
        return lambda: read(data)

    assert steep(reading) is None
