"""What every client of a model needs, from a model that really thinks of its answers: in each format, by each lane."""

import json

import anthropic
import httpx
import openai
import pytest
from tests.real.callers import SCHEMA, Caller, claude, gpt, incomplete
from tests.support.clients import cli
from tests.support.processes.gateway import System
from tests.support.processes.llama import CONTEXT

PROMPT = "What is the capital of Spain?"
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@both
def test_a_prompt_is_answered(stack: System, caller: Caller, target: str, stream: bool) -> None:
    if stream and incomplete(caller.name, target):
        with pytest.raises(AttributeError):
            caller.ask(stack, target, PROMPT, stream=stream)
        return
    said = caller.ask(stack, target, PROMPT, stream=stream)
    assert "Madrid" in said.text
    assert said.ended in ("end_turn", "stop_sequence", "stop", "completed")
    assert said.model == target
    assert said.input_tokens > 10
    assert 1 < said.output_tokens <= 32


@both
def test_a_forced_tool_is_called(stack: System, caller: Caller, target: str, stream: bool) -> None:
    if stream and incomplete(caller.name, target):
        with pytest.raises(AttributeError):
            caller.ask(stack, target, "What is the weather in Paris?", stream=stream, tool=True)
        return
    said = caller.ask(stack, target, "What is the weather in Paris?", stream=stream, tool=True)
    (call,) = said.calls
    assert set(call) == set(SCHEMA["properties"])
    assert isinstance(call["city"], str)
    assert said.ended in ("tool_use", "tool_calls", "completed")


def test_the_result_of_a_tool_goes_back(stack: System, target: str) -> None:
    tools = [{"name": "weather", "input_schema": SCHEMA}]
    call = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Paris"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "It is sunny in Paris."}
    messages = [
        {"role": "user", "content": "What is the weather in Paris?"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    with claude(stack) as client:
        answer = client.messages.create(model=target, max_tokens=24, messages=messages, tools=tools)  # type: ignore[arg-type]
    assert answer.content
    assert answer.usage.output_tokens > 0


@pytest.mark.parametrize("asked", ["chat", "litellm"])
def test_an_answer_has_the_schema_that_was_asked_for(stack: System, caller: Caller, asked: str) -> None:
    """llama.cpp knows a schema in Chat alone: it ignores that of Messages (output_config) and of Responses (text)."""
    said = caller.ask(stack, asked, "In which city is the Eiffel Tower? As JSON.", schema=True)
    assert set(json.loads(said.text)) == {"city"}


def test_a_prompt_that_is_too_long_is_refused_in_words_that_clients_know(
    stack: System, caller: Caller, target: str
) -> None:
    with pytest.raises((anthropic.BadRequestError, openai.BadRequestError)) as refused:
        caller.ask(stack, target, "word " * (CONTEXT + 1000), stream=True)
    assert isinstance(refused.value, anthropic.BadRequestError | openai.BadRequestError)
    error = refused.value.response.json()["error"]
    if caller.name == "Messages":
        assert error["message"].startswith("prompt is too long: ")
        assert f"> {CONTEXT} maximum" in error["message"]
    else:
        assert error["code"] == "context_length_exceeded"


def test_tokens_are_counted_by_the_server(stack: System) -> None:
    with claude(stack) as client:
        few, many = (
            client.messages.count_tokens(model="messages", messages=[{"role": "user", "content": "word " * times}])
            for times in (10, 110)
        )
    assert many.input_tokens - few.input_tokens == 100


def test_claude_code_has_its_answer(stack: System, target: str) -> None:
    arguments = ["-p", "--output-format", "json", "--tools", "", "--system-prompt", "Be brief.", "--", PROMPT]
    environment = {"CLAUDE_CODE_MAX_OUTPUT_TOKENS": "64"}
    done = cli.run(arguments, url=stack.url, key=stack.key, model=target, environment=environment)
    assert done.rc == 0, done.stdout + done.stderr
    # Among the CLI's own words, a model this small may answer with a mere line break.
    assert done.result["usage"]["output_tokens"] > 0
    assert done.result["is_error"] is False


def test_a_model_without_images_is_asked_without_one(stack: System, target: str) -> None:
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": pixel}}
    body = {
        "model": target,
        "max_tokens": 8,
        "messages": [{"role": "user", "content": [image, {"type": "text", "text": "What is this?"}]}],
    }
    headers = {"authorization": f"Bearer {stack.key}", "anthropic-version": "2023-06-01"}
    answer = httpx.post(f"{stack.url}/v1/messages", json=body, headers=headers, timeout=300)
    if target == "messages":
        # A relay sends what it gets. The server's 500 would be a failure, at which clients try again for minutes.
        assert answer.status_code == 400, answer.text
        assert "image" in answer.json()["error"]["message"].lower()
    else:
        assert answer.status_code == 200, answer.text


def test_what_the_server_does_not_serve_is_refused(stack: System) -> None:
    with gpt(stack) as client, pytest.raises(openai.APIStatusError) as refused:
        client.embeddings.create(model="chat", input="hello")
    assert refused.value.status_code in (400, 404, 501)
