"""Upstreams' words for a prompt that is too long, or for more output than there can be, read for their numbers.

Both are common with Claude Code, which counts with Claude's limits; servers tell them apart only in words.
"""

import re
from dataclasses import dataclass
from typing import Final

_N: Final = r"\d[\d,]{0,15}"
_NEAR: Final = ".{0,300}?"
"""What may stand between two parts of one statement."""

_FIELD: Final = r"max_?(?:completion_?|output_?|new_?)?tokens"


def _any(*patterns: str) -> tuple[re.Pattern[str], ...]:
    """Patterns in which <name> is a number of that name."""
    named = (re.sub(r"<(\w+)>", lambda name: f"(?P{name[0]}{_N})", pattern) for pattern in patterns)
    return tuple(re.compile(pattern, re.IGNORECASE | re.DOTALL) for pattern in named)


_SHARED: Final = _any(
    r"context length is <most> tokens\. however, you requested (?:about )?\d+ tokens "
    r"\(<sent> in (?:the messages|your prompt)[,;] .{0,300}?(?:in|for) the completion",
    # OpenRouter counts tools beside the text.
    r"context length is <most> tokens\. however, you requested (?:about )?<total> tokens "
    r"\(.{0,300}?<output> in the output",
    r"context length is <most> tokens and your request has <sent> input tokens",
    r"context length is <most> tokens\. however, you requested \d+ output tokens and your prompt contains "
    r"(?:at least )?<sent> input tokens",
    r"passed <sent> input tokens and requested \d+ output tokens\. however, the model's context length is only <most>",
    # SGLang
    r"maximum context length of <most> tokens\. you requested a total of \d+ tokens: <sent> tokens from the input",
    # TGI
    r"`?inputs`? tokens \+ `?max_new_tokens`? must be <= <most>\. given: <sent> `?inputs`? tokens",
    r"input length and `max_tokens` exceed context limit: <sent> \+ \d+ > <most>",
    # Kimi counts the output that is asked for, too.
    r"exceeded model token limit:? <most> \(requested:? <total>\)",
)
"""Prompt and output share a context: of these, the prompt alone may fit. ``total`` is the sum of both."""

_SHARED_MOST: Final = _any(r"exceeded model token limit:? <most>")
"""The same without a count of the prompt."""

_OUTPUT: Final = _any(
    rf"{_FIELD}{_NEAR}(?:supports at most|less than or equal to|range of \S+ is \[1,|expected a value <=) `?<most>",
    rf"range of {_FIELD}`? (?:should be|is) [\[(]\d+, ?<most>",
    rf"{_FIELD}`?'?{_NEAR}(?:must|should|has to) be (?:within|in|between|at most|<=|no (?:more|larger) than) "
    rf"(?:the range )?(?:of )?[\[(]?(?:\d+ ?(?:,|-|and|to) ?)?<most>",
    rf"{_FIELD}: \d+ > <most>, which is the maximum",
    rf"{_FIELD}{_NEAR}(?:exceeds|is (?:larger|greater) than|above) (?:the )?(?:model'?s? )?"
    r"(?:max(?:imum)?|limit|maximum (?:value|output(?: tokens)?))(?: limit)?(?: allowed)?(?: of|:)? \(?<most>",
    r"maximum tokens you requested exceeds the model limit of <most>",
    rf"{_FIELD} value of \d+ but the supported range is from 1 \(inclusive\) to <above> \(exclusive\)",
    rf"maximum (?:allowed )?(?:value|number) (?:of|for) `?{_FIELD}`? is `?<most>",
)
_PROMPT: Final = _any(
    r"prompt is too long: <sent> tokens > <most> maximum",
    r"prompt is too long: <sent>, model maximum context length: <most>",
    rf"context length is <most> tokens{_NEAR}"
    r"(?:resulted in|requested(?: about)?|request has|contains(?: at least)?) <sent> ",
    r"maximum prompt length is <most> but the request contains <sent> tokens",
    r"prompt token count of <sent> exceeds the limit of <most>",
    r"input token count \(?<sent>\)? exceeds the maximum number of tokens allowed \(?<most>",
    rf"contains <sent> tokens{_NEAR}with <most> maximum context length",
    r"(?:input|prompt) \(?<sent> tokens\)? (?:is longer than|exceeds|is greater than)\D{1,300}<most>",
    r"(?:input|prompt) (?:of|contains) <sent> tokens\D{1,300}<most>",
    r"(?:input|prompt) \(?length:? \(?<sent>\)? (?:is longer than|exceeds|is greater than)\D{1,300}<most>",
    r"cannot exceed <most> - received <sent>",
    r"request \(<sent> tokens\) exceeds the available context size \(<most>",
    r"first <sent> tokens when context the overflows\D{1,300}context length of only <most>",
    r"current length is <sent> while limit is <most>",
    r"limit:? <most>, requested:? <sent>, please reduce",
    r"must have less than <most> tokens\. given: <sent>",
)
_TOO_LONG: Final = re.compile(
    r"maximum context length|context length|context window|context size|context_length_exceeded|prompt is too long"
    r"|too many tokens|input is too long|input token count|exceeds the maximum number of tokens|maximum model length"
    r"|reduce the length of the messages|reduce your message size|maximum prompt length|prompt token count"
    r"|exceeds? (?:the )?max(?:imum)? (?:length|message tokens|input|prompt|sequence|context)"
    r"|(?:input|prompt) (?:length|tokens?) (?:exceeds?|is too|are too)|range of input length|model token limit"
    r"|max_prompt_tokens|tokens_limit_reached|context limit|body too large for .{1,100} model|input too long"
    r"|prompt too long|greater than the context|`?inputs`? must have less than|context the overflows"
    r"|max_tokens must be at least 1, got -|conversation is too long|request too large for model|token limit exceeded",
    re.IGNORECASE,
)

