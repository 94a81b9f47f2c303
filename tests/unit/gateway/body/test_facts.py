"""Facts about a request are computed when somebody reads them, once, and never otherwise."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract.target import Format, Parameters, Target, Wire
from claude_gateway_proxy.gateway.body import estimate
from claude_gateway_proxy.gateway.body.document import Body, parse
from claude_gateway_proxy.gateway.body.facts import Agent, Facts, Thinking
from claude_gateway_proxy.gateway.body.parameters import changes


def facts(**more: Any) -> Facts:
    return Facts(parse(json.dumps({"model": "m", **more}).encode()))


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, Thinking()),
        ("enabled", Thinking()),
        ({"type": "disabled"}, Thinking()),
        ({"type": "enabled", "budget_tokens": 9}, Thinking(enabled=True, budget=9)),
        ({"type": "enabled", "budget_tokens": 0}, Thinking(enabled=True)),
        ({"type": "enabled", "budget_tokens": "9"}, Thinking(enabled=True)),
        ({"type": "adaptive"}, Thinking(enabled=True, adaptive=True)),
        ({}, Thinking(enabled=True)),
    ],
)
def test_thinking(value: object, found: Thinking) -> None:
    assert facts(thinking=value).thinking == found
    assert facts().thinking == Thinking()


@pytest.mark.parametrize(
    ("sent", "effort"),
    [
        ({}, None),
        ({"output_config": {"effort": "high"}}, "high"),
        ({"reasoning": {"effort": "low"}}, "low"),
        ({"reasoning_effort": "medium"}, "medium"),
        ({"reasoning_effort": 3, "output_config": [], "reasoning": {"effort": None}}, None),
    ],
)
def test_effort_in_the_words_of_each_format(sent: dict[str, Any], effort: str | None) -> None:
    assert facts(**sent).effort == effort


def _turn(*blocks: object) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ({}, (False, False)),
        (_turn({"type": "text", "text": '{"type":"image"}'}), (False, False)),
        (_turn({"type": "image"}), (True, False)),
        (_turn({"type": "image_url"}), (True, False)),
        (_turn({"type": "document"}), (False, True)),
        (_turn({"type": "tool_result", "content": [{"type": "image"}, {"type": "document"}]}), (True, True)),
        (_turn({"type": "tool_use", "input": {"type": "image", "content": [{"type": "image"}]}}), (False, False)),
        ({"input": [{"content": [{"type": "input_image"}, {"type": "input_file"}]}]}, (True, True)),
        ({"input": [{"type": "function_call_output", "output": [{"type": "input_image"}]}]}, (True, False)),
        ({"messages": "x", "input": 7}, (False, False)),
    ],
)
def test_images_and_documents_are_found_wherever_content_is(sent: dict[str, Any], found: tuple[bool, bool]) -> None:
    read = facts(**sent)
    assert (read.images, read.documents) == found


def test_an_escaped_type_is_still_found() -> None:
    raw = rb'{"model":"m","messages":[{"role":"user","content":[{"type":"im\u0061ge"}]}]}'
    assert Facts(parse(raw)).images


def test_tools_and_those_that_the_upstream_runs() -> None:
    named: list[object] = [{"name": "a"}, {"type": "custom"}, {"type": "function"}, {"type": "bash_20250124"}]
    read = facts(tools=[*named, {"type": "web_search_20250305"}, {"type": 3}, "x"])
    assert (read.tools, read.server_tools) == (6, ("web_search_20250305",))
    assert (facts(tools={}).tools, facts().server_tools) == (0, ())


def test_size_in_bytes_and_tokens() -> None:
    read = facts(messages=[{"role": "user", "content": "hello " * 100}])
    assert read.size == len(read.body.raw)
    assert 100 <= read.input_tokens <= 300


def test_what_claude_code_says_of_its_agent() -> None:
    headers = [
        (b"x-claude-code-session-id", b"s"),
        (b"x-claude-code-request-class", b"subagent"),
        (b"x-claude-code-agent-type", b"Explore"),
        (b"x-claude-code-agent-id", b"a"),
        (b"x-claude-code-parent-agent-id", b"p"),
        (b"x-claude-code-prompt-id", b"q"),
        (b"user-agent", b"claude-cli"),
    ]
    assert Facts(facts().body, headers).agent == Agent("s", "subagent", "Explore", "a", "p", "q")
    assert facts().agent == Agent()


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The top-level values that were read, in order."""
    read: list[str] = []
    value = Body.value

    def noted(self: Body, key: str) -> bytes | None:
        read.append(key)
        return value(self, key)

    monkeypatch.setattr(Body, "value", noted)
    monkeypatch.setattr(estimate, "tokens", lambda _: read.append("tokens"))
    return read


_FULL = {"thinking": {"type": "adaptive"}, "tools": [], **_turn({"type": "image"})}


def test_nobody_asks_and_nothing_is_decoded(decoded: list[str]) -> None:
    read = facts(**_FULL)
    plain = Target(id="t", provider="p", model="m", wire=Wire.ANTHROPIC)
    assert changes(plain, format=Format.MESSAGES, facts=read) == {}
    assert read.size > 0
    assert decoded == []
    assert set(vars(read)) == {"body", "headers"}


def test_a_fact_is_decoded_once(decoded: list[str]) -> None:
    read = facts(**_FULL)
    target = Target(id="t", provider="p", model="m", parameters=Parameters(temperature=0.5))
    for _ in range(2):
        assert changes(target, format=Format.MESSAGES, facts=read) == {}
        assert read.thinking.adaptive
        assert read.images
        assert not read.documents
        assert read.tools == len(read.server_tools) == 0
    assert decoded == ["thinking", "messages", "input", "tools"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "content", "effort", "budget_tokens"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["thinking", "output_config", "reasoning", "messages", "tools"]), _JSON))
def test_any_body_has_facts(sent: dict[str, Any]) -> None:
    read = facts(**sent)
    assert isinstance(read.thinking, Thinking)
    assert isinstance(read.images, bool)
    assert isinstance(read.documents, bool)
    assert len(read.server_tools) <= read.tools
    assert read.effort is None or isinstance(read.effort, str)
