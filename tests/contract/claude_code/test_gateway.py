"""Through the gateway, one's own login answers every client: Messages, Chat Completions and Responses."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

import anthropic
import openai
import pytest
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr
from tests.support.clients import cli
from tests.support.processes.backend import LOGIN, Backend
from tests.support.processes.gateway import System

from claude_gateway_scripted import Scripted
from claude_gateway_scripted.journal import digest

EXAMPLE: Final = Path(__file__).parents[3] / "examples" / "claude-code" / "gateway.yaml"
KEY: Final = "cgw_the-key-of-the-login's-owner"


@pytest.fixture(scope="module")
def serving(running: tuple[Backend, Scripted]) -> Iterator[System]:
    """The example's routes, in front of the backend."""
    backend, _ = running
    with System(claude_code=(backend.url, backend.key.encode())) as system:
        manifests = EXAMPLE.read_text().replace("$CLAUDE_CODE_OAUTH_TOKEN", LOGIN).replace("$MY_KEY", KEY)
        system.apply(manifests)
        yield system


@pytest.fixture
def gateway(serving: System, backend: Backend) -> Iterator[System]:
    """The gateway; afterwards neither login nor key may stand in a log."""
    yield serving
    assert serving.leaks(LOGIN, KEY, backend.key) == []


@pytest.fixture
def chat(gateway: System) -> Iterator[openai.OpenAI]:
    """OpenAI's SDK."""
    with openai.OpenAI(base_url=gateway.openai_url, api_key=KEY, max_retries=0) as client:
        yield client


def user(text: str) -> Any:
    """A conversation of one message."""
    return [{"role": "user", "content": text}]


def asked_as_alice(upstream: Scripted) -> bool:
    """Whether Claude Code asked once, with the login."""
    return [dict(request.headers)["Authorization"] for request in upstream.requests] == [f"Bearer {digest(LOGIN)}"]


@pytest.mark.parametrize("model", ["default", "claude-code-sdk/haiku", "claude-3-5-haiku-20240307", "claude-code/opus"])
def test_chat_is_answered(chat: openai.OpenAI, upstream: Scripted, model: str) -> None:
    upstream.script({"text": "one two", "usage": {"input": 100, "cache_read": 40, "output": 9}})
    answer = chat.chat.completions.create(model=model, messages=user("hello"))
    assert answer.choices[0].message.content == "one two"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (140, 9)
    assert asked_as_alice(upstream)


def test_chat_is_streamed(chat: openai.OpenAI, upstream: Scripted) -> None:
    upstream.script({"text": "one two three"})
    chunks = list(chat.chat.completions.create(model="sonnet", messages=user("hello"), stream=True, n=1))
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces) == "one two three"
    assert sum(bool(piece) for piece in pieces) > 1
    assert asked_as_alice(upstream)


def test_tools_of_chat_go_round(chat: openai.OpenAI, upstream: Scripted) -> None:
    tool: Any = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    messages = user('weather? [[tool weather {"city": "Paris"}]] [[tool weather {"city": "Rome"}]]')
    stream = chat.chat.completions.create(model="sonnet", messages=messages, tools=[tool], stream=True)
    calls: dict[int, dict[str, str]] = {}
    for chunk in stream:
        for part in (chunk.choices[0].delta.tool_calls if chunk.choices else None) or ():
            call = calls.setdefault(part.index, {"id": part.id or "", "arguments": ""})
            call["arguments"] += (part.function and part.function.arguments) or ""
    assert [json.loads(call["arguments"]) for call in calls.values()] == [{"city": "Paris"}, {"city": "Rome"}]
    made = [
        {"id": call["id"], "type": "function", "function": {"name": "weather", "arguments": call["arguments"]}}
        for call in calls.values()
    ]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "sun"} for call in calls.values()]
    history = [*messages, {"role": "assistant", "content": None, "tool_calls": made}, *results]
    answer = chat.chat.completions.create(model="sonnet", messages=history, tools=[tool])
    assert answer.choices[0].message.content == 'tool said: ["sun", "sun"]'


class Trip(BaseModel):
    """What a program wants to know."""

    city: str
    days: int


def test_chat_follows_a_schema(chat: openai.OpenAI, upstream: Scripted) -> None:
    answer = chat.chat.completions.parse(model="sonnet", messages=user("where?"), response_format=Trip)
    assert answer.choices[0].message.parsed == Trip(city="scripted", days=1)
    assert asked_as_alice(upstream)


def test_responses_are_streamed(chat: openai.OpenAI, upstream: Scripted) -> None:
    upstream.script({"text": "one two"})
    events = list(chat.responses.create(model="opus", input="hello", stream=True))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "one two"
    assert events[-1].type == "response.completed"
    assert asked_as_alice(upstream)


def test_langchain_gets_structured_output(gateway: System, upstream: Scripted) -> None:
    model = ChatOpenAI(model="sonnet", base_url=gateway.openai_url, api_key=SecretStr(KEY), max_retries=0)
    assert model.invoke("hello").text == "echo: hello"
    assert model.with_structured_output(Trip).invoke("where?") == Trip(city="scripted", days=1)


def test_messages_are_streamed(gateway: System, upstream: Scripted) -> None:
    with (
        anthropic.Anthropic(base_url=gateway.url, api_key=KEY, max_retries=0) as client,
        client.messages.stream(model="opus", max_tokens=99, messages=user("hello")) as stream,
    ):
        assert "".join(stream.text_stream) == "echo: hello"
        assert stream.get_final_message().model == "opus"
    assert asked_as_alice(upstream)


def test_a_rejected_login_is_no_error_of_the_clients_key(chat: openai.OpenAI, upstream: Scripted) -> None:
    upstream.script({"status": 401, "error_message": "OAuth token revoked"})
    with pytest.raises(openai.InternalServerError) as failed:
        chat.chat.completions.create(model="sonnet", messages=user("hello"))
    assert failed.value.status_code >= 500


@pytest.mark.parametrize("release", get_args(cli.Release))
def test_claude_code_asks_its_own_kind(gateway: System, upstream: Scripted, release: cli.Release) -> None:
    done = cli.run(
        ["-p", '[[tool Bash {"command": "echo of-the-client"}]] run it', "--allowedTools", "Bash"],
        url=gateway.url,
        key=KEY,
        model="claude-sonnet-5-5",
        release=release,
    )
    assert done.rc == 0, done
    assert 'tool said: ["of-the-client"]' in done.stdout
    assert done.other_hosts == ()