_LEAST: Final = 4_096
_PART: Final = 8
"""Where an upstream does not count the prompt, the output is lowered to this part of the context once."""


@dataclass(frozen=True, slots=True)
class MostOutput:
    """The most output that a request may ask for; ``of_model``: any request to this model."""

    tokens: int
    of_model: bool


@dataclass(frozen=True, slots=True)
class TooLong:
    """A request that does not fit into a model's context: its tokens and the most, None where it is not said."""

    tokens: int | None = None
    most: int | None = None


def most_output(text: str) -> MostOutput | None:
    """What an upstream says of the output limit; None where it speaks of something else."""
    shared = _found(_SHARED, text)
    if shared is not None and "sent" not in shared and "output" not in shared:
        return MostOutput(max(_LEAST, shared["most"] // _PART), of_model=False)
    if shared is not None:
        sent = shared["sent"] if "sent" in shared else shared["total"] - shared["output"]
        left = shared["most"] - sent
        return MostOutput(left, of_model=False) if left > 0 else None
    unknown = _found(_SHARED_MOST, text)
    if unknown is not None:
        return MostOutput(max(_LEAST, unknown["most"] // _PART), of_model=False)
    found = _found(_OUTPUT, text)
    if found is None:
        return None
    most = found["most"] if "most" in found else found["above"] - 1
    return MostOutput(most, of_model=True) if most > 0 else None


def is_too_long(text: str) -> bool:
    """Whether an upstream says that a prompt does not fit."""
    return _TOO_LONG.search(text) is not None


def too_long(text: str) -> TooLong | None:
    """What an upstream says of a request that does not fit into its context; None where it says something else.

    Where prompt and output share a context, it is the request as it was sent that does not fit.
    """
    output = most_output(text)
    if output.of_model if output is not None else not is_too_long(text):
        return None
    found = _found(_PROMPT, text)
    if found is not None and found["sent"] > found["most"]:
        return TooLong(found["sent"], found["most"])
    found = _found(_SHARED, text) or _found(_SHARED_MOST, text)
    return TooLong() if found is None else TooLong(found.get("total"), found["most"])


def prompt_too_long(text: str) -> str:
    """Anthropic's wording, which makes Claude Code compact its conversation and try again.

    The numbers are the upstream's own, in their roles; where it gives none, its words stand in their place.
    """
    found = _found(_PROMPT, text)
    if found is not None and found["sent"] > found["most"]:
        return f"prompt is too long: {found['sent']} tokens > {found['most']} maximum"
    return text if text.startswith("prompt is too long") else f"prompt is too long: {text}"


def _found(patterns: tuple[re.Pattern[str], ...], text: str) -> dict[str, int] | None:
    matches = (pattern.search(text) for pattern in patterns)
    match = next(filter(None, matches), None)
    return None if match is None else {name: int(number.replace(",", "")) for name, number in match.groupdict().items()}
