"""What a request says, whatever its format: the newest user text, tool results, limits; and the text's directives."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from claude_gateway_scripted.judge import is_asked
from claude_gateway_scripted.script import Json

_REMINDER: Final = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
_DIRECTIVE: Final = re.compile(r"\[\[(think|slow|pace|words|status)(?: +([\d.]+))?\]\]")
_TOOL: Final = re.compile(r"\[\[tool +(\S+) +(?=\{)")
_DECODER: Final = json.JSONDecoder()


class InvalidRequestError(Exception):
    """A request that the vendor would answer with 400; the message is the vendor's ``error.message``."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request read for answering.

    ``results`` are the tool results that came with or after the newest user text. ``tools`` maps the names of the
    offered tools to their input schemas; ``forced`` is the one that must be called. ``schema`` is the JSON schema
    that the text must follow. ``safeguards`` says that a verdict on tool calls is asked for.
    """

    model: str
    stream: bool = False
    text: str = ""
    results: tuple[str, ...] = ()
    tools: Mapping[str, Json] = field(default_factory=dict)
    forced: str | None = None
    parallel: bool = True
    thinks: bool = False
    shows_thinking: bool = True
    max_tokens: int | None = None
    stops: tuple[str, ...] = ()
    schema: Json | None = None
    usage_in_stream: bool = False
    safeguards: bool = False


@dataclass(frozen=True, slots=True)
class Directives:
    """What the newest user text asks for in ``[[...]]``; delays in seconds."""

    tools: tuple[tuple[str, Json], ...] = ()
    think: bool = False
    slow: float = 0.0
    pace: float | None = None
    words: int | None = None
    status: int = 200


class Reader:
    """Collects user texts and tool results in the order of a conversation; the newest of each stay."""

    def __init__(self) -> None:
        self.text = ""
        self.results: list[str] = []
        self._calls: set[str] = set()

    def called(self, call_id: object) -> None:
        """Record a tool call that the model made earlier."""
        self._calls.add(str(call_id))

    def user_turn(self, texts: list[str], results: list[tuple[str, str]]) -> None:
        """Record one user turn: its texts and its tool results (call id, text).

        Raises InvalidRequestError for a result without its call: a lost or renamed call id is a translation error.
        """
        spoken = [text for text in map(_without_reminders, texts) if text]
        if spoken:
            self.text = spoken[-1]
            self.results = []
        for call_id, text in results:
            if call_id not in self._calls:
                raise InvalidRequestError(f"no tool call with id {call_id!r} precedes its result")
            self.results.append(text)


def directives(text: str) -> Directives:
    """Find the directives in a user text; malformed ones, and those that are only quoted to a judge, are plain text."""
    if is_asked(text):
        return Directives()
    found: dict[str, str] = {match[1]: match[2] or "" for match in _DIRECTIVE.finditer(text)}
    return Directives(
        tools=tuple(_tool_calls(text)),
        think="think" in found,
        slow=_number(found.get("slow")) or 0.0,
        pace=_number(found.get("pace")),
        words=int(words) if (words := _number(found.get("words"))) is not None else None,
        status=int(_number(found.get("status")) or 200),
    )


def text_of(content: Any, *, kinds: tuple[str, ...] = ("text",)) -> list[str]:
    """Return the texts of a content value: a string, or a list of parts of which those of ``kinds`` count."""
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        return []
    return [str(part.get("text", "")) for part in content if isinstance(part, dict) and part.get("type") in kinds]


def model_of(body: Json) -> str:
    """Return the model's name. Raises InvalidRequestError when there is none."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise InvalidRequestError("model: Field required")
    return model


def messages_of(body: Json, key: str = "messages") -> list[Json]:
    """Return a list of objects. Raises InvalidRequestError when it is missing, empty or holds anything else."""
    messages = body.get(key)
    if not isinstance(messages, list) or not messages:
        raise InvalidRequestError(f"{key}: at least one is required")
    if not all(isinstance(message, dict) for message in messages):
        raise InvalidRequestError(f"{key}: Input should be an object")
    return messages


def _without_reminders(text: str) -> str:
    # Claude Code puts reminders into user turns; translators may merge them with the user's own text.
    return _REMINDER.sub("", text).strip()


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _tool_calls(text: str) -> list[tuple[str, Json]]:
    calls: list[tuple[str, Json]] = []
    for match in _TOOL.finditer(text):
        try:
            arguments, end = _DECODER.raw_decode(text, match.end())
        except ValueError:
            continue
        if text.startswith("]]", end):
            calls.append((match[1], arguments))
    return calls
