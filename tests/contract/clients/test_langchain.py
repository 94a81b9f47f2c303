"""LangChain's chat models through the real gateway, to both wires."""

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import SecretStr
from tests.support.builders.targets import Target, streamed
from tests.support.processes.gateway import System

from claude_gateway_scripted import Scripted

USAGE = {"input": 100, "cache_read": 40, "output": 9}


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"sun in {city}"


@pytest.fixture(params=["ChatOpenAI", "ChatAnthropic"])
def chat(request: pytest.FixtureRequest, stack: System, target: Target) -> Iterator[BaseChatModel]:
    key = SecretStr(stack.key)
    if request.param == "ChatOpenAI":
        yield ChatOpenAI(model=target.model, base_url=stack.openai_url, api_key=key, max_retries=0, stream_usage=True)
    else:
        yield ChatAnthropic(model=target.model, base_url=stack.url, api_key=key, max_retries=0, timeout=60, stop=None)


def test_it_invokes(chat: BaseChatModel, upstream: Scripted, target: Target) -> None:
    upstream.script({"text": "one two", "usage": USAGE})
    answer = chat.invoke([("system", "be brief"), ("user", "hello")])
    assert answer.text == "one two"
    usage: Any = answer.usage_metadata
    assert (usage["input_tokens"], usage["output_tokens"]) == (140, 9)
    assert usage["input_token_details"]["cache_read"] == 40
    assert target.saw(upstream.last)


def test_it_streams(chat: BaseChatModel, upstream: Scripted, target: Target) -> None:
    upstream.script({"text": "one two three", "usage": USAGE})
    chunks = list(chat.stream("hello"))
    assert sum(bool(chunk.text) for chunk in chunks) > 1
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert isinstance(whole, AIMessageChunk)
    assert whole.text == "one two three"
    assert whole.usage_metadata is not None
    assert (whole.usage_metadata["input_tokens"], whole.usage_metadata["output_tokens"]) == (140, 9)
    assert streamed(upstream.last)


def test_its_tools_go_round(chat: BaseChatModel, upstream: Scripted, target: Target) -> None:
    bound = chat.bind_tools([weather])
    asked = HumanMessage('[[tool weather {"city": "Wien"}]]')
    answer = bound.invoke([asked])
    (call,) = answer.tool_calls
    assert (call["name"], call["args"]) == ("weather", {"city": "Wien"})
    result = weather.invoke(call)
    assert isinstance(result, ToolMessage)
    assert bound.invoke([asked, answer, result]).text == 'tool said: ["sun in Wien"]'
    assert b"The weather of a city" in upstream.last.body
    assert target.saw(upstream.last)


def test_its_structured_output_has_the_schema(chat: BaseChatModel, upstream: Scripted, target: Target) -> None:
    schema = {
        "title": "Person",
        "description": "Somebody",
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
    }
    method = "function_calling"
    assert chat.with_structured_output(schema, method=method).invoke("who") == {"name": "scripted", "age": 1}
