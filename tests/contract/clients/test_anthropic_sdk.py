"""Anthropic's own SDK through the real gateway, to both wires."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from tests.support.builders.targets import ALL, ANTHROPIC, COMPATIBLE, OPENAI, Target, streamed
from tests.support.clients.scenarios import PIXEL
from tests.support.processes.gateway import System
from tests.support.processes.waiting import until

from claude_gateway_scripted import Scripted

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "array", "items": {"type": "integer"}}},
    "required": ["city"],
}
WEATHER: Any = {"name": "weather", "description": "The weather of a city", "input_schema": SCHEMA}
USAGE = {"input": 100, "cache_read": 40, "output": 9}


@pytest.fixture
def client(stack: System) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=stack.url, api_key=stack.key, max_retries=0) as running:
        yield running


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


def text(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def test_a_message_is_answered(client: anthropic.Anthropic, upstream: Scripted, target: Target) -> None:
    upstream.script({"text": "one two", "usage": USAGE})
    message = client.messages.create(model=target.model, max_tokens=99, system="be brief", messages=user("hello"))
    assert (text(message), message.stop_reason) == ("one two", "end_turn")
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (100, 40, 9)
    assert target.saw(upstream.last)
    assert b"be brief" in upstream.last.body


def test_a_message_is_streamed(client: anthropic.Anthropic, upstream: Scripted, target: Target) -> None:
    upstream.script({"text": "one two three", "usage": USAGE})
    with client.messages.stream(model=target.model, max_tokens=99, messages=user("hello")) as stream:
        pieces = list(stream.text_stream)
        message = stream.get_final_message()
    assert len(pieces) > 1
    assert "".join(pieces) == text(message) == "one two three"
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (100, 40, 9)
    assert streamed(upstream.last)
    assert target.saw(upstream.last)


def test_tools_go_round(client: anthropic.Anthropic, upstream: Scripted, target: Target) -> None:
    asked = user('[[tool weather {"city": "Wien", "days": [1, 2]}]] [[tool weather {"city": "Graz"}]]')
    with client.messages.stream(model=target.model, max_tokens=999, tools=[WEATHER], messages=asked) as stream:
        message = stream.get_final_message()
    calls = [block for block in message.content if block.type == "tool_use"]
    assert [call.input for call in calls] == [{"city": "Wien", "days": [1, 2]}, {"city": "Graz"}]
    assert message.stop_reason == "tool_use"
    assert b"The weather of a city" in upstream.last.body
    results: Any = [
        {"type": "tool_result", "tool_use_id": call.id, "content": f"sun {n}"} for n, call in enumerate(calls)
    ]
    back: Any = [
        *asked,
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in message.content]},
        {"role": "user", "content": results},
    ]
    answer = client.messages.create(model=target.model, max_tokens=999, tools=[WEATHER], messages=back)
    assert text(answer) == 'tool said: ["sun 0", "sun 1"]'
    assert target.saw(upstream.last)


def test_a_tool_can_be_forced(client: anthropic.Anthropic, upstream: Scripted, target: Target) -> None:
    message = client.messages.create(
        model=target.model,
        max_tokens=99,
        tools=[WEATHER],
        tool_choice={"type": "tool", "name": "weather"},
        messages=user("how is it"),
    )
    assert [(block.name, block.input) for block in message.content if block.type == "tool_use"] == [
        ("weather", {"city": "scripted"})
    ]


def test_thinking_is_shown(client: anthropic.Anthropic, upstream: Scripted, target: Target) -> None:
    with client.messages.stream(
        model=target.model,
        max_tokens=2048,
        thinking={"type": "enabled", "budget_tokens": 1024},
        messages=user("[[think]] hello"),
    ) as stream:
        message = stream.get_final_message()
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.content[0].type == "thinking"
    assert message.content[0].thinking == "Let me think about it."


def test_limits_and_stop_reasons_come_through(client: anthropic.Anthropic, upstream: Scripted, target: Target) -> None:
    message = client.messages.create(model=target.model, max_tokens=20, messages=user("[[words 40]]"))
    assert (len(text(message).split()), message.stop_reason) == (20, "max_tokens")


def test_tokens_are_counted_by_the_vendor(client: anthropic.Anthropic, upstream: Scripted) -> None:
    small = client.messages.count_tokens(model=ANTHROPIC.model, messages=user("hello"))
    large = client.messages.count_tokens(model=ANTHROPIC.model, messages=user("hello " * 500))
    assert 0 < small.input_tokens < 200 < large.input_tokens
    assert [request.path for request in upstream.requests] == ["/v1/messages/count_tokens"] * 2


def test_tokens_that_nobody_can_count_are_not_guessed(client: anthropic.Anthropic, upstream: Scripted) -> None:
    with pytest.raises(anthropic.APIStatusError, match="cannot be counted") as caught:
        client.messages.count_tokens(model=OPENAI.model, messages=user("hello"))
    assert caught.value.status_code == 501
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert upstream.requests == ()


def test_models_are_listed(client: anthropic.Anthropic) -> None:
    models = {model.id: model.display_name for model in client.models.list()}
    assert set(models) == {target.model for target in ALL} | {COMPATIBLE.alias}
    assert models[ANTHROPIC.model] == "Claude"


def test_a_wrong_key_is_refused(stack: System, upstream: Scripted, target: Target) -> None:
    with (
        anthropic.Anthropic(base_url=stack.url, api_key="cgw_wrong", max_retries=3) as client,
        pytest.raises(anthropic.AuthenticationError) as caught,
    ):
        client.messages.create(model=target.model, max_tokens=9, messages=user("hello"))
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert upstream.requests == ()


def test_an_unknown_model_is_not_found(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="claude-on-anthropik") as caught:
        client.messages.create(model="claude-on-anthropik", max_tokens=9, messages=user("hello"))
    assert ANTHROPIC.model in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (404, "not_found_error"), (429, "rate_limit_error"), (529, "overloaded_error")],
)
def test_errors_of_the_upstream_come_through(
    client: anthropic.Anthropic, upstream: Scripted, target: Target, status: int, kind: str
) -> None:
    upstream.script({"status": status, "error_message": "as the vendor said", "headers": {"retry-after": "7"}})
    with pytest.raises(anthropic.APIStatusError, match="as the vendor said") as caught:
        client.messages.create(model=target.model, max_tokens=9, messages=user("hello"))
    assert caught.value.status_code == status
    assert caught.value.request_id
    body: Any = caught.value.body
    assert (body["type"], body["error"]["type"]) == ("error", kind)
    if status in (429, 529):
        assert caught.value.response.headers["retry-after"] == "7"


def test_a_refused_key_of_our_own_is_not_the_clients_fault(
    client: anthropic.Anthropic, upstream: Scripted, target: Target
) -> None:
    upstream.script({"status": 401, "error_message": "invalid x-api-key"})
    with pytest.raises(anthropic.InternalServerError, match="credential") as caught:
        client.messages.create(model=target.model, max_tokens=9, messages=user("hello"))
    assert caught.value.status_code == 502


def test_a_failure_in_the_middle_of_a_stream_is_an_error(
    client: anthropic.Anthropic, upstream: Scripted, target: Target
) -> None:
    upstream.script({"text": "one two three", "midstream": "error", "error_type": "overloaded_error"})
    with (
        pytest.raises(anthropic.APIStatusError) as caught,
        client.messages.stream(model=target.model, max_tokens=99, messages=user("hello")) as stream,
    ):
        stream.until_done()
    assert json.dumps(caught.value.body).count('"type": "error"') == 1


def test_a_client_that_leaves_ends_the_upstreams_work(
    client: anthropic.Anthropic, upstream: Scripted, target: Target
) -> None:
    upstream.script({"text": "one two three", "midstream": "hang"})
    with client.messages.stream(model=target.model, max_tokens=99, messages=user("hello")) as stream:
        assert next(stream.text_stream)
        assert upstream.last.disconnected is None
    until(lambda: upstream.last.disconnected is not None, what="the upstream to be left")
    assert upstream.open_streams == 0


async def test_the_async_client_works_too(stack: System, upstream: Scripted, target: Target) -> None:
    async with anthropic.AsyncAnthropic(base_url=stack.url, auth_token=stack.key, api_key=None) as client:
        message = await client.messages.create(model=target.model, max_tokens=99, messages=user("hello"))
    assert text(message) == "echo: hello"


async def test_the_async_client_streams_too(stack: System, upstream: Scripted, target: Target) -> None:
    async with (
        anthropic.AsyncAnthropic(base_url=stack.url, auth_token=stack.key, api_key=None) as client,
        client.messages.stream(model=target.model, max_tokens=99, messages=user("say [[words 5]]")) as stream,
    ):
        pieces = [piece async for piece in stream.text_stream]
        message = await stream.get_final_message()
    assert len(pieces) > 1
    assert "".join(pieces) == text(message) == "word1 word2 word3 word4 word5"


def test_betas_go_to_those_who_know_them(client: anthropic.Anthropic, upstream: Scripted, target: Target) -> None:
    message = client.beta.messages.create(
        model=target.model, max_tokens=99, messages=user("hello"), betas=["some-beta-2027-01-01"]
    )
    assert [block.text for block in message.content if block.type == "text"] == ["echo: hello"]
    assert upstream.last.header("anthropic-beta") == ("some-beta-2027-01-01" if target is ANTHROPIC else None)


def test_pictures_are_seen(client: anthropic.Anthropic, upstream: Scripted, target: Target) -> None:
    picture = base64.b64encode(PIXEL).decode()
    source: Any = {"type": "base64", "media_type": "image/png", "data": picture}
    content: Any = [{"type": "image", "source": source}, {"type": "text", "text": "what is it"}]
    message = client.messages.create(model=target.model, max_tokens=99, messages=[{"role": "user", "content": content}])
    assert text(message) == "echo: what is it"
    assert picture.encode() in upstream.last.body


def test_a_batch_is_created_and_its_results_are_read(client: anthropic.Anthropic, upstream: Scripted) -> None:
    params: Any = {"model": ANTHROPIC.model, "max_tokens": 9, "messages": user("hello")}
    batch = client.messages.batches.create(requests=[{"custom_id": "one", "params": params}])
    assert client.messages.batches.retrieve(batch.id).processing_status == "ended"
    (line,) = client.messages.batches.results(batch.id)
    assert (line.custom_id, line.result.type) == ("one", "succeeded")
    assert client.messages.batches.delete(batch.id).type == "message_batch_deleted"
    canceled = client.messages.batches.create(requests=[{"custom_id": "one", "params": params}])
    assert client.messages.batches.cancel(canceled.id).processing_status == "canceling"
    assert upstream.requests[0].json["requests"][0]["params"]["model"] == ANTHROPIC.upstream_model


def test_what_takes_no_batches_is_not_found(client: anthropic.Anthropic, upstream: Scripted) -> None:
    params: Any = {"model": OPENAI.model, "max_tokens": 9, "messages": user("hello")}
    with pytest.raises(anthropic.NotFoundError, match="takes no batches"):
        client.messages.batches.create(requests=[{"custom_id": "one", "params": params}])
    with pytest.raises(anthropic.NotFoundError, match="not listed"):
        client.messages.batches.list()
    with pytest.raises(anthropic.NotFoundError, match="nothing is served"):
        client.beta.files.list()
    assert upstream.requests == ()
