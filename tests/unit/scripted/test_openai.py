"""The OpenAI formats as OpenAI's own SDK sees them."""

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from claude_gateway_scripted import Scripted, digest

TOOL: Any = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def client(upstream: Scripted) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=upstream.openai_url, api_key="secret-2", max_retries=0) as running:
        yield running


def user(content: str) -> Any:
    return [{"role": "user", "content": content}]


def test_chat_is_answered(client: openai.OpenAI, upstream: Scripted) -> None:
    answer = client.chat.completions.create(model="m", messages=user("hello [[think]]"))
    message = answer.choices[0].message
    assert message.content == "echo: hello [[think]]"
    assert message.model_extra == {"reasoning_content": "Let me think about it."}
    assert answer.usage is not None
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 3
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert upstream.last.credential == digest("secret-2")


def test_chat_is_streamed_with_usage_only_when_wanted(client: openai.OpenAI) -> None:
    wanted = list(
        client.chat.completions.create(
            model="m", messages=user("a b"), stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in wanted[:-1]) == "echo: a b"
    assert (wanted[-1].choices, wanted[-1].usage is None) == ([], False)
    assert all(chunk.usage is None and "usage" in chunk.model_fields_set for chunk in wanted[:-1])
    plain = list(client.chat.completions.create(model="m", messages=user("a b"), stream=True))
    assert all("usage" not in chunk.model_fields_set for chunk in plain)
    assert plain[-1].choices[0].finish_reason == "stop"


def test_a_stream_ends_with_done(upstream: Scripted) -> None:
    body = {"model": "m", "stream": True, "messages": user("a")}
    assert httpx.post(f"{upstream.openai_url}/chat/completions", json=body).text.endswith("data: [DONE]\n\n")


def test_chat_tools_go_round(client: openai.OpenAI) -> None:
    asked = user('[[tool f {"city": "Wien", "days": [1, 2]}]] [[tool f {}]]')
    with client.chat.completions.stream(model="m", messages=asked) as stream:
        message = stream.get_final_completion().choices[0].message
    calls = message.tool_calls or []
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Wien", "days": [1, 2]}, {}]
    replies: list[Any] = [{"role": "tool", "tool_call_id": call.id, "content": f"r{n}"} for n, call in enumerate(calls)]
    back: Any = [*asked, message.model_dump(exclude_none=True), *replies]
    answer = client.chat.completions.create(model="m", messages=back)
    assert answer.choices[0].message.content == 'tool said: ["r0", "r1"]'
    lost: Any = {**replies[0], "tool_call_id": "lost"}
    with pytest.raises(openai.BadRequestError, match="lost"):
        client.chat.completions.create(model="m", messages=[*asked, lost])


def test_chat_choices_are_obeyed(client: openai.OpenAI) -> None:
    forced: Any = client.chat.completions.create(model="m", messages=user("x"), tools=[TOOL], tool_choice="required")
    assert forced.choices[0].finish_reason == "tool_calls"
    single = client.chat.completions.create(
        model="m", messages=user("[[tool f {}]] [[tool f {}]]"), tools=[TOOL], parallel_tool_calls=False
    )
    assert len(single.choices[0].message.tool_calls or []) == 1
    short = client.chat.completions.create(model="m", messages=user("[[words 9]]"), max_completion_tokens=2)
    assert (short.choices[0].message.content, short.choices[0].finish_reason) == ("word1 word2", "length")
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
    shaped = client.chat.completions.create(model="m", messages=user("x"), response_format=wanted)
    assert json.loads(shaped.choices[0].message.content or "") == {"n": 1}


def test_completions_are_answered_and_streamed(client: openai.OpenAI) -> None:
    assert client.completions.create(model="m", prompt="hi").choices[0].text == "echo: hi"
    chunks = client.completions.create(model="m", prompt="a b", stream=True, stream_options={"include_usage": True})
    seen = list(chunks)
    assert "".join(chunk.choices[0].text for chunk in seen[:-1]) == "echo: a b"
    assert seen[-1].usage is not None


def test_responses_are_answered(client: openai.OpenAI) -> None:
    answer = client.responses.create(model="m", input="hi [[think]]")
    assert (answer.output_text, answer.status) == ("echo: hi [[think]]", "completed")
    assert [item.type for item in answer.output] == ["reasoning", "message"]
    assert answer.usage is not None
    assert answer.usage.input_tokens_details.cached_tokens == 3
    cut = client.responses.create(model="m", input="[[words 9]]", max_output_tokens=2)
    assert (cut.status, cut.incomplete_details and cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")


def test_responses_are_streamed_in_numbered_events(client: openai.OpenAI) -> None:
    events = list(client.responses.create(model="m", input="hi [[think]]", stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type.removeprefix("response.") for event in events]
    assert kinds[:2] == ["created", "in_progress"]
    assert kinds[-3:] == ["content_part.done", "output_item.done", "completed"]
    assert kinds.index("reasoning_summary_text.done") < kinds.index("output_text.delta")
    assert (
        "".join(event.delta for event in events if event.type == "response.output_text.delta") == "echo: hi [[think]]"
    )


def test_responses_tools_go_round(client: openai.OpenAI) -> None:
    asked: Any = [{"role": "user", "content": [{"type": "input_text", "text": '[[tool f {"a": 1}]]'}]}]
    with client.responses.stream(model="m", input=asked) as stream:
        response = stream.get_final_response()
    call = response.output[0]
    assert call.type == "function_call"
    assert json.loads(call.arguments) == {"a": 1}
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "42"}
    back: Any = [*asked, call.model_dump(exclude_none=True), result]
    assert client.responses.create(model="m", input=back).output_text == 'tool said: ["42"]'


def test_embeddings_are_stable_unit_vectors(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="e", input=["a", "b", "a"], dimensions=8)
    first, second, third = (item.embedding for item in answer.data)
    assert first == third != second
    assert sum(value * value for value in first) == pytest.approx(1)
    floats = client.embeddings.create(model="e", input="a", dimensions=8, encoding_format="float").data[0].embedding
    assert floats == pytest.approx(first)
    raw: Any = client.embeddings.create(model="e", input="a", dimensions=8, encoding_format="base64").data[0].embedding
    assert struct.unpack("<8f", base64.b64decode(raw)) == pytest.approx(first)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, openai.AuthenticationError), (429, openai.RateLimitError), (503, openai.InternalServerError)],
)
def test_errors_have_the_envelope_of_openai(
    client: openai.OpenAI, status: int, error: type[openai.APIStatusError]
) -> None:
    with pytest.raises(error) as caught:
        client.responses.create(model="m", input=f"[[status {status}]]")
    assert sorted(caught.value.body) == ["code", "message", "param", "type"]  # type: ignore[call-overload]


def test_an_unknown_path_is_not_found(upstream: Scripted) -> None:
    assert httpx.post(f"{upstream.url}/chat/completions", json={}).status_code == 404
    assert httpx.get(f"{upstream.url}/v1/chat/completions").status_code == 405
    assert httpx.head(f"{upstream.url}/").status_code == 200
