"""The backend implements Messages as Anthropic does, with the genuine CLI and a scripted Anthropic."""

import json
from typing import Any, Final

import httpx
import pytest
from tests.support.processes.backend import LOGIN, Backend

from claude_gateway_scripted import Scripted
from claude_gateway_scripted.anthropic import SIGNATURE
from claude_gateway_scripted.journal import digest

TOOLS: Final = [
    {"name": name, "description": "one of the client's", "input_schema": {"type": "object", "properties": {}}}
    for name in ("weather", "Read")
]
PIXEL: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
IMAGE: Final = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
PDF: Final = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjAK"}}


def said(text: str) -> dict[str, Any]:
    """A message of the user's."""
    return {"role": "user", "content": text}


def turns(upstream: Scripted) -> list[dict[str, Any]]:
    """The conversation that the upstream got, without what Claude Code says about itself."""
    return [message for message in upstream.last.json["messages"] if message["role"] != "system"]


def blocks(turn: dict[str, Any]) -> list[dict[str, Any]]:
    """The content of a turn as blocks."""
    content = turn["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def test_answers_whole(backend: Backend, upstream: Scripted) -> None:
    answer = backend.ask(system="You are terse.", messages=[{"role": "user", "content": "good morning"}])
    assert answer.status_code == 200, answer.text
    message = answer.json()
    assert message["content"] == [{"type": "text", "text": "echo: good morning"}]
    assert (message["type"], message["role"], message["stop_reason"]) == ("message", "assistant", "end_turn")
    assert message["usage"]["output_tokens"] == 3
    asked = upstream.last
    assert asked.json["system"][-1]["text"] == "You are terse."
    assert dict(asked.headers)["Authorization"] == f"Bearer {digest(LOGIN)}"
    assert len(upstream.requests) == 1


def test_streams_the_events_of_anthropic(backend: Backend, upstream: Scripted) -> None:
    answer = backend.ask(stream=True)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    kinds = [event["type"] for event in events if event["type"] != "ping"]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    text = "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta")
    assert text == "echo: hello"


def test_gives_thoughts_with_their_signature(backend: Backend, upstream: Scripted) -> None:
    thinking = {"type": "enabled", "budget_tokens": 1024}
    answer = backend.ask(messages=[said("[[think]] why?")], thinking=thinking, max_tokens=2000)
    thought, text = answer.json()["content"]
    assert thought == {"type": "thinking", "thinking": "Let me think about it.", "signature": SIGNATURE}
    assert text["type"] == "text"
    assert upstream.last.json["thinking"] == thinking


def test_asks_for_no_thoughts_that_the_client_did_not_want(backend: Backend, upstream: Scripted) -> None:
    assert backend.ask(messages=[said("[[think]] hello")]).json()["content"][0]["type"] == "text"
    assert "thinking" not in upstream.last.json
    assert "output_config" not in upstream.last.json


def test_returns_parallel_calls_and_takes_their_results(backend: Backend, upstream: Scripted) -> None:
    question = said('weather? [[tool weather {"city": "Paris"}]] [[tool Read {"file": "/etc/passwd"}]]')
    first = backend.ask(messages=[question], tools=TOOLS, tool_choice={"type": "auto"}).json()
    assert first["stop_reason"] == "tool_use"
    calls = first["content"]
    assert [(call["name"], call["input"]) for call in calls] == [
        ("weather", {"city": "Paris"}),
        ("Read", {"file": "/etc/passwd"}),
    ]
    assert upstream.last.json["tools"] == TOOLS
    results = [
        {"type": "tool_result", "tool_use_id": call["id"], "content": f"result {call['name']}"} for call in calls
    ]
    thought = {"type": "thinking", "thinking": "hm", "signature": SIGNATURE}
    history = [question, {"role": "assistant", "content": [thought, *calls]}, {"role": "user", "content": results}]
    second = backend.ask(
        messages=history, tools=TOOLS, thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=2000
    )
    assert second.json()["content"] == [{"type": "text", "text": 'tool said: ["result weather", "result Read"]'}]
    seen = turns(upstream)
    assert [turn["role"] for turn in seen] == ["user", "assistant", "user"]
    assert seen[1]["content"] == history[1]["content"]
    assert seen[2]["content"] == results


