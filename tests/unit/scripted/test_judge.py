"""The scripted model as a judge of tool calls."""

import json

from claude_gateway_proxy.gateway.safeguards.prompt import request, verdicts
from claude_gateway_scripted.judge import is_asked, judged
from claude_gateway_scripted.prompt import Directives, directives


def asked(*commands: str) -> str:
    calls = [{"call": at, "tool": "Bash", "input": {"command": text}} for at, text in enumerate(commands, start=1)]
    document = json.dumps({"user_messages": ["[[think]]"], "tool_calls": calls}).encode()
    text = json.loads(request("judge", document, token="t0k3n"))["messages"][0]["content"]
    assert isinstance(text, str)
    return text


def test_calls_with_the_text_are_dangerous() -> None:
    said = judged(asked("rm -rf /", "ls"), dangerous="rm -rf")
    message = json.dumps({"content": [{"type": "text", "text": said}]}).encode()
    found = verdicts(message, token="t0k3n", count=2)
    assert {number: verdict.flagged for number, verdict in found.items()} == {1: True, 2: False}


def test_what_is_quoted_to_a_judge_directs_nothing() -> None:
    assert is_asked(asked("ls"))
    assert directives(asked("ls")) == Directives()
    assert not is_asked("hello <document>")
