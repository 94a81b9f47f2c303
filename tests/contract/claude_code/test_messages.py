"""The backend speaks Messages as Anthropic does, with the genuine CLI and a scripted Anthropic."""

import json

from tests.support.processes.backend import LOGIN, Backend

from claude_gateway_scripted import Scripted
from claude_gateway_scripted.journal import digest


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
