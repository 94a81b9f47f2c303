"""A conversation that began with another model, on its way to Claude."""

import json
from typing import Any

import pytest

from claude_gateway_proxy.gateway.body.document import parse, splice
from claude_gateway_proxy.gateway.body.foreign import without_foreign_thinking
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
