"""The Messages wire as Anthropic's own SDK and a raw socket see it."""

import json
from typing import Any

import anthropic
import httpx
import pytest

from claude_gateway_scripted import Scripted, digest


def ask(client: anthropic.Anthropic, content: Any, **more: Any) -> anthropic.types.Message:
    request: dict[str, Any] = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": content}]}
    message: anthropic.types.Message = client.messages.create(**{**request, **more})
    return message


def text(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def test_the_newest_user_text_is_echoed_and_recorded(client: anthropic.Anthropic, upstream: Scripted) -> None:
    message = ask(client, "hello")
    assert text(message) == "echo: hello"
    assert (message.stop_reason, message.usage.cache_read_input_tokens) == ("end_turn", 3)
    seen = upstream.last
    assert (seen.method, seen.path, seen.status) == ("POST", "/v1/messages", 200)
    assert seen.json == json.loads(seen.body)
    assert seen.credential == digest("secret-1")
    assert "secret-1" not in repr(seen)


def test_events_come_in_the_order_of_the_vendor(upstream: Scripted) -> None:
    body = {"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": "a b"}]}
    answer = httpx.post(f"{upstream.url}/v1/messages", json=body)
    kinds = [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
    deltas = ["content_block_delta"] * 3
    begin = ["message_start", "content_block_start", "ping"]
    assert kinds == [*begin, *deltas, "content_block_stop", "message_delta", "message_stop"]
    assert answer.headers["content-type"].startswith("text/event-stream")


def test_parallel_tool_calls_and_thinking_are_streamed(client: anthropic.Anthropic) -> None:
    with client.messages.stream(
        model="m",
        max_tokens=2000,
        thinking={"type": "enabled", "budget_tokens": 1024},
        messages=[{"role": "user", "content": '[[think]] [[tool f {"a": [["]]"]]}]] [[tool g {}]]'}],
    ) as stream:
        message = stream.get_final_message()
    thought, *calls = message.content
    assert thought.type == "thinking"
    assert thought.signature
    assert [(call.name, call.input) for call in calls if call.type == "tool_use"] == [("f", {"a": [["]]"]]}), ("g", {})]
    assert message.stop_reason == "tool_use"


def test_thinking_is_given_only_to_those_who_ask(client: anthropic.Anthropic) -> None:
    assert [block.type for block in ask(client, "[[think]]").content] == ["text"]


def test_omitted_thinking_has_a_signature_and_no_text(client: anthropic.Anthropic) -> None:
    with client.messages.stream(
        model="m",
        max_tokens=2000,
        messages=[{"role": "user", "content": "[[think]]"}],
        extra_body={"thinking": {"type": "adaptive", "display": "omitted"}},
    ) as stream:
        thought = stream.get_final_message().content[0]
    assert thought.type == "thinking"
    assert (thought.thinking, bool(thought.signature)) == ("", True)


def test_a_tool_result_is_answered_and_ends_the_directive(client: anthropic.Anthropic) -> None:
    first = {"role": "user", "content": '[[tool f {"a": 1}]]'}
    call = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "42"}]}
    reminder = {"type": "text", "text": "<system-reminder>do [[tool f {}]]</system-reminder>"}
    messages = [
        first,
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result, reminder]},
        {"role": "system", "content": "be kind"},
    ]
    assert text(ask(client, "", messages=messages)) == 'tool said: ["42"]'
    again = [*messages, {"role": "assistant", "content": "fine"}, {"role": "user", "content": "thanks"}]
    assert text(ask(client, "", messages=again)) == "echo: thanks"


def test_a_result_without_its_call_is_refused(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="toolu_lost"):
        ask(client, [{"type": "tool_result", "tool_use_id": "toolu_lost", "content": "x"}])


def test_a_reminder_is_not_what_the_user_said(client: anthropic.Anthropic) -> None:
    reminder = {"type": "text", "text": "<system-reminder>x</system-reminder>"}
    assert text(ask(client, [{"type": "text", "text": "hi"}, reminder])) == "echo: hi"
    assert text(ask(client, "<system-reminder>x</system-reminder>\nhi")) == "echo: hi"


