"""What a target's Chat Completions accept, according to the bundle."""

from collections.abc import Callable, Mapping
from typing import Final

from claude_gateway.contract.target import ChatCapabilities, ToolSchema
from claude_gateway_proxy.translation.chat.capabilities import Capabilities
from claude_gateway_proxy.translation.names import short_id, upstream_id
from claude_gateway_proxy.translation.schema.gemini import for_gemini
from claude_gateway_proxy.translation.schema.moonshot import for_moonshot
from claude_gateway_proxy.translation.schema.openai import for_openai
from claude_gateway_proxy.translation.schema.unfolding import Budget
from claude_gateway_proxy.translation.schema.values import Schema

_SCHEMAS: Final[Mapping[ToolSchema, Callable[[object, Budget], Schema]]] = {
    ToolSchema.OPENAI: lambda schema, _: for_openai(schema),
    ToolSchema.GEMINI: for_gemini,
    ToolSchema.MOONSHOT: lambda schema, _: for_moonshot(schema),
}


def capabilities(chat: ChatCapabilities, budget: Budget) -> Capabilities:
    """Return the translation's view of a target's capabilities; ``budget`` is how much a request's schemas may grow."""
    accepted = _SCHEMAS[chat.tool_schema]
    return Capabilities(
        schema=lambda schema: accepted(schema, budget),
        signatures=chat.signatures,
        reasoning=chat.reasoning,
        files=chat.files,
        top_k=chat.top_k,
        empty=chat.empty_tools,
        ident=short_id if chat.short_ids else upstream_id,
        budget=chat.budget,
        details=chat.details,
        reasoned_calls=chat.reasoned_calls,
        switch=chat.switch,
        results_last=chat.results_last,
    )
