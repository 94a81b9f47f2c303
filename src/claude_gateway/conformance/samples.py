"""Short requests in Claude Code's format."""

import json
from typing import Any, Final

Json = dict[str, Any]

BETAS: Final = (
    "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,per-turn-control-2026-07-01,"
    "mid-conversation-tool-changes-2026-07-01,thinking-token-count-2026-05-13,advanced-tool-use-2025-11-20,"
    "effort-2025-11-24"
)
HEADERS: Final = (
    ("accept", "application/json"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("anthropic-beta", BETAS),
    ("anthropic-dangerous-direct-browser-access", "true"),
    ("user-agent", "claude-cli/2.1.328 (external, sdk-cli)"),
    ("x-app", "cli"),
    ("x-claude-code-session-id", "5d9e2a52-5a3b-4c9e-9f4e-6f0a3c1b2d10"),
    ("x-claude-code-agent-id", "a1b2c3"),
    ("x-stainless-arch", "x64"),
    ("x-stainless-lang", "js"),
    ("x-stainless-os", "Linux"),
    ("x-stainless-package-version", "0.128.0"),
    ("x-stainless-retry-count", "0"),
    ("x-stainless-runtime", "node"),
    ("x-stainless-runtime-version", "v24.3.0"),
    ("x-stainless-timeout", "600"),
)
ATTRIBUTION: Final = "x-anthropic-billing-header: cc_version=2.1.328.abc; cc_entrypoint=cli;"
EPHEMERAL: Final = {"type": "ephemeral"}
BASH: Final = {
    "name": "Bash",
    "description": "Run a command",
    "input_schema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"command": {"type": "string"}, "timeout": {"type": "number"}},
        "required": ["command"],
        "additionalProperties": False,
    },
}
PLACEHOLDER: Final = {
    "name": "DeferredToolPlaceholder",
    "description": "Stands for tools that are loaded when asked for",
    "input_schema": {"type": "object", "properties": {}},
    "defer_loading": True,
}
TOOL_SEARCH: Final = {
    "name": "ToolSearch",
    "description": "Load a tool",
    "input_schema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
}
PIXEL: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
IMAGE: Final = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}


def deferred(name: str) -> Json:
    """Return a tool whose loading is deferred."""
    return {
        "name": name,
        "description": name,
        "input_schema": {"type": "object", "properties": {}},
        "defer_loading": True,
    }


def main_loop(model: str, text: str) -> Json:
    """Return a first request of the main loop: system blocks, deferred tools, a system message, all new fields."""
    return {
        "model": model,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": text, "cache_control": EPHEMERAL}]},
            {"role": "system", "content": [{"type": "text", "text": "Deferred tools: WebFetch"}]},
        ],
        "system": [
            {"type": "text", "text": ATTRIBUTION},
            {"type": "text", "text": "You are Claude Code.", "cache_control": EPHEMERAL},
            {"type": "text", "text": "Be concise.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ],
        "tools": [BASH, TOOL_SEARCH, PLACEHOLDER, deferred("WebFetch")],
        "metadata": {"user_id": json.dumps({"device_id": "d", "account_uuid": "", "session_id": "s"})},
        "max_tokens": 32000,
        "thinking": {"type": "adaptive", "display": "omitted"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "high"},
    }


def tool_turn(text: str, result: Any, *, name: str = "Bash", is_error: bool | None = None) -> list[Json]:
    """Return a user turn, a tool call and its result."""
    returned: Json = {"type": "tool_result", "tool_use_id": "toolu_01", "content": result}
    if is_error is not None:
        returned["is_error"] = is_error
    return [
        {"role": "user", "content": text},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_01", "name": name, "input": {}}]},
        {"role": "user", "content": [returned]},
    ]
