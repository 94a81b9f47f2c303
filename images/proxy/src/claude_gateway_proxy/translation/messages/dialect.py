"""Claude Code's dialect of a request, reduced to the plain Messages that mean something to any model."""

from collections.abc import Iterator, Sequence
from typing import Final

from claude_gateway_proxy.translation.messages.content import content, text_of
from claude_gateway_proxy.translation.messages.shapes import Document, Turn
from claude_gateway_proxy.translation.messages.tools import absent, choice, plain_tools, used_names

_KEPT: Final = frozenset({"max_tokens", "model", "stop_sequences", "stream", "temperature", "top_k", "top_p"})
_THINKING: Final = ("type", "budget_tokens", "display")
_BILLING: Final = "x-anthropic-billing-header:"


def plain_messages(request: Document) -> Document:
    """Return a request in Claude Code's dialect as one that any implementation of Messages accepts.

    What is not a Messages request comes back as it is, for its reader to reject. Unknown fields are dropped: betas and
    fields come in pairs that only Anthropic's own API knows. The result shares values with ``request``.
    """
    messages = request.get("messages")
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        return request
    plain: dict[str, object] = {key: value for key, value in request.items() if key in _KEPT}
    plain["messages"] = list(_folded(messages))
    system = "\n\n".join(filter(None, (_system(request.get("system")), absent(request.get("tools")))))
    if system:
        plain["system"] = system
    tools = plain_tools(request.get("tools"), used=used_names(messages))
    if tools:
        plain["tools"] = tools
        chosen = choice(request.get("tool_choice"), tools)
        if chosen:
            plain["tool_choice"] = chosen
    plain |= _effort(request.get("thinking"), request.get("output_config"), messages)
    return plain


def _system(system: object) -> str:
    """The system prompt as one text, without the line that is for Anthropic's billing."""
    if isinstance(system, str):
        return system
    texts = [text_of(block) for block in system] if isinstance(system, list) else []
    return "\n\n".join(text for text in texts if text and not text.startswith(_BILLING))


def _folded(messages: Sequence[Document]) -> Iterator[Turn]:
    """User and assistant turns; a system message in between becomes a reminder in the user turn next to it.

    Reminders go behind an earlier user turn, as Claude Code sends them, else to the front of a later one.
    """
    last: Turn | None = None
    waiting: list[Document] = []
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


def _reminders(blocks: Sequence[Document]) -> list[Document]:
    text = "\n".join(found for block in blocks if (found := text_of(block)))
    return [{"type": "text", "text": f"<system-reminder>\n{text}\n</system-reminder>"}] if text.strip() else []


def _with_reminders(blocks: Sequence[Document], reminders: Sequence[Document]) -> list[Document]:
    """Results of tools must come first in the turn that answers a call."""
    at = next((number for number, block in enumerate(blocks) if block["type"] != "tool_result"), len(blocks))
    return [*blocks[:at], *reminders, *blocks[at:]]


def _effort(thinking: object, output_config: object, messages: Sequence[Document]) -> dict[str, object]:
    """How much to think, whether to show it, and the form of the answer.

    A system message may have an effort of its own, which holds from its turn on; the last one says what counts now.
    """
    config = output_config if isinstance(output_config, dict) else {}
    kept: dict[str, object] = {}
    for source in (config, *(message.get("output_config") for message in messages if message.get("role") == "system")):
        if isinstance(source, dict) and isinstance(source.get("effort"), str):
            kept["effort"] = source["effort"]
    if isinstance(config.get("format"), dict):
        kept["format"] = config["format"]
    found: dict[str, object] = {"output_config": kept} if kept else {}
    if isinstance(thinking, dict) and isinstance(thinking.get("type"), str):
        found["thinking"] = {key: thinking[key] for key in _THINKING if key in thinking}
    return found
