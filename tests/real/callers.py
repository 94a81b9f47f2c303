"""Clients of the three formats, made of the vendors' SDKs, which ask for the same things."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import anthropic
import openai
from tests.support.processes.gateway import System

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 20}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL: Final = "weather"
MOST: Final = 32
"""Tokens of an answer: enough for a sentence."""
_TOOL_MOST: Final = 80
_SCHEMA_MOST: Final = 200
"""The grammar of a schema lets the model write lines of spaces between the parts."""
_PATIENCE: Final = 600.0
"""Seconds until a client gives up: a busy machine may need minutes for an answer."""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer: its text, the input of the tool calls in it, how it ended, and the tokens."""

    text: str
    calls: tuple[Any, ...]
    ended: str
    model: str
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Caller:
    """A client of one format; ``ask`` takes the gateway, a model, a prompt, and ``stream``, ``tool`` or ``schema``."""

    name: str
    ask: Callable[..., Said]


@contextmanager
def claude(stack: System) -> Iterator[anthropic.Anthropic]:
    """Anthropic's SDK, which asks once."""
    with anthropic.Anthropic(base_url=stack.url, api_key=stack.key, max_retries=0, timeout=_PATIENCE) as client:
        yield client


@contextmanager
def gpt(stack: System) -> Iterator[openai.OpenAI]:
    """OpenAI's SDK, which asks once."""
    with openai.OpenAI(base_url=stack.openai_url, api_key=stack.key, max_retries=0, timeout=_PATIENCE) as client:
        yield client


def _messages(stack: System, model: str, prompt: str, *, stream: bool = False, **wanted: bool) -> Said:
    fields: dict[str, Any] = {"model": model, "max_tokens": MOST, "messages": [{"role": "user", "content": prompt}]}
    if wanted.get("tool"):
        fields["max_tokens"] = _TOOL_MOST
        fields["tools"] = [{"name": TOOL, "description": "The weather of a city", "input_schema": SCHEMA}]
        fields["tool_choice"] = {"type": "any", "disable_parallel_tool_use": True}
    if wanted.get("schema"):
        fields["max_tokens"] = _SCHEMA_MOST
        fields["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
    with claude(stack) as client:
        if stream:
            with client.messages.stream(**fields) as events:
                answer: Any = events.get_final_message()
        else:
            answer = client.messages.create(**fields)
    usage = answer.usage
    return Said(
        "".join(block.text for block in answer.content if block.type == "text"),
        tuple(block.input for block in answer.content if block.type == "tool_use"),
        answer.stop_reason,
        answer.model,
        usage.input_tokens + (usage.cache_read_input_tokens or 0),
        usage.output_tokens,
    )


def _chat(stack: System, model: str, prompt: str, *, stream: bool = False, **wanted: bool) -> Said:
    fields: dict[str, Any] = {"model": model, "max_tokens": MOST, "messages": [{"role": "user", "content": prompt}]}
    if wanted.get("tool"):
        function = {"name": TOOL, "description": "The weather of a city", "parameters": SCHEMA}
        fields |= {"tools": [{"type": "function", "function": function}], "tool_choice": "required"}
        fields |= {"max_tokens": _TOOL_MOST, "parallel_tool_calls": False}
    if wanted.get("schema"):
        named = {"name": "place", "schema": SCHEMA, "strict": True}
        fields |= {"response_format": {"type": "json_schema", "json_schema": named}, "max_tokens": _SCHEMA_MOST}
    with gpt(stack) as client:
        if stream:
            with client.chat.completions.stream(stream_options={"include_usage": True}, **fields) as events:
                answer: Any = events.get_final_completion()
        else:
            answer = client.chat.completions.create(**fields)
    (choice,) = answer.choices
    return Said(
        choice.message.content or "",
        tuple(json.loads(call.function.arguments) for call in choice.message.tool_calls or ()),
        choice.finish_reason,
        answer.model,
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
    )


def _responses(stack: System, model: str, prompt: str, *, stream: bool = False, **wanted: bool) -> Said:
    fields: dict[str, Any] = {"model": model, "max_output_tokens": MOST, "input": prompt}
    if wanted.get("tool"):
        tool = {"type": "function", "name": TOOL, "description": "The weather of a city", "parameters": SCHEMA}
        fields |= {"tools": [{**tool, "strict": False}], "tool_choice": "required"}
        fields |= {"max_output_tokens": _TOOL_MOST, "parallel_tool_calls": False}
    if wanted.get("schema"):
        fields["max_output_tokens"] = _SCHEMA_MOST
        fields["text"] = {"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}}
    with gpt(stack) as client:
        if stream:
            with client.responses.stream(**fields) as events:
                answer: Any = events.get_final_response()
        else:
            answer = client.responses.create(**fields)
    return Said(
        answer.output_text,
        tuple(json.loads(item.arguments) for item in answer.output if item.type == "function_call"),
        answer.status,
        answer.model,
        answer.usage.input_tokens,
        answer.usage.output_tokens,
    )


def incomplete(caller: str, target: str) -> bool:
    """Whether OpenAI's SDK cannot read the stream: llama.cpp's Responses lack fields that its helper needs.

    A relay sends what it gets. Through Chat, the same client has its stream.
    """
    return (caller, target) == ("Responses", "responses")


CALLERS: Final[Sequence[Caller]] = (
    Caller("Messages", _messages),
    Caller("Chat", _chat),
    Caller("Responses", _responses),
)
