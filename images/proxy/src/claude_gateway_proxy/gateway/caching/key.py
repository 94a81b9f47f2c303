"""Which requests have an answer that may be repeated, and under which key it is cached.

The key covers the caller, the current route, and everything in the request that can change its answer. Requests of
conversations with side effects are not cached: tools, thinking, coding agents, state stored at the upstream, and the
client's own login there.
"""

import hashlib
from collections.abc import Iterator
from typing import Final

from claude_gateway.contract.route import Route
from claude_gateway.contract.target import Format
from claude_gateway_proxy.gateway.call import Call

_FORMATS: Final = frozenset({Format.MESSAGES, Format.COUNT_TOKENS, Format.CHAT, Format.COMPLETIONS, Format.EMBEDDINGS})
"""All formats except Responses, which the upstream stores under an id."""

_STATEFUL: Final = frozenset(
    {
        *("tools", "tool_choice", "functions", "function_call", "mcp_servers", "container", "safeguards"),
        *("thinking", "reasoning", "reasoning_effort", "output_config", "context_management"),
        *("store", "web_search_options", "background"),
    }
)
"""Fields that prevent caching, whatever their value."""

_PREFIXES: Final = (b"anthropic-", b"x-amzn-bedrock-", b"x-vertex-ai-")
_HEADERS: Final = frozenset({b"accept", b"openai-beta", b"x-app", b"x-anthropic-additional-protection"})
_CLAUDE_CODE: Final = b"x-claude-code-"
_AGENTS: Final = (b"claude-cli/", b"codex", b"opencode/")
"""How the ``user-agent`` of a coding agent begins; Claude Code's older releases send no header of its session."""
_TOOL_BLOCKS: Final = (b"tool_use", b"tool_result", b"tool_call", b"function_call")
"""Words that only a conversation with tools contains. A text with such a word is not cached, which does no harm."""
_CONTROL: Final = b"cache-control"


def cacheable(call: Call) -> bool:
    """Return whether the answer to a request may be cached."""
    return (
        call.format in _FORMATS
        and not call.body.stream
        and not call.login
        and not any(_of_an_agent(name, value) for name, value in call.headers)
        and _STATEFUL.isdisjoint(field.lower() for field in call.body.members)
        and not any(mark in call.raw for mark in _TOOL_BLOCKS)
    )


def directives(call: Call) -> frozenset[str]:
    """Return the client's ``cache-control`` directives, in lower case."""
    return frozenset(
        part.strip().lower().decode("latin-1")
        for name, value in call.headers
        if name == _CONTROL
        for part in value.split(b",")
    )


def fingerprint(route: Route) -> bytes:
    """Return a digest of a route with its targets, so that no answer outlives an edit of it."""
    return hashlib.sha256(route.model_dump_json().encode()).digest()


def key_of(call: Call, route: bytes) -> bytes:
    """Return the key of a request; ``route`` is the fingerprint of its route. Every part is prefixed by its length."""
    digest = hashlib.sha256()
    for part in _parts(call, route):
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()


def _of_an_agent(name: bytes, value: bytes) -> bool:
    if name == b"user-agent":
        return value.lower().startswith(_AGENTS)
    return name.startswith(_CLAUDE_CODE) or (name, value) == (b"x-app", b"cli")


def _parts(call: Call, route: bytes) -> Iterator[bytes]:
    caller = call.principal
    yield route
    for text in (caller.client.name, caller.user, caller.team, *caller.groups, "", *caller.client.models, ""):
        yield text.encode()
    for text in (call.wire.value, call.format.value, call.path, call.body.model):
        yield text.encode("utf-8", "surrogatepass")
    yield call.query
    asked = {name.encode() for rule in call.route.rules for name, _ in rule.match.headers}
    for name, value in call.headers:
        if name in _HEADERS or name in asked or name.startswith(_PREFIXES):
            yield name
            yield value
    yield call.raw
