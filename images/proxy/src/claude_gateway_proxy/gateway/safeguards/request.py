"""Which verdicts a request asks for, and the part of the conversation that a judge is shown.

The model's own words and the results of tools are left out: injected instructions hide there.
"""

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from claude_gateway_proxy.gateway.body.document import Body
from claude_gateway_proxy.gateway.safeguards.calls import ToolCall

DANGEROUS: Final = "dangerous_tool_use"
"""The only kind of safeguard (claude-code 2.1.330)."""

CONTEXT_KEYS: Final = (
    "permission_mode",
    "platform",
    "live_cwd",
    "home_dir",
    "trusted_directories",
    "rules",
    "auto_mode",
    "git_state",
    "restricted",
    "is_remote_mode",
)

CONVERSATION_LIMIT: Final = 48_000
"""The most characters of the user's messages, and of earlier calls, that a judge is shown; the newest are kept."""

_MESSAGE_LIMIT: Final = 6_000
_EARLIER_LIMIT: Final = 1_500
_REMINDER: Final = ("<system-reminder>", "</system-reminder>")

# Claude Code runs these without a verdict (measured with 2.1.330); if it ever needs one, it asks the person.
_UNCHECKED: Final = frozenset(
    {
        "AskUserQuestion",
        "EnterPlanMode",
        "ExitPlanMode",
        "Glob",
        "Grep",
        "LS",
        "ListAgents",
        "Read",
        "ReportFindings",
        "TodoWrite",
        "ToolSearch",
    }
)
_EDITING: Final = frozenset({"Edit", "MultiEdit", "NotebookEdit", "Write"})


@dataclass(frozen=True, slots=True)
class SafeguardsRequest:
    """The kinds of safeguards that a request names, and the context of the dangerous-tool-use kind."""

    kinds: tuple[str, ...]
    context: Mapping[str, Any] = field(repr=False)


def safeguards_request(body: Body) -> SafeguardsRequest | None:
    """Read the field ``safeguards``; None if it is absent or names nothing that can be answered."""
    entries = _decoded(body.value("safeguards"))
    if not isinstance(entries, list):
        return None
    named = [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("type"), str)]
    if not named:
        return None
    context = next((entry.get("classifier_context") for entry in named if entry["type"] == DANGEROUS), None)
    kinds = tuple(dict.fromkeys(entry["type"] for entry in named))
    return SafeguardsRequest(kinds, context=context if isinstance(context, dict) else {})


def runs_unchecked(call: ToolCall, context: Mapping[str, Any]) -> bool:
    """Whether Claude Code runs this call without a verdict, so that a judge would waste time and money.

    A wrong guess permits nothing: Claude Code shows a call without a needed verdict to the person.
    """
    if call.name in _UNCHECKED:
        return True
    if call.name not in _EDITING or call.input is None:
        return False
    path = call.input.get("file_path", call.input.get("notebook_path"))
    trusted = context.get("trusted_directories")
    primary = trusted.get("primary") if isinstance(trusted, dict) else None
    folder = primary.get("path") if isinstance(primary, dict) else None
    return isinstance(path, str) and isinstance(folder, str) and _plainly_within(path, folder)


def document(body: Body, *, context: Mapping[str, Any], calls: Sequence[ToolCall]) -> bytes:
    """Return what a judge reads, as JSON. ``calls`` are numbered from 1 in their order."""
    found = _decoded(body.value("messages"))
    messages = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    return msgspec.json.encode(
        {
            "context": {key: context[key] for key in CONTEXT_KEYS if key in context},
            "user_messages": _newest(_user_texts(messages), limit=_MESSAGE_LIMIT),
            "earlier_tool_calls": _newest(_tool_uses(messages), limit=_EARLIER_LIMIT),
            "tool_calls": [
                {"call": number, "tool": call.name, "input": call.input} for number, call in enumerate(calls, start=1)
            ],
        }
    )


def _user_texts(messages: Iterable[dict[str, Any]]) -> Iterator[str]:
    for message in messages:
        if message.get("role") != "user":
            continue
        content = message.get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for block in blocks if isinstance(blocks, list) else ():
            if isinstance(block, dict) and block.get("type") == "text":
                text = _without_reminders(str(block.get("text"))).strip()
                if text:
                    yield text


def _without_reminders(text: str) -> str:
    """Return a text without the reminders that Claude Code adds. Linear: if one has no end, no later one has."""
    start, end = _REMINDER
    kept: list[str] = []
    at = 0
    while (opened := text.find(start, at)) >= 0:
        closed = text.find(end, opened + len(start))
        if closed < 0:
            break
        kept.append(text[at:opened])
        at = closed + len(end)
    return "".join((*kept, text[at:]))


def _tool_uses(messages: Iterable[dict[str, Any]]) -> Iterator[str]:
    for message in messages:
        content = message.get("content")
        if message.get("role") != "assistant" or not isinstance(content, list):
            continue
        for block in content:
            if isinstance(block, dict) and block.get("type") == "tool_use":
                yield f"{block.get('name')} {msgspec.json.encode(block.get('input')).decode()}"


def _newest(texts: Iterable[str], *, limit: int) -> list[str]:
    """Return the last texts that fit, oldest first, each cut to ``limit``."""
    kept: list[str] = []
    left = CONVERSATION_LIMIT
    for text in reversed(list(texts)):
        short = text if len(text) <= limit else f"{text[: limit // 2]} [... cut ...] {text[-limit // 2 :]}"
        if len(short) > left:
            break
        kept.append(short)
        left -= len(short)
    return kept[::-1]


def _plainly_within(path: str, folder: str) -> bool:
    """Whether the path alone shows a file in the folder that is not hidden: ``.git`` and ``.claude`` may hold code."""
    if not folder.startswith("/") or posixpath.normpath(path) != path:
        return False
    rest = path.removeprefix(folder.rstrip("/") + "/")
    return rest != path and not any(part.startswith(".") for part in rest.split("/"))


def _decoded(text: bytes | None) -> Any:
    try:
        return None if text is None else msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
