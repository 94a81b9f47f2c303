"""What an upstream refuses about a request and another request would not: said once more without it.

Claude Code names an effort and a large output limit in every request. Servers whose model does not think (Ollama
among them), or writes less, refuse the whole request. They get it once more in a form that they take, and from then
on at first.
"""

import re
from typing import Final

from claude_gateway_proxy.litellm.errors import Failure
from claude_gateway_proxy.litellm.fields import Json
from claude_gateway_proxy.litellm.limits import LIMITS

_TARGETS_MOST: Final = 10_000
"""Targets that something is remembered of."""

_THINKING: Final = frozenset({"thinking", "reasoning_effort", "reasoning"})
_COMPLAINT: Final = re.compile(r"\b(reasoning|reasoning_effort|reasoning_content|thinking|think|encrypted)\b", re.I)


class Repairs:
    """What is known of this process's targets, by their ids."""

    def __init__(self) -> None:
        self._thoughtless: set[str] = set()
        self._most: dict[str, int] = {}

    def known(self, target: str, fields: Json) -> Json:
        """The fields as a target is known to take them; the same object where nothing is to be changed."""
        if target in self._thoughtless:
            fields = without_thinking(fields)
        return within(fields, self._most[target]) if target in self._most else fields

    def after(self, failure: Failure, fields: Json) -> Json | None:
        """The fields for one more try after a failure; None where it would fail again."""
        if failure.most_output is not None:
            changed = within(fields, failure.most_output)
        elif refuses_thinking(failure):
            changed = without_thinking(fields)
        else:
            return None
        return None if changed is fields else changed

    def learn(self, target: str, failure: Failure) -> None:
        """Remember what a failure said, now that the request without it was taken."""
        if len(self._thoughtless) + len(self._most) >= _TARGETS_MOST:
            return
        if failure.most_output is None:
            self._thoughtless.add(target)
        elif failure.of_model:
            self._most[target] = failure.most_output


def refuses_thinking(failure: Failure) -> bool:
    """Whether an upstream refused a request for what it says about thinking."""
    return failure.status in (400, 422) and _COMPLAINT.search(failure.message) is not None


def without_thinking(fields: Json) -> Json:
    """The fields without a word about thinking; the same object where there was none."""
    config = fields.get("output_config", {})
    if not _THINKING & fields.keys() and "effort" not in config:
        return fields
    kept = {name: value for name, value in fields.items() if name not in _THINKING and name != "output_config"}
    rest = {name: value for name, value in config.items() if name != "effort"}
    return {**kept, "output_config": rest} if rest else kept


def within(fields: Json, most: int) -> Json:
    """The fields with no more output than ``most``; the same object where they ask for no more."""
    over = {name: most for name in LIMITS if isinstance(fields.get(name), int) and fields[name] > most}
    return {**fields, **over} if over else fields
