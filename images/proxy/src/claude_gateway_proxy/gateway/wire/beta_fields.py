"""Fields of a body that belong to a beta: they are removed with the beta, because the body would be refused.

Every other part of the body keeps its bytes.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from claude_gateway_proxy.gateway.body.document import Body

_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "fast-mode-2026-02-01": ("speed",),
    "mcp-client-2025-04-04": ("mcp_servers",),
    "mcp-client-2025-11-20": ("mcp_servers",),
    "skills-2025-10-02": ("container",),
    "code-execution-2025-08-25": ("container",),
    "structured-outputs-2025-11-13": ("output_format",),
}
"""Fields of the whole request."""

_TOOLS: Final[Mapping[str, tuple[str, ...]]] = {
    "advisor-tool-2026-03-01": ("advisor_",),
    "code-execution-2025-08-25": ("code_execution_",),
    "mcp-client-2025-11-20": ("mcp_toolset",),
    "web-fetch-2025-09-10": ("web_fetch_",),
    "web-search-2025-03-05": ("web_search_",),
}
"""Prefixes of the types of tools."""

_CACHE_SCOPE: Final = "prompt-caching-scope-2026-01-05"
_PER_TURN: Final = "per-turn-control-2026-07-01"

_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANY: Final = msgspec.json.Decoder()

Entry = dict[str, Any]


def without_fields_of(betas: Iterable[str], body: Body) -> dict[str, bytes | None]:
    """Return the changes of a body that is sent without these betas."""
    left_out = frozenset(betas)
    changes: dict[str, bytes | None] = {
        name: None for beta in left_out for name in _FIELDS.get(beta, ()) if name in body.members
    }
    kinds = tuple(kind for beta in left_out for kind in _TOOLS.get(beta, ()))
    if kinds:
        changes |= _changed(body, "tools", lambda tool: None if _type(tool).startswith(kinds) else tool, sign=b"_")
        if changes.get("tools", b"") is None and "tool_choice" in body.members:
            changes["tool_choice"] = None
    if _PER_TURN in left_out:
        changes |= _changed(body, "messages", _without_config, sign=b'"output_config"')
    if _CACHE_SCOPE in left_out and b'"scope"' in body.raw:
        for member in ("system", "tools", "messages"):
            if member not in changes:
                changes |= _changed(body, member, _without_scope, sign=b'"scope"')
    return changes


def _changed(
    body: Body, member: str, change: Callable[[Entry], Entry | None], *, sign: bytes
) -> dict[str, bytes | None]:
    """Return the change of a list of objects; None if nothing in it has the ``sign`` or changes."""
    value = body.value(member) or b"[]"
    if sign not in value:
        return {}
    try:
        entries = _LIST.decode(value)
    except msgspec.ValidationError:
        return {}
    kept = [_entry(entry, change, sign=sign) for entry in entries]
    if all(new is old for new, old in zip(kept, entries, strict=True)):
        return {}
    left = [entry for entry in kept if entry is not None]
    return {member: msgspec.json.encode(left) if left else None}


def _entry(entry: msgspec.Raw, change: Callable[[Entry], Entry | None], *, sign: bytes) -> Any:
    if sign not in bytes(entry):
        return entry
    try:
        fields: Entry = {**_OBJECT.decode(entry)}
    except msgspec.ValidationError:
        return entry
    changed = change(fields)
    return entry if changed is fields else changed


def _type(fields: Entry) -> str:
    found = _ANY.decode(fields.get("type", b'""'))
    return found if isinstance(found, str) else ""


def _without_config(message: Entry) -> Entry:
    return {name: value for name, value in message.items() if name != "output_config"}


def _without_scope(fields: Entry) -> Entry:
    """An object without the scope of its own cache, and of those within its content."""
    found = dict(fields)
    control = fields.get("cache_control")
    if control is not None and b'"scope"' in bytes(control):
        value = _ANY.decode(control)
        if isinstance(value, dict):
            found["cache_control"] = {name: each for name, each in value.items() if name != "scope"}
    content = fields.get("content")
    if content is not None and b'"scope"' in bytes(content):
        try:
            entries = _LIST.decode(content)
        except msgspec.ValidationError:
            return found
        found["content"] = [_entry(entry, _without_scope, sign=b'"scope"') for entry in entries]
    return found
