"""What an upstream refuses about a request and another request would not: said once more without it.

Claude Code names an effort and a large output limit in every request. Servers whose model does not think (Ollama
among them), or writes less, refuse the whole request. They get it once more in a form that they take, and from then
on at first.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from claude_gateway_proxy.litellm.exceptions import TooMuchOutput
from claude_gateway_proxy.litellm.fields import Json
from claude_gateway_proxy.operations import OUTPUT_LIMITS
from claude_gateway_runtime.failure import Failure

_TARGETS_MOST: Final = 10_000
"""Targets that something is remembered of."""

_THINKING: Final = frozenset({"thinking", "reasoning_effort", "reasoning"})


class Repairs:
    """What is known of this process's targets, by their ids."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[_Repair, ...]] = {}
        self._most: dict[str, int] = {}

    def known(self, target: str, fields: Json) -> Json:
        """The fields as a target is known to take them; the same object where nothing is to be changed."""
        for repair in self._known.get(target, ()):
            fields = repair.change(fields)
        return within(fields, self._most[target]) if target in self._most else fields

    def after(self, failure: Failure, fields: Json) -> Json | None:
        """The fields for one more try after a failure; None where it would fail again."""
        if isinstance(failure, TooMuchOutput):
            changed = within(fields, failure.most.tokens)
        else:
            repair = _repair(failure)
            changed = fields if repair is None else repair.change(fields)
        return None if changed is fields else changed

    def learn(self, target: str, failure: Failure) -> None:
        """Remember what a failure said, now that the request without it was taken."""
        if len(self._known) + len(self._most) >= _TARGETS_MOST:
            return
        repair = _repair(failure)
        if isinstance(failure, TooMuchOutput):
            if failure.most.of_model:
                self._most[target] = failure.most.tokens
        elif repair is not None and repair.lasting:
            self._known[target] = (*self._known.get(target, ()), repair)


def without_thinking(fields: Json) -> Json:
    """The fields without a word about thinking; the same object where there was none."""
    config = fields.get("output_config", {})
    if not _THINKING & fields.keys() and "effort" not in config:
        return fields
    kept = {name: value for name, value in fields.items() if name not in _THINKING and name != "output_config"}
    rest = {name: value for name, value in config.items() if name != "effort"}
    return {**kept, "output_config": rest} if rest else kept


def without_thoughts(fields: Json) -> Json:
    """The fields with the history's thinking left out; the same object where there was none."""
    messages = [_said(message) for message in fields.get("messages", ())]
    return fields if messages == fields.get("messages", []) else {**fields, "messages": messages}


def _said(message: Json) -> Json:
    content = message.get("content")
    if not isinstance(content, list):
        return message
    kept = [block for block in content if not (isinstance(block, dict) and block.get("type") == "thinking")]
    return {**message, "content": kept}


def within(fields: Json, most: int) -> Json:
    """The fields with no more output than ``most``; the same object where they ask for no more."""
    over = {name: most for name in OUTPUT_LIMITS if isinstance(fields.get(name), int) and fields[name] > most}
    return {**fields, **over} if over else fields


def without_summaries(fields: Json) -> Json:
    """The fields without the wish to see what is thought; the same object where there was none."""
    thinking = fields.get("thinking", {})
    if "thinking" not in fields or thinking.get("display") == "omitted":
        return fields
    return {**fields, "thinking": {**thinking, "display": "omitted"}}


@dataclass(frozen=True, slots=True)
class _Repair:
    """What to change after which words; ``lasting``: any later request needs the same."""

    words: re.Pattern[str]
    change: Callable[[Json], Json]
    lasting: bool


def _any(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


_REPAIRS: Final = (
    # OpenAI shows summaries to organisations that it has verified.
    _Repair(_any(r"reasoning summar|reasoning\.summary"), without_summaries, lasting=True),
    _Repair(_any(r"\breasoning_content\b"), without_thoughts, lasting=True),
    # What was encrypted for another account, as after a failover to its key; what comes from now on can be read.
    _Repair(_any(r"\bencrypted[ _]content\b.*(verified|decrypted|parsed)"), without_thoughts, lasting=False),
    _Repair(_any(r"\b(reasoning|reasoning_effort|thinking|think|encrypted)\b"), without_thinking, lasting=True),
)
"""The first one that fits is tried."""


def _repair(failure: Failure) -> _Repair | None:
    if failure.status not in (400, 422):
        return None
    return next((repair for repair in _REPAIRS if repair.words.search(failure.message)), None)
