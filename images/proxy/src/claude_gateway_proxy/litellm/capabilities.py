"""What the Chat Completions of LiteLLM's providers accept."""

from collections.abc import Mapping
from typing import Final

from claude_gateway_proxy.translation.chat.capabilities import Capabilities
from claude_gateway_proxy.translation.names import short_id
from claude_gateway_proxy.translation.schema.gemini import for_gemini

_GEMINI: Final = Capabilities(schema=for_gemini, signatures=True, top_k=True, empty=False, budget=True)
_SERVER: Final = Capabilities(reasoning=True, files=False, top_k=True)
_THINKER: Final = Capabilities(reasoning=True, files=False)
_PLAIN: Final = Capabilities()
_CAPABILITIES: Final[Mapping[str, Capabilities]] = {
    "gemini": _GEMINI,
    "vertex_ai": _GEMINI,
    "hosted_vllm": _SERVER,
    "deepseek": _THINKER,
    "minimax": _THINKER,
    "mistral": Capabilities(ident=short_id),
    "moonshot": _THINKER,
    "zai": _THINKER,
}


def capabilities_of(provider: str) -> Capabilities:
    """Return what one of LiteLLM's providers accepts."""
    return _CAPABILITIES.get(provider, _PLAIN)