def test_replays_a_conversation_as_it_was_sent(backend: Backend, upstream: Scripted) -> None:
    marked = {"type": "text", "text": "two", "cache_control": {"type": "ephemeral"}}
    history = [
        said("one"),
        said("one and a half"),
        {"role": "assistant", "content": [{"type": "text", "text": "first"}]},
        {"role": "user", "content": [IMAGE, marked]},
        {"role": "system", "content": "be kind"},
        {"role": "assistant", "content": "second"},
        {"role": "user", "content": [PDF, {"type": "text", "text": "three"}]},
    ]
    assert backend.ask(messages=history).status_code == 200
    reminder = "<system-reminder>\nbe kind\n</system-reminder>"
    assert [(turn["role"], blocks(turn)) for turn in turns(upstream)] == [
        ("user", [{"type": "text", "text": "one"}, {"type": "text", "text": "one and a half"}]),
        ("assistant", [{"type": "text", "text": "first"}]),
        ("user", [IMAGE, {"type": "text", "text": "two"}, {"type": "text", "text": reminder}]),
        ("assistant", [{"type": "text", "text": "second"}]),
        ("user", [PDF, {"type": "text", "text": "three"}]),
    ]


def test_passes_settings_on_as_they_were_sent(backend: Backend, upstream: Scripted) -> None:
    wanted: dict[str, Any] = {
        "temperature": 0.25,
        "top_p": 0.5,
        "top_k": 7,
        "stop_sequences": ["STOP"],
        "max_tokens": 77,
    }
    answer = backend.ask(messages=[said("go on STOP here")], **wanted)
    assert answer.json()["stop_reason"] == "stop_sequence"
    assert answer.json()["content"] == [{"type": "text", "text": "echo: go on "}]
    assert {name: upstream.last.json[name] for name in wanted} == wanted


def test_forces_a_tool(backend: Backend, upstream: Scripted) -> None:
    answer = backend.ask(tools=TOOLS, tool_choice={"type": "tool", "name": "weather"})
    assert [block["name"] for block in answer.json()["content"]] == ["weather"]


def test_follows_a_json_schema(backend: Backend, upstream: Scripted) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    wanted = {"type": "json_schema", "schema": schema}
    answer = backend.ask(output_config={"format": wanted, "effort": "low"})
    assert json.loads(answer.json()["content"][0]["text"]) == {"city": "scripted"}
    assert upstream.last.json["output_config"] == {"format": wanted, "effort": "low"}
    assert "structured-outputs-2025-12-15" in dict(upstream.last.headers)["anthropic-beta"]
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("claude-code-sdk/haiku", "claude-haiku-"),
        ("opus", "claude-opus-"),
        ("default", "claude-opus-"),
        ("claude-3-5-haiku-20240307", "claude-haiku-"),
        ("claude-sonnet-4-6", "claude-sonnet-4-6"),
    ],
)
def test_knows_short_old_and_full_names(backend: Backend, upstream: Scripted, name: str, asked: str) -> None:
    assert backend.ask(model=name).status_code == 200
    assert [request.json["model"].startswith(asked) for request in upstream.requests] == [True]


def test_default_falls_back_to_sonnet(backend: Backend, upstream: Scripted) -> None:
    upstream.script({"status": 529, "match": "claude-opus"})
    answer = backend.ask(model="default")
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"].startswith("claude-sonnet-")
    assert len(upstream.requests) == 2


def test_values_that_request_nothing_are_taken(backend: Backend, upstream: Scripted) -> None:
    answer = backend.ask(n=1, presence_penalty=0, frequency_penalty=0.0, metadata={"user_id": "alice"}, seed=None)
    assert answer.status_code == 200, answer.text


def test_names_the_field_that_cannot_be_honoured(backend: Backend, upstream: Scripted) -> None:
    answer = backend.ask(seed=7)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["error"]["message"].startswith("seed: ")
    assert not upstream.requests


def test_counts_tokens_with_anthropics_count(backend: Backend, upstream: Scripted) -> None:
    answer = backend.ask(path="/v1/messages/count_tokens", max_tokens=None, system="You are terse.", tools=TOOLS)
    assert answer.status_code == 200, answer.text
    assert answer.json()["input_tokens"] > 10
    assert {request.path for request in upstream.requests} == {"/v1/messages/count_tokens"}


def test_lists_models(backend: Backend) -> None:
    def get(path: str) -> httpx.Response:
        return httpx.get(f"{backend.url}{path}", headers=backend.headers())

    assert [model["id"] for model in get("/v1/models").json()["data"]] == ["default", "opus", "sonnet", "haiku"]
    assert get("/v1/models/opus").json()["id"] == "opus"
    assert get("/v1/models/gpt-5").status_code == 404