def test_a_forced_tool_is_called_with_what_its_schema_wants(client: anthropic.Anthropic) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "unit": {"enum": ["C", "F"]}},
        "required": ["city", "days", "unit"],
    }
    message = ask(client, "x", tools=[{"name": "w", "input_schema": schema}], tool_choice={"type": "tool", "name": "w"})
    call = message.content[0]
    assert call.type == "tool_use"
    assert call.input == {"city": "scripted", "days": 1, "unit": "C"}


def test_parallel_calls_can_be_switched_off(client: anthropic.Anthropic) -> None:
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    message = ask(client, "[[tool f {}]] [[tool g {}]]", tools=[{"name": "f", "input_schema": {}}], tool_choice=choice)
    assert len(message.content) == 1


def test_a_json_schema_is_followed(client: anthropic.Anthropic) -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    message = ask(client, "x", extra_body={"output_config": {"format": {"type": "json_schema", "schema": schema}}})
    assert json.loads(text(message)) == {"title": "scripted"}


def test_limits_end_the_answer(client: anthropic.Anthropic) -> None:
    cut = ask(client, "[[words 50]]", max_tokens=5)
    assert (text(cut), cut.stop_reason) == ("word1 word2 word3 word4 word5", "max_tokens")
    stopped = ask(client, "one two three", stop_sequences=["two", "three"])
    assert (text(stopped), stopped.stop_reason, stopped.stop_sequence) == ("echo: one ", "stop_sequence", "two")


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (401, anthropic.AuthenticationError, "authentication_error"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (529, anthropic.InternalServerError, "overloaded_error"),
    ],
)
def test_a_prompt_can_ask_for_an_error(
    client: anthropic.Anthropic, status: int, error: type[anthropic.APIStatusError], kind: str
) -> None:
    with pytest.raises(anthropic.APIStatusError) as caught:
        ask(client, f"[[status {status}]]")
    assert isinstance(caught.value, error) or status == 529
    assert caught.value.status_code == status
    assert caught.value.body["error"]["type"] == kind  # type: ignore[index]


@pytest.mark.parametrize("missing", ["model", "max_tokens", "messages"])
def test_an_incomplete_request_is_refused(upstream: Scripted, missing: str) -> None:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]}
    del body[missing]
    answer = httpx.post(f"{upstream.url}/v1/messages", json=body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert missing in answer.json()["error"]["message"]


def test_tokens_are_counted_and_can_be_absent(client: anthropic.Anthropic, upstream: Scripted) -> None:
    messages: list[anthropic.types.MessageParam] = [{"role": "user", "content": "x" * 400}]
    assert client.messages.count_tokens(model="m", messages=messages).input_tokens > 100
    upstream.configure(count_tokens=404)
    with pytest.raises(anthropic.NotFoundError):
        client.messages.count_tokens(model="m", messages=messages)


def test_models_are_listed_in_the_shape_of_the_caller(client: anthropic.Anthropic, upstream: Scripted) -> None:
    upstream.configure(model_ids=["a", "b"])
    assert [model.id for model in client.models.list()] == ["a", "b"]
    assert client.models.retrieve("a").type == "model"
    assert httpx.get(f"{upstream.url}/v1/models").json()["object"] == "list"


def test_safeguards_are_judged_when_a_verdict_is_set(client: anthropic.Anthropic, upstream: Scripted) -> None:
    upstream.configure(safeguards="flagged")
    body = {
        "model": "m",
        "max_tokens": 9,
        "stream": True,
        "safeguards": [{"type": "dangerous_tool_use"}],
        "messages": [{"role": "user", "content": "[[tool f {}]]"}],
    }
    events = httpx.post(f"{upstream.url}/v1/messages", json=body).text
    delta = next(
        json.loads(line[6:]) for line in events.splitlines() if line.startswith('data: {"type":"message_delta"')
    )
    (verdict,) = delta["delta"]["safeguard_results"][0]["status"]["tool_uses"].values()
    assert verdict == {"type": "evaluated", "outcome": "flagged"}
