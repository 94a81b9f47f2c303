"""What an upstream refuses about a request and another request would not: said once more without it.

Claude Code names an effort and a large output limit in every request. Servers whose model does not think, writes less
or knows a field under another name refuse the whole request. They get it once more in a form that they take. What the
model itself lacks is remembered for a while; a conflict between two fields of one request is not. Requests are changed
in the upstream's own format, which is the one that it speaks of.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from claude_gateway_proxy.translation import changes
from claude_gateway_proxy.translation.changes import Json
from claude_gateway_proxy.translation.limits import most_output

KEPT_SECONDS: Final = 3600.0
"""How long a repair is remembered. Then one request asks again, since models and servers change."""

TRIES_MOST: Final = 4
"""How often one request is tried in another form."""

_MODELS_MOST: Final = 10_000
"""Models that something is remembered of. A new one takes the place of the oldest."""

_READ_MOST: Final = 4_000
"""Characters of a refusal that are read."""

_STATUSES: Final = (400, 413, 422)


class Refusal(NamedTuple):
    """An upstream's refusal of a request: the HTTP status and its words."""

    status: int
    words: str


class Model(NamedTuple):
    """One model of one target. Many models can be behind a target, and each refuses other things."""

    target: str
    name: str


class Repairs:
    """What is known of the models of this process's targets."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
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

    def after(self, refusal: Refusal, fields: Json) -> tuple[Json, str] | None:
        """Return the fields for one more try and the name of the repair; None where it would fail again."""
        for repair in _repairs(refusal):
            changed = repair.change(fields)
            if changed is not fields:
                return changed, repair.name
        return None

    def learn(self, model: Model, refusal: Refusal, repair: str) -> str | None:
        """Remember what a refusal said of a model, now that the request was taken after a repair of this name.

        Returns the name of the repair if it is new.
        """
        found = next((each for each in _repairs(refusal) if each.name == repair and each.lasting), None)
        if found is None:
            return None
        kept = self._lasting(model)
        new = found.name not in kept
        self._learned.pop(model, None)
        self._learned[model] = {**kept, found.name: _Learned(found.change, until=self._clock() + KEPT_SECONDS)}
        if len(self._learned) > _MODELS_MOST:
            del self._learned[next(iter(self._learned))]
        return found.name if new else None

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


@dataclass(frozen=True, slots=True)
class Repair:
    """A change to a refused request; ``lasting``: every later request to this model needs the same."""

    name: str
    change: Callable[[Json], Json]
    lasting: bool


def _any(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


_LACKS: Final = _any(
    r"\b(not|n[o']t) (supported|support|available|allowed|permitted|recognized|have|accept)\b"
    r"|\b(unsupported|unknown|unrecognized|unexpected|deprecated)\b|\bonly (the default|1|1\.0)\b"
    r"|\b(cannot|can't|does not|doesn't) (think|reason)\b|\bextra (inputs|fields)\b"
)
"""Words for what a model cannot do at all."""

_OF_THIS_REQUEST: Final = _any(
    r"\btools?\b|\bfunctions?\b|tool_choice|temperature|top_?[pk]\b|max_?\w{0,32}tokens|budget|\bstream|response_?format"
    r"|\bmessages?\b|schema|prefill|penalty|logprobs|\bstop\b|\bvalues?\b|one of|adaptive|\bwhen\b|\bwhile\b|together"
    r"|combin|\b(must|should) be\b|greater|less than|at least"
)
"""Words for another field of the same request, or for one value out of several: the model still thinks otherwise."""

_TOGETHER: Final = _any(r"\b(both|together|only one|either|not? .{0,40}same time|simultaneous\w*|mutually)\b")
_BOTH: Final = _any(r"\btemperature\b.{0,100}\btop_?p\b|\btop_?p\b.{0,100}\btemperature\b")
_THINKING: Final = _any(r"\b(reasoning|reasoning_?effort|thinking|think|encrypted)\b")
_SUMMARIES: Final = _any(r"reasoning summar|reasoning\.summary")
_THOUGHTS: Final = _any(r"\breasoning_(content|details)\b")
_WANTED: Final = _any(
    r"\b(pass(ed)?|sent|send) back\b|\bmissing\b|\brequired\b|\bmust be (present|provided|included)\b"
)
_UNREADABLE: Final = _any(r"\bencrypted[ _]content\b.{0,300}?(verified|decrypted|parsed)")
_TOOL_CHOICE: Final = _any(r"\btool_?choice\b")
_EFFORT: Final = _any(r"\b(reasoning_?effort|reasoning\.effort|effort)\b")
_EFFORTS: Final = _any(r"[\"'`\[( ,](none|default|minimal|low|medium|high|xhigh|max)(?=[\"'`\]), .;]|$)")
_GIVEN: Final = _any(r"(does not support|got|invalid value:?|received|value of) [\"'`]?\w{1,16}[\"'`]?")
_STOPS: Final = _any(
    r"\bstop(_sequences)?\b.{0,120}?(maximum length|at most|up to|maximum of|more than|<=) [\"'`]?(\d{1,3})\b"
)
_OLD_LIMIT: Final = _any(r"\bmax_tokens\b.{0,300}\bmax_completion_tokens\b")
_ANY_LIMIT: Final = _any(r"\bmax_tokens\b")
_NEW_LIMIT: Final = _any(r"\bmax_completion_tokens\b")
_REFUSED: Final = _any(
    _LACKS.pattern + r"|\binvalid\b|\b(must|should) be\b|\bonly\b|\bcannot\b|\bout of range\b|\bmax(imum)? length\b"
)


def _repairs(refusal: Refusal) -> list[Repair]:
    """Return what may help after a refusal, the likeliest first."""
    if refusal.status not in _STATUSES:
        return []
    words = refusal.words[:_READ_MOST]
    most = most_output(words)
    if most is not None:
        return [Repair("output", lambda fields: changes.within(fields, most.tokens), lasting=most.of_model)]
    found = [*_of_thinking(words), *_of_sampling(words)]
    lacks = _LACKS.search(words) is not None
    if _NEW_LIMIT.search(words) and lacks:
        old = _OLD_LIMIT.search(words) is not None and words.find("max_tokens") < words.find("max_completion_tokens")
        change = changes.with_new_limit if old else changes.with_old_limit
        found.append(Repair("output_name", change, lasting=True))
    elif _ANY_LIMIT.search(words) and lacks:
        found.append(Repair("output_name", changes.with_new_limit, lasting=True))
    if _TOOL_CHOICE.search(words):
        lasting = lacks and _THINKING.search(words) is None
        found.append(Repair("tool_choice", changes.with_free_choice, lasting=lasting))
    return found


def _of_thinking(words: str) -> list[Repair]:
    # OpenAI shows summaries to organisations that it has verified.
    if _SUMMARIES.search(words):
        return [Repair("summaries", changes.without_summaries, lasting=True)]
    if _UNREADABLE.search(words):
        # What was encrypted for another account, as after a failover to its key; what comes from now on can be read.
        return [Repair("thoughts", changes.without_thoughts, lasting=False)]
    found: list[Repair] = []
    if _THOUGHTS.search(words) and _WANTED.search(words):
        found.append(Repair("placeholders", changes.with_thoughts, lasting=True))
    elif _THOUGHTS.search(words):
        return [Repair("thoughts", changes.without_thoughts, lasting=True)]
    if _EFFORT.search(words):
        names = tuple(dict.fromkeys(name.lower() for name in _EFFORTS.findall(_GIVEN.sub(" ", words))))
        if names:
            found.append(Repair("effort", lambda fields: changes.with_effort(fields, names), lasting=True))
    if _THINKING.search(words) or _EFFORT.search(words):
        lacks = _LACKS.search(words) is not None and _OF_THIS_REQUEST.search(words) is None
        found.append(Repair("thinking", changes.without_thinking, lasting=lacks))
    return found


def _of_sampling(words: str) -> list[Repair]:
    if _REFUSED.search(words) is None and _TOGETHER.search(words) is None:
        return []
    if _BOTH.search(words) and _TOGETHER.search(words):
        return [Repair("top_p", changes.without_top_p, lasting=True)]
    found: list[Repair] = []
    fewer = _STOPS.search(words)
    if fewer is not None:
        most = int(fewer[3])
        found.append(Repair("stop_length", lambda fields: changes.with_fewer_stops(fields, most), lasting=True))
    lasting = _LACKS.search(words) is not None
    for name, pattern, change in _PARAMETERS:
        if pattern.search(words):
            found.append(Repair(name, change, lasting=lasting))
    return found


def _without(*names: str) -> Callable[[Json], Json]:
    return lambda fields: changes.without(fields, names)


_PARAMETERS: Final = tuple(
    (names[0], _any(rf"\b({'|'.join(names)})\b"), _without(*names))
    for names in (
        ("temperature",),
        ("top_p", "topP"),
        ("top_k", "topK"),
        ("stop", "stop_sequences"),
        ("parallel_tool_calls", "disable_parallel_tool_use", "parallelToolCalls"),
        ("stream_options", "include_usage"),
        ("presence_penalty", "presencePenalty"),
        ("frequency_penalty", "frequencyPenalty"),
        ("store",),
        ("include",),
        ("metadata",),
        ("seed",),
        ("user",),
    )
)
"""Parameters that a request is nearly the same without."""
