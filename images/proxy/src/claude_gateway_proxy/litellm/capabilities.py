"""What a target's Chat Completions accept, from what the bundle says of them."""

from collections.abc import Callable, Mapping
from typing import Final

from claude_gateway.contract.policy import ChatCapabilities, ToolSchema
from claude_gateway_proxy.translation.chat.capabilities import Capabilities
from claude_gateway_proxy.translation.names import short_id, upstream_id
from claude_gateway_proxy.translation.schema.gemini import for_gemini
from claude_gateway_proxy.translation.schema.openai import for_openai
from claude_gateway_proxy.translation.schema.values import Schema

_SCHEMAS: Final[Mapping[ToolSchema, Callable[[object], Schema]]] = {
    ToolSchema.OPENAI: for_openai,
    ToolSchema.GEMINI: for_gemini,
}


def capabilities(chat: ChatCapabilities) -> Capabilities:
    """Return the translation's view of a target's capabilities."""
    return Capabilities(
        schema=_SCHEMAS[chat.tool_schema],
        signatures=chat.signatures,
        reasoning=chat.reasoning,
        files=chat.files,
        top_k=chat.top_k,
        empty=chat.empty_tools,
        ident=short_id if chat.short_ids else upstream_id,
        budget=chat.budget,
    )
