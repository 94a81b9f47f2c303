"""What an upstream refuses about a request, according to its message, and the repairs for it."""

from collections.abc import Callable
from typing import Final

from claude_gateway_proxy.translation import changes
from claude_gateway_proxy.translation.changes import Json
from claude_gateway_proxy.translation.limits import most_output
from claude_gateway_proxy.translation.refusal import LACKS, REFUSED, Refusal, Repair, pattern
from claude_gateway_proxy.translation.refused_content import of_content

_READ_MOST: Final = 4_000
"""Characters of a refusal that are read."""

_PARAM_MOST: Final = 64
_OF_CONTENT: Final = frozenset({404, 500})
"""Statuses that say something of the request only where the words do.

OpenRouter has no endpoint (404) for an image. llama.cpp reports an image, and what its chat template refuses, as a
failure of its own (500).
"""

STATUSES: Final = frozenset({400, 413, 422, *_OF_CONTENT})
"""Statuses of refusals that another form of the request may save."""


_OF_THIS_REQUEST: Final = pattern(
    r"\btools?\b|\bfunctions?\b|tool_choice|temperature|top_?[pk]\b|max_?\w{0,32}tokens|budget|\bstream|response_?format"
    r"|\bmessages?\b|schema|prefill|penalty|logprobs|\bstop\b|\bvalues?\b|one of|adaptive|\bwhen\b|\bwhile\b|together"
    r"|combin|\b(must|should) be\b|greater|less than|at least"
)
"""Words for another field of the same request, or for one value out of several: the model still thinks otherwise."""

_CONFLICT: Final = pattern(
    r"\b(when|while|unless|together|alongside|in combination|combined|contain)\b"
    r"|\bwith (the |a )?[\"'`]?(hosted |function |predicted |structured |json )?"
    r"(tools?|functions?|tool_?choice|web_?search\w*|thinking|reasoning\w*|response_?format|outputs?|log_?probs"
    r"|temperature|top_?[pk]|stream\w*)\b(?! models?\b)"
)
"""Words for a field that only conflicts with another of this request, or for what is wrong with its one value."""

_TOGETHER: Final = pattern(r"\b(both|together|only one|either|not? .{0,40}same time|simultaneous\w*|mutually)\b")
_BOTH: Final = pattern(r"\btemperature\b.{0,100}\btop_?p\b|\btop_?p\b.{0,100}\btemperature\b")
_THINKING: Final = pattern(r"\b(reasoning|reasoning_?effort|thinking|think|encrypted)\b")
_SUMMARIES: Final = pattern(r"reasoning summar|reasoning\.summary")
_THOUGHTS: Final = pattern(r"\breasoning_(content|details)\b")
_WANTED: Final = pattern(
    r"\b(pass(ed)?|sent|send) back\b|\bmissing\b|\brequired\b|\bmust be (present|provided|included)\b"
)
_UNREADABLE: Final = pattern(r"\bencrypted[ _]content\b.{0,300}?(verified|decrypted|parsed)")
_UNENCRYPTED: Final = pattern(r"\bencrypted content\b.{0,40}\bnot supported\b")
_ALONE: Final = pattern(r"\bof type ['\"`]?reasoning['\"`]? was provided without\b")
_UNSIGNED: Final = pattern(r"\bmissing an? [`'\"]?thought_?signature")
_NULL: Final = pattern(
    r"\bcontent\b.{0,80}?(\bnull\b|\bnone\b|\brequired\b|\b(valid|be an?) string\b)|\bnull\b.{0,40}?\bcontent\b"
)
"""Messages of servers that require a text beside a call, even an empty one."""

_TOOL_CHOICE: Final = pattern(r"\btool_?choice\b")
_EFFORT: Final = pattern(r"\b(reasoning_?effort|reasoning\.effort|effort)\b")
_EFFORTS: Final = pattern(r"[\"'`\[( ,](none|default|minimal|low|medium|high|xhigh|max)(?=[\"'`\]), .;]|$)")
_GIVEN: Final = pattern(
    r"(does not support|got|(invalid|unsupported) value:?|received|value of|unknown variant|'input':) "
    r"[\"'`]?\w{1,16}[\"'`]?|[\"'`]\w{1,16}[\"'`] is (not|un|in)"
)
"""The effort that the request had."""

_STOPS: Final = pattern(
    r"\bstop(_sequences)?\b.{0,120}?(maximum length|maximum number of items is|at most|up to|maximum of|more than|<=) "
    r"[\"'`]?(\d{1,3})\b"
)
_OLD_LIMIT: Final = pattern(r"\bmax_?tokens\b")
_NEW_LIMIT: Final = pattern(r"\bmax_?completion_?tokens\b")
_ORDER: Final = pattern(r"\bunexpected role ['\"`]?user['\"`]? after role ['\"`]?tool\b")
_LAST: Final = pattern(r"\bexpected last role user or tool\b.{0,60}\bprefix\b")
"""Mistral's words, also from other providers that serve its models."""

