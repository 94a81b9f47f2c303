"""A conversation that began with another model, on its way to Claude."""

import json
from typing import Any

import pytest

from claude_gateway_proxy.gateway.body.document import parse, splice
from claude_gateway_proxy.gateway.body.foreign import without_foreign_thinking, without_thinking
from claude_gateway_proxy.translation.thinking import MARK, Thought, sign

OURS = {"type": "thinking", "thinking": "", "signature": sign(Thought(text="because"))}
CLAUDES = {"type": "thinking", "thinking": "so", "signature": "EqoBCkYIBxgC"}
TEXT = {"type": "text", "text": f"this code writes {MARK} as a mark"}


def relayed(*messages: Any) -> Any:
    """The messages as Claude gets them; None where the body is untouched."""
    body = parse(json.dumps({"model": "m", "messages": messages, "max_tokens": 1}).encode())
    changes = without_foreign_thinking(body)
    return json.loads(splice(body, changes))["messages"] if changes else None


def turn(*content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(content)}


@pytest.mark.parametrize("messages", [[], [turn(CLAUDES)], [{"role": "user", "content": "hi"}], "x"])
def test_a_conversation_of_claudes_is_not_looked_into(messages: Any) -> None:
    body = parse(json.dumps({"model": "m", "messages": messages}).encode())
    assert without_foreign_thinking(body) == {}


def test_only_what_claude_would_refuse_is_left_out() -> None:
    user = {"role": "user", "content": "hi"}
    found = relayed(user, turn(OURS, TEXT), turn(CLAUDES, TEXT), turn(OURS), {"role": "user", "content": MARK})
    assert found == [user, turn(TEXT), turn(CLAUDES, TEXT), {"role": "user", "content": MARK}]


def test_every_other_byte_stays() -> None:
    raw = (
        b'{"model":"m","messages":[ {"role":"assistant", "content":[%s, {"type":"text","text":"\\u00e9" }]} ], "x":1.0}'
    )
    body = parse(raw % json.dumps(OURS).encode())
    assert b'{"type":"text","text":"\\u00e9" }' in splice(body, without_foreign_thinking(body))
    assert splice(body, without_foreign_thinking(body)).endswith(b', "x":1.0}')


@pytest.mark.parametrize("content", [MARK, [MARK], [[MARK]], [{"type": "thinking", "signature": [MARK]}], {"a": MARK}])
def test_odd_content_stays(content: Any) -> None:
    message = {"role": "assistant", "content": content}
    assert relayed(message) == [message]


def test_all_thinking_goes_where_claude_refused_a_signature() -> None:
    redacted = {"type": "redacted_thinking", "data": "x"}
    messages = [{"role": "user", "content": "thinking"}, turn(CLAUDES, redacted, TEXT, 5), turn(CLAUDES)]
    asked = {"model": "m", "messages": messages, "thinking": {"type": "enabled"}, "context_management": {}}
    body = parse(json.dumps(asked).encode())
    found = json.loads(splice(body, without_thinking(body)))
    assert found == {**asked, "messages": [messages[0], turn(TEXT, 5)]}
    result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]}
    body = parse(json.dumps({**asked, "messages": [*messages, result]}).encode())
    found = json.loads(splice(body, without_thinking(body)))
    assert found == {"model": "m", "messages": [messages[0], turn(TEXT, 5), result]}


@pytest.mark.parametrize(
    "messages", [[], "x", [{"role": "user", "content": "thinking"}], [turn({"type": 5, "thinking": 1})]]
)
def test_without_thinking_there_is_nothing_to_leave_out(messages: Any) -> None:
    assert without_thinking(parse(json.dumps({"model": "m", "messages": messages}).encode())) == {}
