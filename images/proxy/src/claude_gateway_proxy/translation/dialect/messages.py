"""The whole request: what of Claude Code's dialect becomes plain Messages, and what has no meaning elsewhere."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from claude_gateway_proxy.translation.dialect.blocks import content, text_of
from claude_gateway_proxy.translation.dialect.tools import absent, choice, plain_tools, used_names

Json = dict[str, Any]

_KEPT: Final = frozenset({"max_tokens", "model", "stop_sequences", "stream", "temperature", "top_k", "top_p"})
_THINKING: Final = ("type", "budget_tokens", "display")
_BILLING: Final = "x-anthropic-billing-header:"
_ENCODER: Final = msgspec.json.Encoder()


def plain_messages(raw: bytes) -> bytes:
    """Turn a request in Claude Code's dialect into one that any Messages implementation takes.

    Total: what is not a Messages request stays as it is, for the next one to refuse. Unknown fields are dropped:
    betas and fields come in pairs that only Anthropic's own API knows.
    """
    try:
        request = msgspec.json.decode(raw, type=Json)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return raw
    messages = request.get("messages")
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        return raw
    plain: Json = {key: value for key, value in request.items() if key in _KEPT}
    plain["messages"] = list(_folded(messages))
    system = "\n\n".join(filter(None, (_system(request.get("system")), absent(request.get("tools")))))
    if system:
        plain["system"] = system
    tools = plain_tools(request.get("tools"), used=used_names(messages))
    if tools:
        plain["tools"] = tools
        plain |= choice(request.get("tool_choice"), tools)
    plain |= _effort(request.get("thinking"), request.get("output_config"), messages)
    return _ENCODER.encode(plain)


def _system(system: Any) -> str:
    """The system prompt as one text, without the line that is for Anthropic's billing."""
    if isinstance(system, str):
        return system
    texts = [text_of(block) for block in system] if isinstance(system, list) else []
    return "\n\n".join(text for text in texts if text and not text.startswith(_BILLING))


def _folded(messages: Sequence[Json]) -> Iterator[Json]:
    """User and assistant turns; a system message in between becomes a reminder in the user turn next to it.

    Reminders go behind an earlier user turn, as Claude Code sends them, else to the front of a later one.
    """
    last: Json | None = None
    waiting: list[Json] = []
    for message in messages:
        role, blocks = message.get("role"), content(message.get("content"))
        if role == "system":
            reminders = _reminders(blocks)
            if last is not None and last["role"] == "user":
                last["content"] += reminders
            else:
                waiting += reminders
            continue
        if role == "user" and waiting:
            blocks, waiting = _with_reminders(blocks, waiting), []
        if not blocks:
            continue
        if last is not None:
            yield last
        if waiting:
            yield {"role": "user", "content": waiting}
            waiting = []
        last = {"role": role, "content": blocks}
    if last is not None:
        yield last
    if waiting:
        yield {"role": "user", "content": waiting}


def _reminders(blocks: Sequence[Json]) -> list[Json]:
    text = "\n".join(found for block in blocks if (found := text_of(block)))
    return [{"type": "text", "text": f"<system-reminder>\n{text}\n</system-reminder>"}] if text.strip() else []


def _with_reminders(blocks: Sequence[Json], reminders: Sequence[Json]) -> list[Json]:
    """Results of tools must come first in the turn that answers a call."""
    at = next((number for number, block in enumerate(blocks) if block["type"] != "tool_result"), len(blocks))
    return [*blocks[:at], *reminders, *blocks[at:]]


def _effort(thinking: Any, output_config: Any, messages: Sequence[Json]) -> Json:
    """How much to think, whether to show it, and the form of the answer.

    A system message may have an effort of its own, which holds from its turn on; the last one says what counts now.
    """
    config = output_config if isinstance(output_config, dict) else {}
    kept: Json = {}
    for source in (config, *(message.get("output_config") for message in messages if message.get("role") == "system")):
        if isinstance(source, dict) and isinstance(source.get("effort"), str):
            kept["effort"] = source["effort"]
    if isinstance(config.get("format"), dict):
        kept["format"] = config["format"]
    found: Json = {"output_config": kept} if kept else {}
    if isinstance(thinking, dict) and isinstance(thinking.get("type"), str):
        found["thinking"] = {key: thinking[key] for key in _THINKING if key in thinking}
    return found
