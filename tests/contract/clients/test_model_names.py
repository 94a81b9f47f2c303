"""The vendors' own SDKs get the name that they asked for, whole and streamed, and every spelling works for them."""

from typing import Any, Final

import anthropic
import openai
import pytest
from tests.support.builders.targets import OPENAI, Target
from tests.support.processes.gateway import System

from claude_gateway_scripted import Recorded, Scripted

_MESSAGES: Final[Any] = [{"role": "user", "content": "hello"}]


def _spellings(target: Target) -> list[str]:
    """The target's name; with a context that its client wants; and with a provider that no route has."""
    return [target.model, f"{target.model}[1m]", f"some-provider/{target.model}"]


def _bare(name: str) -> str:
    return name.removesuffix("[1m]")


def test_anthropics_sdk(stack: System, upstream: Scripted, target: Target) -> None:
    with anthropic.Anthropic(base_url=stack.url, api_key=stack.key, max_retries=0) as client:
        for name in _spellings(target):
            message = client.messages.create(model=name, max_tokens=9, messages=_MESSAGES)
            assert message.model == _bare(name)
            with client.messages.stream(model=name, max_tokens=9, messages=_MESSAGES) as stream:
                assert stream.get_final_message().model == _bare(name)
    assert all(_reached(seen, target) for seen in upstream.requests)


def test_openais_sdk_in_chat(stack: System, upstream: Scripted, target: Target) -> None:
    with openai.OpenAI(base_url=stack.openai_url, api_key=stack.key, max_retries=0) as client:
        for name in _spellings(target):
            answer = client.chat.completions.create(model=name, messages=_MESSAGES)
            assert answer.model == _bare(name)
            chunks = list(client.chat.completions.create(model=name, messages=_MESSAGES, stream=True))
            assert {chunk.model for chunk in chunks} == {_bare(name)}
    assert all(_reached(seen, target) for seen in upstream.requests)


def test_openais_sdk_in_responses(stack: System, upstream: Scripted, target: Target) -> None:
    with openai.OpenAI(base_url=stack.openai_url, api_key=stack.key, max_retries=0) as client:
        for name in _spellings(target):
            assert client.responses.create(model=name, input="hello").model == _bare(name)
            events = list(client.responses.create(model=name, input="hello", stream=True))
            assert {event.response.model for event in events if hasattr(event, "response")} == {_bare(name)}
    assert all(_reached(seen, target) for seen in upstream.requests)


def _reached(seen: Recorded, target: Target) -> bool:
    """Return whether the upstream was asked for the target's model, in the body or in the path."""
    return seen.json.get("model") == target.upstream_model or target.upstream_model in seen.path


@pytest.mark.parametrize("form", ["float", "base64"])
def test_openais_sdk_in_embeddings(stack: System, upstream: Scripted, form: Any) -> None:
    name = f"{OPENAI.model}[1m]"
    with openai.OpenAI(base_url=stack.openai_url, api_key=stack.key, max_retries=0) as client:
        answer = client.embeddings.create(model=name, input="hello", encoding_format=form)
    assert answer.model == OPENAI.model
    assert upstream.last.json["model"] == OPENAI.upstream_model
