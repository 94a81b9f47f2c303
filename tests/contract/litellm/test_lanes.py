"""One conversation through the whole gateway, from one vendor's model to another's and back."""

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from tests.support.builders.targets import ANTHROPIC_KEY, GOOGLE_KEY, OPENAI_KEY, ROUTES
from tests.support.processes.gateway import System, secret

from claude_gateway_scripted import Scripted

TOOL: Any = {"name": "look", "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}}}
MODELS = ("claude-on-responses", "claude-on-gemini", "claude-on-openai", "claude-on-anthropic")


@pytest.fixture(scope="module")
def upstream() -> Iterator[Scripted]:
    """Every vendor at once."""
    with Scripted() as scripted:
        yield scripted


@pytest.fixture(scope="module")
def client(upstream: Scripted) -> Iterator[anthropic.Anthropic]:
    """A client of the gateway."""
    with System() as system:
        secrets = {"anthropic": ANTHROPIC_KEY, "openai": OPENAI_KEY, "google": GOOGLE_KEY}
        system.apply(ROUTES.format(url=upstream.url), *(secret(name, key) for name, key in secrets.items()))
        with anthropic.Anthropic(api_key=system.key, base_url=system.url, max_retries=0) as made:
            yield made


@pytest.mark.parametrize("second", MODELS)
@pytest.mark.parametrize("first", MODELS)
def test_a_conversation_goes_on_with_another_model(
    client: anthropic.Anthropic, upstream: Scripted, first: str, second: str
) -> None:
    upstream.script({"thinking": "hm", "text": "let me look", "tools": [["look", {"at": "a"}], ["look", {"at": "b"}]]})
    asked: Any = {"max_tokens": 2000, "tools": [TOOL], "thinking": {"type": "enabled", "budget_tokens": 1024}}
    messages: list[Any] = [{"role": "user", "content": "look twice"}]
    with client.messages.stream(model=first, messages=messages, **asked) as stream:
        answer = stream.get_final_message()
    assert [block.type for block in answer.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert answer.stop_reason == "tool_use"
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": f"found {block.input['at']}"}
        for block in answer.content
        if block.type == "tool_use"
    ]
    # As every client does, with all that it was given, whatever model wrote it.
    messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    said = client.messages.create(model=second, messages=messages, **asked)
    assert said.content[-1].type == "text"
    assert '"found a", "found b"' in said.content[-1].text
    body = upstream.last.body.decode()
    assert "cgw1." not in body, "no upstream gets a signature of the gateway's"
    kept = second == first == "claude-on-anthropic"
    assert ('"signature"' in body) is kept, "a Claude gets its own thoughts, and no others"
