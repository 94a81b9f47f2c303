"""Beta features: a header at Anthropic and Vertex, a list in the body at Bedrock; some exist at one of them only.

Betas that are not named here are forwarded unchanged: a new beta must not wait for a new release of this gateway.
Sources of the table: what Claude Code itself sends in each mode, and the betas that LiteLLM's own table says both
clouds refuse.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from claude_gateway.contract.target import Wire
from claude_gateway_runtime.asgi import Headers

HEADER: Final = b"anthropic-beta"
FIELD: Final = "anthropic_beta"

LONG_CONTEXT: Final = "context-1m-2025-08-07"
"""The beta that Claude Code sends if its user writes ``[1m]`` after a model's name (claude-code 2.1.197)."""

_LONG: Final = 1_000_000
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ANTHROPIC_ONLY: Final = frozenset(
    {
        "advisor-tool-2026-03-01",
        "code-execution-2025-08-25",
        "fast-mode-2026-02-01",
        "files-api-2025-04-14",
        "mcp-client-2025-04-04",
        "mcp-client-2025-11-20",
        "oauth-2025-04-20",
        "prompt-caching-scope-2026-01-05",
        "skills-2025-10-02",
        "structured-outputs-2025-11-13",
        "web-fetch-2025-09-10",
    }
)
_REFUSED: Final = {
    Wire.BEDROCK: _ANTHROPIC_ONLY | {"claude-code-20250219", "per-turn-control-2026-07-01", "web-search-2025-03-05"},
    Wire.VERTEX: _ANTHROPIC_ONLY | {"fine-grained-tool-streaming-2025-05-14"},
    Wire.ANTHROPIC: frozenset[str](),
}
_TOOL_SEARCH: Final = {"advanced-tool-use-2025-11-20": "tool-search-tool-2025-10-19"}
_RENAMED: Final = {
    Wire.BEDROCK: _TOOL_SEARCH,
    Wire.VERTEX: _TOOL_SEARCH,
    Wire.ANTHROPIC: {new: old for old, new in _TOOL_SEARCH.items()},
}


def listed(headers: Iterable[tuple[bytes, bytes]], field: bytes | None) -> Sequence[str]:
    """The betas of a request, each once: those of its headers and of the ``anthropic_beta`` list in its body.

    Text that is not the name of a beta is dropped: it must not become a header.
    """
    found = [beta.strip() for name, value in headers if name == HEADER for beta in value.decode("latin-1").split(",")]
    if field is not None:
        found += _texts(field)
    return tuple(dict.fromkeys(beta for beta in found if _NAME.fullmatch(beta)))


def with_context(headers: Headers, field: bytes | None, *, context: int) -> Headers:
    """Return a request's headers with the beta that a context of so many tokens needs, unless it is listed already.

    Claude's APIs do not accept a model name with a context, so the request for it is forwarded as this beta.
    """
    if context < _LONG or LONG_CONTEXT in listed(headers, field):
        return headers
    sent = [value for name, value in headers if name == HEADER]
    others = [header for header in headers if header[0] != HEADER]
    return [*others, (HEADER, b",".join((*sent, LONG_CONTEXT.encode())))]


def known_to(wire: Wire, betas: Iterable[str]) -> Sequence[str]:
    """Return the betas under the names of ``wire``, without those that it is known to refuse."""
    refused, renamed = _REFUSED[wire], _RENAMED[wire]
    return tuple(dict.fromkeys(renamed.get(beta, beta) for beta in betas if beta not in refused))


def as_field(headers: Headers, field: bytes | None) -> bytes:
    """Return all betas of a request as Bedrock has them, a list in the body."""
    return msgspec.json.encode(known_to(Wire.BEDROCK, listed(headers, field)))


def refused_by(wire: Wire, betas: Iterable[str]) -> Sequence[str]:
    """Return the betas that ``wire`` is known to refuse, and that are therefore removed."""
    return tuple(beta for beta in betas if beta in _REFUSED[wire])


def _texts(field: bytes) -> list[str]:
    value = msgspec.json.decode(field)
    return [beta for beta in value if isinstance(beta, str)] if isinstance(value, list) else []
