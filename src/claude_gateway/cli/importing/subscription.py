"""One person's Claude subscription, in place of a custom provider of LiteLLM's that asks Claude Code."""

from typing import Final

from claude_gateway.cli.importing.draft import Draft
from claude_gateway.cli.importing.section import Section

NAME: Final = "subscription"
_HINTS: Final = ("claude-code", "claude_code", "claudecode", "claude-agent", "claude_agent", "claude-cli", "claude_cli")


def is_claude_code(provider: str, handler: str) -> bool:
    """Return whether a custom provider asks Claude Code, from its name and that of its handler."""
    return any(hint in text.lower() for hint in _HINTS for text in (provider, handler))


def credential(params: Section, draft: Draft, owner: str | None) -> str | None:
    """Return the credential of the owner's subscription; None, which is noted, without an owner. Raises NotAccepted."""
    if owner is None:
        why = "Claude Code answers here with one person's own subscription"
        params.lose("model", why, "Import again with --owner you@example.com, then sign in: `claude-gateway login`.")
        return None
    spec = {"subscription": {"owner": owner, "method": "Login", "secretName": f"{NAME}-login"}}
    return draft.credential(NAME, spec, {})
