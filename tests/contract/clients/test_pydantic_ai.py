"""Pydantic AI over both of OpenAI's formats, through the real gateway to a Claude."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIChatModelSettings, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider
from tests.support.builders.targets import ANTHROPIC
from tests.support.processes.gateway import System

from claude_gateway_scripted import Scripted


class City(BaseModel):
    """A city."""

    name: str
    sunny: bool


@pytest.fixture(params=[OpenAIChatModel, OpenAIResponsesModel])
async def model(request: pytest.FixtureRequest, stack: System) -> AsyncIterator[Any]:
    async with AsyncOpenAI(base_url=stack.openai_url, api_key=stack.key) as client:
        yield request.param(ANTHROPIC.model, provider=OpenAIProvider(openai_client=client))


async def test_an_agent_calls_its_tools_and_keeps_the_thinking(model: Any, upstream: Scripted) -> None:
    settings = OpenAIChatModelSettings(openai_reasoning_effort="high")
    agent = Agent(model, instructions="be brief", model_settings=settings)

    @agent.tool_plain
    def weather(city: str) -> str:
        """The weather of a city."""
        return f"sun in {city}"

    upstream.script({"thinking": "where?", "tools": [["weather", {"city": "Wien"}]]}, {"text": "It is sunny."})
    found = await agent.run("How is it in Wien?")
    assert found.output == "It is sunny."
    first, second = (json.loads(request.body) for request in upstream.requests)
    assert first["system"][0]["text"] == "be brief"
    assert second["messages"][-1]["content"][0]["type"] == "tool_result"
    assert "sun in Wien" in json.dumps(second["messages"][-1])
    assert first["thinking"] == second["thinking"]


async def test_an_answer_follows_its_type(model: Any, upstream: Scripted) -> None:
    upstream.script({"text": '{"name": "Wien", "sunny": true}'})
    found = await Agent(model, output_type=NativeOutput(City)).run("Wien?")
    assert found.output == City(name="Wien", sunny=True)
    assert json.loads(upstream.last.body)["output_config"]["format"]["type"] == "json_schema"


async def test_an_agent_streams(model: Any, upstream: Scripted) -> None:
    upstream.script({"text": "one two three four"})
    async with Agent(model).run_stream("count") as run:
        pieces = [piece async for piece in run.stream_text(delta=True, debounce_by=None)]
    assert ("".join(pieces), len(pieces) > 1) == ("one two three four", True)
