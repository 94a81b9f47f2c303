"""Changes to a request in any of the three formats; each returns the same object if there is nothing to change."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

Json = dict[str, Any]

_THINKING: Final = frozenset({"thinking", "reasoning_effort", "reasoning"})
_LIMITS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_DEFAULT: Final = "medium"
PLACEHOLDER: Final = " "
"""The placeholder for unknown reasoning, for servers that require some: they only check whether it exists."""

_UNKNOWN: Final = "(unknown)"
"""The same for Responses, where LiteLLM leaves out reasoning that is blank."""

_CALLS: Final = ("function_call", "custom_tool_call")
_NO_SIGNATURE: Final = "skip_thought_signature_validator"
"""What Google documents for calls that no Gemini made (ai.google.dev/gemini-api/docs/thought-signatures)."""


def without(fields: Json, names: Iterable[str]) -> Json:
    """The fields without those of these names."""
    dropped = frozenset(names)
    return {name: value for name, value in fields.items() if name not in dropped} if dropped & fields.keys() else fields


def without_thinking(fields: Json) -> Json:
    """Return the fields without those about thinking."""
    config = fields.get("output_config")
    config = config if isinstance(config, dict) else {}
    if not _THINKING & fields.keys() and "effort" not in config:
        return fields
    kept = {name: value for name, value in fields.items() if name not in _THINKING and name != "output_config"}
    rest = {name: value for name, value in config.items() if name != "effort"}
    return {**kept, "output_config": rest} if rest else kept


def without_thoughts(fields: Json) -> Json:
    """The fields with the history's reasoning left out."""
    return _with_history(fields, _without_thought)


def with_thoughts(fields: Json) -> Json:
    """The fields with something in place of reasoning that is not known, next to every call of the history."""
    items = fields.get("input")
    if isinstance(items, list):
        found = list(_thoughtful(items))
        return fields if len(found) == len(items) else {**fields, "input": found}
    return _with_history(fields, _with_thought)


def within(fields: Json, most: int) -> Json:
    """The fields with no more output than ``most``."""
    over = {name: most for name in _LIMITS if isinstance(fields.get(name), int) and fields[name] > most}
    return {**fields, **over} if over else fields


def without_summaries(fields: Json) -> Json:
    """Return the fields without the request to show thinking."""
    reasoning = fields.get("reasoning")
    if isinstance(reasoning, dict) and "summary" in reasoning:
        rest = without(reasoning, ("summary",))
        return {**fields, "reasoning": rest} if rest else without(fields, ("reasoning",))
    thinking = fields.get("thinking")
    if not isinstance(thinking, dict) or thinking.get("display") == "omitted":
        return fields
    return {**fields, "thinking": {**thinking, "display": "omitted"}}


def with_thinking_off(fields: Json) -> Json:
    """Return the fields with Qwen's thinking turned off, if the answer is not streamed."""
    if fields.get("stream") or fields.get("enable_thinking") is False:
        return fields
    return {**fields, "enable_thinking": False}


def with_results_last(fields: Json) -> Json:
    """The fields with what a user says behind results of tools in the last of them."""
    messages = fields.get("messages")
    found: list[Json] = []
    for message in messages if isinstance(messages, list) else ():
        if found and message.get("role") == "user" and found[-1].get("role") == "tool":
            found[-1] = {**found[-1], "content": _joined(found[-1].get("content"), message.get("content"))}
        else:
            found.append(message)
    return {**fields, "messages": found} if messages and len(found) < len(messages) else fields


def with_prefix(fields: Json) -> Json:
    """Return the fields with Mistral's flag for a last turn that the model should continue."""
    messages = fields.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else {}
    if last.get("role") != "assistant" or last.get("prefix"):
        return fields
    return {**fields, "messages": [*fields["messages"][:-1], {**last, "prefix": True}]}


def with_signatures(fields: Json) -> Json:
    """Return the fields with Google's placeholder signature at the first call of each turn without one."""
    return _with_history(fields, _signed)


def with_content(fields: Json) -> Json:
    """The fields with an empty text in place of none."""
    return _with_history(fields, _with_text)


def without_top_p(fields: Json) -> Json:
    """Return the fields with one way of sampling, if they have two."""
    return without(fields, ("top_p",)) if "temperature" in fields else fields


def with_new_limit(fields: Json) -> Json:
    """The fields with the output limit under OpenAI's newer name."""
    return _renamed(fields, "max_tokens", "max_completion_tokens")


