"""The answer itself, before any format: decided from the prompt, the step for this call and the settings."""

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Final, Literal
from uuid import uuid4

from claude_gateway_scripted.judge import is_asked, judged
from claude_gateway_scripted.prompt import Directives, Prompt
from claude_gateway_scripted.script import Config, Json, Step

StopReason = Literal["end_turn", "tool_use", "max_tokens", "stop_sequence"]

QUICKSTART: Final = "This answer is scripted by Claude Gateway's built-in model; no AI was asked. You said: "
THOUGHT: Final = "Let me think about it."
_WORD: Final = re.compile(r"\S+\s*|\s+")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call; ``id`` is the random part, each format sets its own prefix before it."""

    id: str
    name: str
    input: Json

    @property
    def arguments(self) -> str:
        """The input as JSON text."""
        return json.dumps(self.input)


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts. ``input`` is without the cached ones, ``output`` with ``reasoning``."""

    input: int
    output: int
    cache_read: int = 3
    cache_write: int = 0
    reasoning: int = 0

    @property
    def prompt(self) -> int:
        """All input tokens, as OpenAI counts them."""
        return self.input + self.cache_read + self.cache_write

    @property
    def total(self) -> int:
        """All tokens."""
        return self.prompt + self.output


@dataclass(frozen=True, slots=True)
class Answer:
    """The model's answer. ``stop_reason`` is Anthropic's unless a step set it."""

    model: str
    text: str
    thinking: str | None
    tools: tuple[ToolCall, ...]
    stop_reason: str
    stop_sequence: str | None
    usage: Usage
    safeguards: str | None = None


def decide(prompt: Prompt, *, step: Step, directives: Directives, config: Config, size: int) -> Answer:
    """Decide the answer to a prompt whose request body has ``size`` bytes."""
    tools = _tools(prompt, step, directives)
    text, stop_reason, stop_sequence = _limit(_text(prompt, step, directives, config, called=bool(tools)), prompt)
    thinking = step.thinking or (THOUGHT if directives.think and prompt.thinks else None)
    if tools and stop_reason == "end_turn":
        stop_reason = "tool_use"
    reasoning = len(pieces(thinking or ""))
    output = len(pieces(text)) + sum(len(call.arguments) // 4 + 1 for call in tools) + reasoning
    usage = Usage(input=estimate(size), output=max(1, output), reasoning=reasoning)
    return Answer(
        model=prompt.model,
        text=text,
        thinking=thinking,
        tools=tools,
        stop_reason=step.stop_reason or stop_reason,
        stop_sequence=stop_sequence,
        usage=replace(usage, **step.usage),
        safeguards=config.safeguards if prompt.safeguards else None,
    )


def pieces(text: str, *, size: int | None = None) -> list[str]:
    """Cut a text into the chunks that are streamed: words with the space behind them, or ``size`` characters."""
    if size is None:
        return _WORD.findall(text)
    return [text[start : start + size] for start in range(0, len(text), size)]


def estimate(size: int) -> int:
    """Return the input tokens that a body of ``size`` bytes counts as."""
    return max(1, size // 4)


def instance(schema: Any) -> Any:
    """Make a small value that follows a JSON schema of the kind that tools and structured outputs have."""
    if not isinstance(schema, dict):
        return "scripted"
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return instance(schema[key][0])
    kind = schema.get("type", "object" if "properties" in schema else "string")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            properties = schema.get("properties", {})
            wanted = schema.get("required", list(properties))
            return {name: instance(properties.get(name)) for name in wanted}
        case "array":
            return [instance(schema.get("items"))] * int(schema.get("minItems", 0))
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "null":
            return None
    return "scripted"


def _tools(prompt: Prompt, step: Step, directives: Directives) -> tuple[ToolCall, ...]:
    if step.tools is not None:
        wanted = step.tools
    elif prompt.forced is not None:
        wanted = ((prompt.forced, instance(prompt.tools.get(prompt.forced, {"type": "object"}))),)
    elif not prompt.results:
        wanted = directives.tools
    else:
        wanted = ()
    calls = tuple(ToolCall(id=uuid4().hex[:24], name=name, input=arguments) for name, arguments in wanted)
    return calls if prompt.parallel else calls[:1]


def _text(prompt: Prompt, step: Step, directives: Directives, config: Config, *, called: bool) -> str:
    if step.text is not None:
        return step.text
    if called:
        return ""
    if prompt.schema is not None:
        return json.dumps(instance(prompt.schema))
    if config.dangerous is not None and is_asked(prompt.text):
        return judged(prompt.text, dangerous=config.dangerous)
    if prompt.results:
        return "tool said: " + json.dumps(prompt.results)
    if directives.words is not None:
        return words(directives.words)
    return (QUICKSTART if config.greeting == "quickstart" else "echo: ") + prompt.text


def words(count: int) -> str:
    """Return a text of ``count`` words."""
    return " ".join(f"word{number}" for number in range(1, count + 1))


def _limit(text: str, prompt: Prompt) -> tuple[str, StopReason, str | None]:
    """Cut a text where a stop sequence or the token limit ends it; a word counts as a token."""
    found = [(at, stop) for stop in prompt.stops if stop and (at := text.find(stop)) >= 0]
    stop_sequence = None
    if found:
        at, stop_sequence = min(found)
        text = text[:at]
    words = pieces(text)
    if prompt.max_tokens is not None and len(words) > prompt.max_tokens:
        return "".join(words[: prompt.max_tokens]).rstrip(), "max_tokens", None
    return text, "stop_sequence" if stop_sequence else "end_turn", stop_sequence
