"""OpenAI's own SDK through the real gateway, to both wires."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from pydantic import BaseModel
from tests.support.builders.targets import (
    ALL,
    ANTHROPIC,
    COMPATIBLE,
    GEMINI,
    OPENAI,
    RESPONSES,
    Target,
    streamed,
)
from tests.support.clients.scenarios import PIXEL
from tests.support.processes.gateway import System

from claude_gateway_scripted import Scripted
from claude_gateway_scripted.embeddings import vector

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "array", "items": {"type": "integer"}}},
    "required": ["city"],
}
FUNCTION = {"name": "weather", "description": "The weather of a city", "parameters": SCHEMA}
TOOL: Any = {"type": "function", "function": FUNCTION}
FLAT_TOOL: Any = {"type": "function", **FUNCTION}
USAGE = {"input": 100, "cache_read": 40, "output": 9}


@pytest.fixture
def client(stack: System) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=stack.openai_url, api_key=stack.key, max_retries=0) as running:
        yield running


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


def test_chat_is_answered(client: openai.OpenAI, upstream: Scripted, target: Target) -> None:
    upstream.script({"text": "one two", "usage": USAGE})
    messages: Any = [{"role": "system", "content": "be brief"}, *user("hello")]
    answer = client.chat.completions.create(model=target.model, messages=messages, max_tokens=99)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("one two", "stop")
    usage = answer.usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    found = (
        usage.prompt_tokens,
        usage.prompt_tokens_details.cached_tokens,
        usage.completion_tokens,
        usage.total_tokens,
    )
    assert found == (140, 40, 9, 149)
    assert target.saw(upstream.last)
    assert b"be brief" in upstream.last.body


def test_chat_is_streamed_with_usage(client: openai.OpenAI, upstream: Scripted, target: Target) -> None:
    upstream.script({"text": "one two three", "usage": USAGE})
    chunks = list(
        client.chat.completions.create(
            model=target.model, messages=user("hello"), stream=True, stream_options={"include_usage": True}
        )
    )
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces) == "one two three"
    assert sum(bool(piece) for piece in pieces) > 1
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    usage = chunks[-1].usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (140, 9)
    assert streamed(upstream.last)
    assert target.saw(upstream.last)


def test_chat_without_wanted_usage_has_no_chunk_for_it(
    client: openai.OpenAI, upstream: Scripted, target: Target
) -> None:
    chunks = list(client.chat.completions.create(model=target.model, messages=user("hello"), stream=True))
    # Clients that did not ask trip over a chunk without choices.
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "echo: hello"
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_chat_tools_go_round(client: openai.OpenAI, upstream: Scripted, target: Target) -> None:
    asked = user('[[tool weather {"city": "Wien", "days": [1, 2]}]] [[tool weather {"city": "Graz"}]]')
    with client.chat.completions.stream(model=target.model, messages=asked, tools=[TOOL]) as stream:
        choice = stream.get_final_completion().choices[0]
    calls = choice.message.tool_calls or []
    assert [json.loads(call.function.arguments) for call in calls] == [
        {"city": "Wien", "days": [1, 2]},
        {"city": "Graz"},
    ]
    assert choice.finish_reason == "tool_calls"
    assert b"The weather of a city" in upstream.last.body
    results = [{"role": "tool", "tool_call_id": call.id, "content": f"sun {n}"} for n, call in enumerate(calls)]
    back: Any = [*asked, choice.message.model_dump(exclude_none=True, exclude={"parsed"}), *results]
    answer = client.chat.completions.create(model=target.model, messages=back, tools=[TOOL])
    assert answer.choices[0].message.content == 'tool said: ["sun 0", "sun 1"]'
    assert target.saw(upstream.last)


def test_chat_limits_come_through(client: openai.OpenAI, upstream: Scripted, target: Target) -> None:
    answer = client.chat.completions.create(model=target.model, messages=user("[[words 40]]"), max_tokens=20)
    assert (len(str(answer.choices[0].message.content).split()), answer.choices[0].finish_reason) == (20, "length")


def test_responses_are_answered(client: openai.OpenAI, upstream: Scripted, target: Target) -> None:
    upstream.script({"text": "one two", "usage": USAGE})
    answer = client.responses.create(model=target.model, instructions="be brief", input="hello", max_output_tokens=99)
    assert (answer.output_text, answer.status) == ("one two", "completed")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (140, 9)
    assert target.saw(upstream.last)
    assert b"be brief" in upstream.last.body


def test_responses_are_streamed(client: openai.OpenAI, upstream: Scripted, target: Target) -> None:
    upstream.script({"text": "one two three", "usage": USAGE})
    with client.responses.stream(model=target.model, input="hello") as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        answer = stream.get_final_response()
    assert len(deltas) > 1
    assert "".join(deltas) == answer.output_text == "one two three"
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (140, 9)
    assert target.saw(upstream.last)


def test_responses_tools_go_round(client: openai.OpenAI, upstream: Scripted, target: Target) -> None:
    asked: Any = user('[[tool weather {"city": "Wien", "days": [1, 2]}]]')
    answer = client.responses.create(model=target.model, input=asked, tools=[FLAT_TOOL])
    (call,) = [item for item in answer.output if item.type == "function_call"]
    assert json.loads(call.arguments) == {"city": "Wien", "days": [1, 2]}
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "sun"}
    back: Any = [*asked, call.model_dump(exclude_none=True), result]
    assert (
        client.responses.create(model=target.model, input=back, tools=[FLAT_TOOL]).output_text == 'tool said: ["sun"]'
    )
    assert target.saw(upstream.last)


def test_a_compatible_server_is_asked_in_chat_completions_only(
    client: openai.OpenAI, stack: System, upstream: Scripted
) -> None:
    client.chat.completions.create(model=COMPATIBLE.model, messages=user("hello"))
    assert client.responses.create(model=COMPATIBLE.model, input="hello").output_text == "echo: hello"
    with anthropic.Anthropic(base_url=stack.url, api_key=stack.key) as other:
        other.messages.create(model=COMPATIBLE.model, max_tokens=99, messages=user("hello"))
    assert [COMPATIBLE.saw(request) for request in upstream.requests] == [True] * 3


@pytest.mark.parametrize("target", [ANTHROPIC, OPENAI], ids=str)
def test_completions_are_answered_and_streamed(client: openai.OpenAI, upstream: Scripted, target: Target) -> None:
    assert client.completions.create(model=target.model, prompt="hello", max_tokens=99).choices[0].text == "echo: hello"
    chunks = client.completions.create(model=target.model, prompt="a b c", max_tokens=99, stream=True)
    assert "".join(chunk.choices[0].text or "" for chunk in chunks) == "echo: a b c"
    assert upstream.last.path == {ANTHROPIC: "/v1/messages", OPENAI: "/v1/completions"}[target]


def test_embeddings_are_passed_on(client: openai.OpenAI, upstream: Scripted) -> None:
    answer = client.embeddings.create(model=OPENAI.model, input=["one", "two"])
    assert [item.embedding for item in answer.data] == [pytest.approx(vector(word)) for word in ("one", "two")]
    assert (upstream.last.path, upstream.last.json["model"]) == ("/v1/embeddings", OPENAI.upstream_model)


def test_embeddings_of_a_vendor_that_has_none_are_refused(client: openai.OpenAI, upstream: Scripted) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.embeddings.create(model=ANTHROPIC.model, input="one")
    assert 400 <= caught.value.status_code < 500
    assert isinstance(caught.value.body, dict)
    assert upstream.requests == ()


def test_models_are_listed(client: openai.OpenAI) -> None:
    assert {model.id for model in client.models.list()} == {target.model for target in ALL} | {COMPATIBLE.alias}
    assert client.models.retrieve(OPENAI.model).object == "model"


def test_a_wrong_key_is_refused(stack: System, upstream: Scripted, target: Target) -> None:
    with (
        openai.OpenAI(base_url=stack.openai_url, api_key="cgw_wrong", max_retries=3) as client,
        pytest.raises(openai.AuthenticationError),
    ):
        client.chat.completions.create(model=target.model, messages=user("hello"))
    assert upstream.requests == ()


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="claude-on-openay") as caught:
        client.chat.completions.create(model="claude-on-openay", messages=user("hello"))
    assert caught.value.code == "model_not_found"
    assert OPENAI.model in str(caught.value)


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, openai.BadRequestError), (404, openai.NotFoundError), (429, openai.RateLimitError)],
)
def test_errors_of_the_upstream_come_through(
    client: openai.OpenAI, upstream: Scripted, target: Target, status: int, error: type[openai.APIStatusError]
) -> None:
    upstream.script({"status": status, "error_message": "as the vendor said", "headers": {"retry-after": "7"}})
    with pytest.raises(error, match="as the vendor said") as caught:
        client.chat.completions.create(model=target.model, messages=user("hello"))
    assert caught.value.request_id
    if status == 429:
        assert caught.value.response.headers["retry-after"] == "7"


def test_a_failure_in_the_middle_of_a_stream_is_an_error(
    client: openai.OpenAI, upstream: Scripted, target: Target
) -> None:
    upstream.script({"text": "one two three", "midstream": "error"})
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model=target.model, messages=user("hello"), stream=True))


async def test_the_async_client_works_too(stack: System, upstream: Scripted, target: Target) -> None:
    async with openai.AsyncOpenAI(base_url=stack.openai_url, api_key=stack.key) as client:
        answer = await client.chat.completions.create(model=target.model, messages=user("hello"))
    assert answer.choices[0].message.content == "echo: hello"


async def test_the_async_client_streams_too(stack: System, upstream: Scripted, target: Target) -> None:
    async with openai.AsyncOpenAI(base_url=stack.openai_url, api_key=stack.key) as client:
        chunks = await client.chat.completions.create(model=target.model, messages=user("say [[words 5]]"), stream=True)
        pieces = [chunk.choices[0].delta.content or "" async for chunk in chunks]
    assert sum(bool(piece) for piece in pieces) > 1
    assert "".join(pieces) == "word1 word2 word3 word4 word5"


def test_answers_follow_a_schema(client: openai.OpenAI, upstream: Scripted, target: Target) -> None:
    class Place(BaseModel):
        city: str
        sunny: bool

    answer = client.chat.completions.parse(model=target.model, messages=user("hello"), response_format=Place)
    assert isinstance(answer.choices[0].message.parsed, Place)
    parsed = client.responses.parse(model=target.model, input="hello", text_format=Place)
    assert isinstance(parsed.output_parsed, Place)
    assert target.saw(upstream.last)


def test_pictures_are_seen(client: openai.OpenAI, upstream: Scripted, target: Target) -> None:
    picture = base64.b64encode(PIXEL).decode()
    content = [
        {"type": "text", "text": "what is it"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
    ]
    messages: Any = [{"role": "user", "content": content}]
    answer = client.chat.completions.create(model=target.model, messages=messages)
    assert answer.choices[0].message.content == "echo: what is it"
    assert picture.encode() in upstream.last.body


# What a Claude is asked then depends on its name, and the scripted one's is nobody's.
@pytest.mark.parametrize("target", [OPENAI, RESPONSES, GEMINI], ids=str)
def test_effort_is_passed_on(client: openai.OpenAI, upstream: Scripted, target: Target) -> None:
    answer = client.chat.completions.create(
        model=target.model, messages=user("hello"), reasoning_effort="high", max_completion_tokens=20_000
    )
    assert answer.choices[0].message.content == "echo: hello"
    body = upstream.last.body.decode()
    assert any(word in body for word in ("reasoning", "thinking", "effort")), body