def with_old_limit(fields: Json) -> Json:
    """The fields with the output limit under its older name."""
    return _renamed(fields, "max_completion_tokens", "max_tokens")


def with_fewer_stops(fields: Json, most: int) -> Json:
    """The fields with no more stop sequences than a server takes; the writer of the answer heeds the others."""
    for name in ("stop", "stop_sequences"):
        found = fields.get(name)
        if isinstance(found, list) and len(found) > most:
            return {**fields, name: found[:most]} if most else without(fields, (name,))
    return fields


def with_free_choice(fields: Json) -> Json:
    """The fields with the choice of a tool left to the model."""
    choice = fields.get("tool_choice")
    if isinstance(choice, str):
        return without(fields, ("tool_choice",)) if choice != "none" else fields
    if isinstance(choice, dict) and choice.get("type") in ("any", "tool", "function", "allowed_tools"):
        return without(fields, ("tool_choice",))
    return fields


def with_effort(fields: Json, names: tuple[str, ...]) -> Json:
    """The fields with the nearest effort of those that a model knows."""
    effort = fields.get("reasoning_effort")
    if isinstance(effort, str):
        nearest = _nearest(effort, names)
        return fields if nearest == effort else {**fields, "reasoning_effort": nearest}
    for name in ("reasoning", "output_config"):
        inner = fields.get(name)
        if isinstance(inner, dict) and isinstance(inner.get("effort"), str):
            nearest = _nearest(inner["effort"], names)
            return fields if nearest == inner["effort"] else {**fields, name: {**inner, "effort": nearest}}
    return fields


def _nearest(effort: str, names: tuple[str, ...]) -> str:
    wanted = _rank(effort)
    return effort if effort in names else min(names, key=lambda name: (abs(_rank(name) - wanted), -_rank(name)))


def _rank(effort: str) -> int:
    return _EFFORTS.index(effort if effort in _EFFORTS else _DEFAULT)


def _joined(one: Any, other: Any) -> Any:
    """Two contents as one."""
    if isinstance(one, list) or isinstance(other, list):
        return [*_parts(one), *_parts(other)]
    return "\n\n".join(filter(None, (one, other)))


def _parts(content: Any) -> list[Any]:
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []


def _renamed(fields: Json, old: str, new: str) -> Json:
    if old not in fields:
        return fields
    return {**without(fields, (old,)), new: fields[old]}


def _with_history(fields: Json, change: Callable[[Json], Json | None]) -> Json:
    for name in ("messages", "input"):
        found = fields.get(name)
        if isinstance(found, list):
            kept = [change(each) if isinstance(each, dict) else each for each in found]
            changed = [each for each in kept if each is not None]
            return fields if changed == found else {**fields, name: changed}
    return fields


def _without_thought(message: Json) -> Json | None:
    if message.get("type") == "reasoning":
        return None
    message = without(message, ("reasoning_content", "reasoning", "reasoning_details"))
    content = message.get("content")
    if not isinstance(content, list):
        return message
    kept = [block for block in content if not (isinstance(block, dict) and block.get("type") == "thinking")]
    return message if len(kept) == len(content) else {**message, "content": kept}


def _signed(message: Json) -> Json:
    calls = message.get("tool_calls")
    if not isinstance(calls, list) or not calls or not isinstance(calls[0], dict) or "extra_content" in calls[0]:
        return message
    extra = {"google": {"thought_signature": _NO_SIGNATURE}}
    return {**message, "tool_calls": [{**calls[0], "extra_content": extra}, *calls[1:]]}


def _with_text(message: Json) -> Json:
    return {**message, "content": ""} if "role" in message and message.get("content") is None else message


def _with_thought(message: Json) -> Json:
    if message.get("role") != "assistant" or not message.get("tool_calls") or message.get("reasoning_content"):
        return message
    return {**message, "reasoning_content": PLACEHOLDER}


def _thoughtful(items: list[Any]) -> Iterator[Any]:
    """Return the items of Responses with reasoning that has words before the calls of each turn."""
    has_words = False
    for item in items:
        kind = item.get("type") if isinstance(item, dict) else None
        if kind == "reasoning":
            has_words = bool(item.get("summary") or item.get("content"))
        elif kind in _CALLS and not has_words:
            yield {"type": "reasoning", "summary": [{"type": "summary_text", "text": _UNKNOWN}]}
            has_words = True
        elif kind not in _CALLS:
            has_words = has_words and isinstance(item, dict) and item.get("role") == "assistant"
        yield item
