"""LiteLLM's variants of OpenAI's formats, kept apart from the translation, which handles only the plain formats."""

from collections.abc import Mapping
from typing import Any, Final

from claude_gateway_proxy.litellm.answer import plain
from claude_gateway_proxy.translation.chat.shapes import ChatRequest
from claude_gateway_proxy.translation.documents import Document
from claude_gateway_proxy.translation.names import signature_of

_OWN: Final = "provider_specific_fields"
"""Where LiteLLM keeps what OpenAI's format has no field for, signatures of thoughts among it."""


_EMPTY: Final = " "


def sent(request: ChatRequest, *, named_choice: bool) -> Document:
    """Return a chat request in LiteLLM's form. ``request`` is consumed.

    Without ``named_choice``, LiteLLM drops the name of the one tool to call on the way to the target's provider.
    """
    found: Document = {**request}
    for message in found["messages"]:
        if message["role"] == "tool" and not message.get("content"):
            # LiteLLM leaves out a message without content, and with it the result of a call.
            message["content"] = _EMPTY
        for call in message.get("tool_calls", ()):
            # Gemini's own API gets it from the one field, servers of OpenAI's format from the other.
            extra = call.get("extra_content")
            if extra is not None:
                call[_OWN] = {"thought_signature": extra["google"]["thought_signature"]}
    choice = found.get("tool_choice")
    if not named_choice and isinstance(choice, dict):
        # If that tool is the only one, no other can be called.
        name = choice["function"]["name"]
        found["tool_choice"] = "required"
        found["tools"] = [tool for tool in found["tools"] if tool["function"]["name"] == name]
    return found


def chunk(answer: Any) -> Document:
    """Return LiteLLM's chunk, or whole completion, as plain Chat Completions."""
    document = plain(answer)
    for choice in document.get("choices") or ():
        said = choice.get("delta") or choice.get("message") or {}
        for call in said.get("tool_calls") or ():
            _restore_signature(call)
    return document


def event(answer: Any) -> Document:
    """Return LiteLLM's event of Responses as plain JSON: its types are members of an enumeration."""
    document = plain(answer)
    document["type"] = str(getattr(document.get("type"), "value", document.get("type")))
    return document


def _restore_signature(call: Document) -> None:
    """Move the signature of a thought to where Google's own endpoint has it."""
    fields = call.pop(_OWN, None) or (call.get("function") or {}).get(_OWN)
    signature = fields.get("thought_signature") if isinstance(fields, Mapping) else None
    signature = signature or signature_of(call.get("id"))
    call.pop("extra_content", None)
    if signature:
        call["extra_content"] = {"google": {"thought_signature": signature}}