_SWITCH: Final = pattern(r"\benable_thinking\b.{0,60}\bfalse\b")


def repairs_of(refusal: Refusal) -> list[Repair]:
    """Return what may help after a refusal, the likeliest first."""
    if refusal.status not in STATUSES:
        return []
    words = refusal.words[:_READ_MOST]
    if refusal.status in _OF_CONTENT:
        return of_content(words)
    most = most_output(words)
    if most is not None:
        return [Repair("output", lambda fields: changes.within(fields, most.tokens), lasting=most.of_model)]
    if refusal.param and refusal.param not in words:
        # OpenAI names a value in its words and leaves the parameter to another field.
        words = f"{words} ({refusal.param[:_PARAM_MOST]})"
    return [*_of_thinking(words), *_of_sampling(words), *_of_fields(words), *of_content(words)]


def _of_fields(words: str) -> list[Repair]:
    found: list[Repair] = []
    lacks = LACKS.search(words) is not None
    old, new = _OLD_LIMIT.search(words), _NEW_LIMIT.search(words)
    if lacks and (old is not None or new is not None):
        is_old = new is None or (old is not None and old.start() < new.start())
        change = changes.with_new_limit if is_old else changes.with_old_limit
        found.append(Repair("output_name", change, lasting=True))
    if _TOOL_CHOICE.search(words):
        lasting = lacks and _THINKING.search(words) is None and _CONFLICT.search(words) is None
        found.append(Repair("tool_choice", changes.with_free_choice, lasting=lasting))
    if _ORDER.search(words):
        found.append(Repair("results_last", changes.with_results_last, lasting=True))
    if _LAST.search(words):
        found.append(Repair("prefix", changes.with_prefix, lasting=True))
    if _UNSIGNED.search(words):
        found.append(Repair("signatures", changes.with_signatures, lasting=True))
    if _NULL.search(words):
        found.append(Repair("content", changes.with_content, lasting=True))
    if _SWITCH.search(words):
        found.append(Repair("thinking_switch", changes.with_thinking_off, lasting=True))
    return found


def _of_thinking(words: str) -> list[Repair]:
    # OpenAI shows summaries to organisations that it has verified.
    if _SUMMARIES.search(words):
        return [Repair("summaries", changes.without_summaries, lasting=True)]
    if _UNREADABLE.search(words) or _ALONE.search(words):
        # What was encrypted for another account, as after a failover to its key; what comes from now on can be read.
        return [Repair("thoughts", changes.without_thoughts, lasting=False)]
    found: list[Repair] = []
    if _UNENCRYPTED.search(words):
        found.append(Repair("include", _without("include"), lasting=True))
    if _THOUGHTS.search(words) and _WANTED.search(words):
        found.append(Repair("placeholders", changes.with_thoughts, lasting=True))
    elif _THOUGHTS.search(words):
        return [Repair("thoughts", changes.without_thoughts, lasting=True)]
    if _EFFORT.search(words):
        names = tuple(dict.fromkeys(name.lower() for name in _EFFORTS.findall(_GIVEN.sub(" ", words))))
        if names:
            lasting = _CONFLICT.search(words) is None
            found.append(Repair("effort", lambda fields: changes.with_effort(fields, names), lasting=lasting))
    if _THINKING.search(words) or _EFFORT.search(words):
        lacks = LACKS.search(words) is not None and _OF_THIS_REQUEST.search(words) is None
        found.append(Repair("thinking", changes.without_thinking, lasting=lacks))
    return found


def _of_sampling(words: str) -> list[Repair]:
    if REFUSED.search(words) is None and _TOGETHER.search(words) is None:
        return []
    if _BOTH.search(words) and _TOGETHER.search(words):
        return [Repair("top_p", changes.without_top_p, lasting=True)]
    found: list[Repair] = []
    fewer = _STOPS.search(words)
    if fewer is not None:
        most = int(fewer[3])
        found.append(Repair("stop_length", lambda fields: changes.with_fewer_stops(fields, most), lasting=True))
    lasting = LACKS.search(words) is not None and _CONFLICT.search(words) is None
    for name, words_of_it, change in _PARAMETERS:
        if words_of_it.search(words):
            found.append(Repair(name, change, lasting=lasting))
    return found


def _without(*names: str) -> Callable[[Json], Json]:
    return lambda fields: changes.without(fields, names)


_PARAMETERS: Final = tuple(
    (names[0], pattern(rf"\b({'|'.join(names)})\b"), _without(*names))
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
