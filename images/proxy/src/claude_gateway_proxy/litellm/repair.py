"""What an upstream refuses about a request and another request would not: said once more without it.

Claude Code names an effort and a large output limit in every request. Servers whose model does not think (Ollama
among them), or writes less, refuse the whole request. They get it once more in a form that they take. What the model
itself lacks is remembered for a while; a conflict between two fields of one request is not.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from claude_gateway_proxy.litellm.exceptions import TooMuchOutput
from claude_gateway_proxy.litellm.fields import Json
from claude_gateway_proxy.operations import OUTPUT_LIMITS
from claude_gateway_runtime.failure import Failure

KEPT_SECONDS: Final = 3600.0
"""How long a repair is remembered. Then one request asks again, since models and servers change."""

_MODELS_MOST: Final = 10_000
"""Models that something is remembered of. A new one takes the place of the oldest."""

OUTPUT: Final = "output"
"""The name of the repair that lowers an output limit."""

_THINKING: Final = frozenset({"thinking", "reasoning_effort", "reasoning"})


@dataclass(frozen=True, slots=True)
class Model:
    """One model of one target. Many models can be behind a target, and each refuses other things."""

    target: str
    name: str


class Repairs:
    """What is known of the models of this process's targets."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Remember nothing yet; ``clock`` returns seconds."""
        self._clock = clock
        self._learned: dict[Model, dict[str, _Learned]] = {}

    def known(self, model: Model, fields: Json) -> tuple[Json, tuple[str, ...]]:
        """Return the fields as a model is known to take them, and the names of the repairs that changed them."""
        names: list[str] = []
        for name, learned in self._lasting(model).items():
            changed = learned.change(fields)
            if changed is not fields:
                names.append(name)
            fields = changed
        return fields, tuple(names)

    def after(self, failure: Failure, fields: Json) -> tuple[Json, str] | None:
        """Return the fields for one more try and the name of the repair; None where it would fail again."""
        repair = _repair(failure)
        changed = fields if repair is None else repair.change(fields)
        return None if repair is None or changed is fields else (changed, repair.name)

    def learn(self, model: Model, failure: Failure) -> str | None:
        """Remember what a failure said of a model, now that the request without it was taken.

        Returns the name of the repair if it is new.
        """
        repair = _repair(failure)
        if repair is None or not repair.lasting(failure):
            return None
        kept = self._lasting(model)
        new = repair.name not in kept
        self._learned.pop(model, None)
        self._learned[model] = {**kept, repair.name: _Learned(repair.change, until=self._clock() + KEPT_SECONDS)}
        if len(self._learned) > _MODELS_MOST:
            del self._learned[next(iter(self._learned))]
        return repair.name if new else None

    def _lasting(self, model: Model) -> "dict[str, _Learned]":
        found = self._learned.get(model)
        if found is None:
            return {}
        now = self._clock()
        kept = {name: learned for name, learned in found.items() if now < learned.until}
        if not kept:
            del self._learned[model]
        return kept


@dataclass(frozen=True, slots=True)
class _Learned:
    """A change to every request to a model; ``until`` is a time of the clock."""

    change: Callable[[Json], Json]
    until: float


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
    """What to change after a failure; ``lasting`` says of the failure whether any later request needs the same."""

    name: str
    change: Callable[[Json], Json]
    lasting: Callable[[Failure], bool]


def _any(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


_LACKS: Final = _any(
    r"\b(not|n[o']t) (supported|support|available|allowed|permitted|recognized|have)\b"
    r"|\b(unsupported|unknown|unrecognized)\b"
    r"|\b(cannot|can't|does not|doesn't) (think|reason)\b|\bextra inputs\b"
)
"""Words for what a model cannot do at all."""

_OF_THIS_REQUEST: Final = _any(
    r"\btools?\b|\bfunctions?\b|tool_choice|temperature|top_?[pk]\b|max_?\w{0,32}tokens|budget|\bstream|response_?format"
    r"|\bmessages?\b|schema|prefill|penalty|logprobs|\bstop\b|\bvalues?\b|one of|adaptive|\bwhen\b|\bwhile\b|together"
    r"|combin|\b(must|should) be\b|greater|less than|at least"
)
"""Words for another field of the same request, or for one value out of several: the model still thinks otherwise."""


def _always(_: Failure) -> bool:
    return True


def _never(_: Failure) -> bool:
    return False


def _is_lacking(failure: Failure) -> bool:
    return _LACKS.search(failure.message) is not None and _OF_THIS_REQUEST.search(failure.message) is None


_REPAIRS: Final = (
    # OpenAI shows summaries to organisations that it has verified.
    (_any(r"reasoning summar|reasoning\.summary"), _Repair("summaries", without_summaries, lasting=_always)),
    (_any(r"\breasoning_content\b"), _Repair("thoughts", without_thoughts, lasting=_always)),
    # What was encrypted for another account, as after a failover to its key; what comes from now on can be read.
    (
        _any(r"\bencrypted[ _]content\b.{0,300}?(verified|decrypted|parsed)"),
        _Repair("thoughts", without_thoughts, lasting=_never),
    ),
    (
        _any(r"\b(reasoning|reasoning_effort|thinking|think|encrypted)\b"),
        _Repair("thinking", without_thinking, lasting=_is_lacking),
    ),
)
"""Words of a failure, and the repair for it. The first one that fits is tried."""


def _repair(failure: Failure) -> _Repair | None:
    if isinstance(failure, TooMuchOutput):
        most = failure.most
        return _Repair(OUTPUT, lambda fields: within(fields, most.tokens), lasting=lambda _: most.of_model)
    if failure.status not in (400, 422):
        return None
    return next((repair for words, repair in _REPAIRS if words.search(failure.message)), None)
