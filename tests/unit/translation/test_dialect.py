"""Claude Code's own requests, captured and cut short, and the shapes they may take, as plain Messages."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders.corpus import Recording, recordings

from claude_gateway_proxy.translation.messages.dialect import plain_messages
from claude_gateway_proxy.translation.thinking import Thought, sign

DATA = Path(__file__).parent / "data"
CAPTURED = sorted(path.stem for path in DATA.glob("claude_code_*.json"))
FIELDS = {
    "max_tokens",
    "messages",
    "model",
    "output_config",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
}


def reduced(request: Any) -> Any:
    """A request after translation, as it would look in JSON."""
    return json.loads(json.dumps(plain_messages(request)))


def plain(**request: Any) -> Any:
    """A request after translation; ``messages`` are one greeting unless given."""
    return reduced({"messages": [{"role": "user", "content": "hi"}], **request})


def captured(name: str) -> Any:
    """A captured request after translation."""
    return reduced(json.loads((DATA / f"{name}.json").read_text()))


def keys(value: Any) -> set[str]:
    """Every key at any depth, but for what is the user's: tools' inputs and schemas."""
    if isinstance(value, list):
        return set().union(*map(keys, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    own = {name: each for name, each in value.items() if name not in ("input", "input_schema")}
    return set(own).union(*map(keys, own.values())) if own else set()


@pytest.mark.parametrize("name", CAPTURED)
def test_a_captured_request_becomes_plain(name: str) -> None:
    found = captured(name)
    assert set(found) <= FIELDS
    assert {message["role"] for message in found["messages"]} <= {"user", "assistant"}
    assert not keys(found) & {
        "cache_control",
        "defer_loading",
        "context_management",
        "metadata",
        "tool_name",
    }
    assert "x-anthropic-billing-header" not in json.dumps(found)
    assert "DeferredToolPlaceholder" not in json.dumps(found)
    assert isinstance(found["system"], str)
    before = json.loads((DATA / f"{name}.json").read_text())
    assert found["model"] == before["model"]
    assert found["max_tokens"] == before["max_tokens"]
    assert found["stream"] is True
    assert reduced(found) == found


RECORDED = [each for each in recordings() if each.target.partition("?")[0] == "/v1/messages"]


@pytest.mark.parametrize("recording", RECORDED, ids=str)
def test_a_recorded_request_becomes_plain(recording: Recording) -> None:
    found = reduced(recording.json)
    assert set(found) <= FIELDS
    assert {message["role"] for message in found["messages"]} <= {"user", "assistant"}
    assert all(message["content"] for message in found["messages"])
    assert not keys(found) & {"cache_control", "defer_loading", "context_management", "metadata", "tool_name"}
    assert "DeferredToolPlaceholder" not in json.dumps(found)
    assert reduced(found) == found
    words = json.dumps(found, ensure_ascii=False)
    for text in said(recording.json):
        assert json.dumps(text, ensure_ascii=False)[1:-1] in words, "no word of the conversation is lost"


def said(request: Any) -> Iterator[str]:
    """Every text of a conversation, those of results included."""
    for message in request["messages"]:
        content = message["content"]
        for block in content if isinstance(content, list) else [{"type": "text", "text": content}]:
            inner = block.get("content")
            if block["type"] == "text":
                yield block["text"].strip()
            elif block["type"] == "tool_result" and isinstance(inner, str):
                yield inner
            elif block["type"] == "tool_result":
                yield from (part["text"] for part in inner or () if part["type"] == "text")


def test_the_environment_comes_as_a_reminder_behind_the_prompt() -> None:
    (message,) = captured("claude_code_first")["messages"]
    *_, prompt, reminder = (block["text"] for block in message["content"])
    assert prompt == "hello there"
    assert reminder.startswith("<system-reminder>\n# Environment\n")
    assert reminder.endswith("\n</system-reminder>")


def test_a_failed_tool_says_so_in_words() -> None:
    *_, answer = captured("claude_code_tool_error")["messages"]
    (result,) = answer["content"]
    assert result["content"] == "The tool call failed:\nExit code 3"


def test_tools_that_were_searched_for_are_there_and_others_are_not() -> None:
    found = captured("claude_code_tool_search")
    assert {"WebFetch", "NotebookEdit"} <= {tool["name"] for tool in found["tools"]}
    result, loaded = found["messages"][-1]["content"]
    assert result["content"] == "The tool WebFetch is available now.\nThe tool NotebookEdit is available now."
    assert loaded == {"type": "text", "text": "Tool loaded."}


def test_a_search_that_cannot_be_made_is_told_to_the_model() -> None:
    found = captured("claude_code_web_search")
    assert "tools" not in found
    assert "tool_choice" not in found
    assert found["system"].endswith("These tools are not available here: web_search. If you would need one, say so.")


def test_an_older_models_thinking_budget_stays() -> None:
    found = captured("claude_code_older_model")["thinking"]
    assert found == {"type": "enabled", "budget_tokens": 31999, "display": "omitted"}


@pytest.mark.parametrize(
    ("thinking", "expected"),
    [
        ({"type": "adaptive", "display": "omitted"}, {"type": "adaptive", "display": "omitted"}),
        ({"type": "enabled", "budget_tokens": 9, "new": 1}, {"type": "enabled", "budget_tokens": 9}),
        ({"type": "disabled"}, {"type": "disabled"}),
        ({"budget_tokens": 9}, None),
        ("adaptive", None),
        (None, None),
    ],
)
def test_thinking_keeps_what_a_translation_needs(thinking: Any, expected: Any) -> None:
    assert plain(thinking=thinking).get("thinking") == expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"effort": "high", "task_budget": 1}, {"effort": "high"}),
        ({"format": {"type": "json_schema"}}, {"format": {"type": "json_schema"}}),
        ({"effort": 5}, None),
        ("high", None),
    ],
)
def test_output_config_keeps_what_a_translation_needs(config: Any, expected: Any) -> None:
    assert plain(output_config=config).get("output_config") == expected


def test_the_newest_effort_counts() -> None:
    low = {"role": "system", "content": [], "output_config": {"effort": "low"}}
    found = plain(messages=[user("a"), low, CALL], output_config={"effort": "high"})
    assert found["output_config"] == {"effort": "low"}


def roles(*messages: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """Roles after translation, and the texts or types of their blocks."""
    return [
        (message["role"], [block.get("text", block["type"]) for block in message["content"]])
        for message in plain(messages=list(messages))["messages"]
    ]


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def system(content: Any) -> dict[str, Any]:
    return {"role": "system", "content": content}


CALL = {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {"a": None}}]}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": "r"}
R = "<system-reminder>\nx\n</system-reminder>"


def test_system_messages_fold_into_the_turn_next_to_them() -> None:
    assert roles(user("a"), system("x")) == [("user", ["a", R])]
    assert roles(user("a"), system([]), system("")) == [("user", ["a"])]
    assert roles(system("x"), user("a")) == [("user", [R, "a"])]
    assert roles(system("x")) == [("user", [R])]
    assert roles(system([{"type": "text", "text": "x"}]), CALL) == [("user", [R]), ("assistant", ["tool_use"])]
    assert roles(user("a"), CALL, system("x"), user([RESULT, {"type": "text", "text": "b"}])) == [
        ("user", ["a"]),
        ("assistant", ["tool_use"]),
        ("user", ["tool_result", R, "b"]),
    ]
    assert roles(user("a"), CALL, system("x")) == [("user", ["a"]), ("assistant", ["tool_use"]), ("user", [R])]


def test_thinking_that_this_gateway_signed_stays() -> None:
    signature = sign(Thought(text="because"))
    thought = {"type": "thinking", "thinking": "because", "signature": signature}
    found = plain(messages=[user("a"), {"role": "assistant", "content": [thought]}])["messages"][-1]
    assert found["content"] == [{"type": "thinking", "thinking": "", "signature": signature}]


def test_a_claudes_thinking_is_no_part_of_the_history() -> None:
    thoughts = [{"type": "thinking", "thinking": "t", "signature": "s"}, {"type": "redacted_thinking", "data": "d"}]
    said = [*thoughts, {"type": "text", "text": "b", "citations": []}]
    assert roles(user("a"), {"role": "assistant", "content": said}) == [("user", ["a"]), ("assistant", ["b"])]
    assert roles(user("a"), {"role": "assistant", "content": thoughts}, user("c")) == [("user", ["a"]), ("user", ["c"])]


def test_what_servers_of_anthropics_did_is_told_in_words() -> None:
    done = [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
        {
            "type": "web_search_tool_result",
            "tool_use_id": "s",
            "content": [{"type": "web_search_result", "url": "https://e", "title": "E", "encrypted_content": "…"}],
        },
        {
            "type": "code_execution_tool_result",
            "content": {"type": "x", "stdout": "out", "stderr": "", "return_code": 0},
        },
        {"type": "compaction", "content": "so far"},
        {"type": "search_result", "title": "T", "source": "S", "content": [{"type": "text", "text": "found"}]},
        {"type": "container_upload", "file_id": "f"},
        {"type": "not_invented_yet", "text": "?"},
    ]
    assert roles({"role": "assistant", "content": done}) == [
        ("assistant", ['[web_search: {"query": "q"}]', "E https://e", "out", "so far", "T (S)\nfound"])
    ]


def test_media_and_calls_stay_whole() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "AA=="}
    image = {"type": "image", "source": source, "cache_control": {"type": "ephemeral"}}
    result = {**RESULT, "content": [image], "cache_control": {"type": "ephemeral"}, "is_error": False}
    found = plain(messages=[user([image]), CALL, user([result])])["messages"]
    assert found[0]["content"] == [{"type": "image", "source": source}]
    assert found[1] == CALL
    assert found[2]["content"] == [
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": source}]}
    ]


TOOL = {"name": "n", "input_schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("tools", "names"),
    [
        ([TOOL], ["n"]),
        ([{**TOOL, "type": "custom", "strict": True, "eager_input_streaming": True}], ["n"]),
        ([{**TOOL, "defer_loading": True}], []),
        ([{**TOOL, "name": "called", "defer_loading": True}], ["called"]),
        ([{**TOOL, "name": "DeferredToolPlaceholder", "defer_loading": True}], []),
        ([{"type": "bash_20250124", "name": "bash"}, TOOL], ["n"]),
        ([{"type": "mcp_toolset", "mcp_server_name": "m"}, "x", {"input_schema": {}}], []),
        (None, []),
    ],
)
def test_tools_that_can_be_called(tools: Any, names: list[str]) -> None:
    history = [{"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "called", "input": {}}]}]
    found = plain(tools=tools, messages=history)
    assert [tool["name"] for tool in found.get("tools", [])] == names
    assert all(set(tool) <= {"name", "description", "input_schema", "strict"} for tool in found.get("tools", []))


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (
            {"type": "auto", "disable_parallel_tool_use": True},
            {"type": "auto", "disable_parallel_tool_use": True},
        ),
        ({"type": "tool", "name": "n"}, {"type": "tool", "name": "n"}),
        ({"type": "tool", "name": "gone"}, {"type": "auto"}),
        ({"type": "any", "disable_parallel_tool_use": False}, {"type": "any"}),
        ({"type": "none"}, {"type": "none"}),
        ({"type": "new"}, None),
        ({"type": "new", "disable_parallel_tool_use": True}, {"disable_parallel_tool_use": True}),
        (None, None),
    ],
)
def test_a_choice_of_tools(choice: Any, expected: dict[str, Any] | None) -> None:
    found = plain(tools=[TOOL], tool_choice=choice)
    assert found.get("tool_choice") == expected
    assert "parallel_tool_calls" not in found
    assert not {"tool_choice", "parallel_tool_calls"} & plain(tool_choice=choice).keys()


@pytest.mark.parametrize("request_", [{}, {"messages": 5}, {"messages": ["x"]}])
def test_what_is_no_request_stays_as_it_is(request_: Any) -> None:
    assert plain_messages(request_) is request_


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
BLOCK = st.dictionaries(st.sampled_from(["text", "content", "name", "input", "source", "is_error", "tool_name"]), JSON)
TYPES = ["text", "image", "tool_use", "tool_result", "tool_reference", "search_result", "web_search_tool_result", "x"]
BLOCKS = st.lists(
    st.builds(lambda kind, rest: {"type": kind, **rest}, st.sampled_from(TYPES), BLOCK) | JSON, max_size=4
)
MESSAGES = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["user", "assistant", "system"]),
        BLOCKS | JSON,
    ),
    max_size=5,
)


@given(
    st.fixed_dictionaries(
        {"messages": MESSAGES}, optional=dict.fromkeys(["system", "tools", "tool_choice", "thinking"], JSON)
    )
)
def test_nothing_that_a_client_sends_breaks_it(request: Any) -> None:
    once = reduced(request)
    assert set(once) <= FIELDS
    assert reduced(once) == once
