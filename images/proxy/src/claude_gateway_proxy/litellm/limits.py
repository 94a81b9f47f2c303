"""Upstreams' words for a prompt that is too long, or for more output than there can be, read for their numbers.

Both are common with Claude Code, which counts with Claude's limits; servers tell them apart only in words.
"""

import re
from dataclasses import dataclass
from typing import Final

_N: Final = r"\d[\d,]{0,15}"
_NEAR: Final = ".{0,300}?"
"""What may stand between two parts of one statement."""

_FIELD: Final = r"max_?(?:completion_?|output_?)?tokens"


def _any(*patterns: str) -> tuple[re.Pattern[str], ...]:
    """Patterns in which <name> is a number of that name."""
    named = (re.sub(r"<(\w+)>", lambda name: f"(?P{name[0]}{_N})", pattern) for pattern in patterns)
    return tuple(re.compile(pattern, re.IGNORECASE | re.DOTALL) for pattern in named)


_SHARED: Final = _any(
    r"context length is <most> tokens\. however, you requested \d+ tokens "
    r"\(<sent> in the messages, .{0,300}?in the completion",
    r"context length is <most> tokens and your request has <sent> input tokens",
    r"context length is <most> tokens\. however, you requested \d+ output tokens and your prompt contains "
    r"(?:at least )?<sent> input tokens",
)
"""Prompt and output share a context: of these, the prompt alone may fit."""

_OUTPUT: Final = _any(
    rf"{_FIELD}{_NEAR}(?:supports at most|less than or equal to|range of \S+ is \[1,|expected a value <=) `?<most>",
    rf"{_FIELD}: \d+ > <most>, which is the maximum",
    r"maximum tokens you requested exceeds the model limit of <most>",
    rf"{_FIELD} value of \d+ but the supported range is from 1 \(inclusive\) to <above> \(exclusive\)",
)
_PROMPT: Final = _any(
    r"prompt is too long: <sent> tokens > <most> maximum",
    rf"context length is <most> tokens{_NEAR}"
    r"(?:resulted in|requested(?: about)?|request has|contains(?: at least)?) <sent> ",
    r"input token count \(?<sent>\)? exceeds the maximum number of tokens allowed \(?<most>",
    rf"contains <sent> tokens{_NEAR}with <most> maximum context length",
    r"(?:input|prompt) (?:of|contains) <sent> tokens\D{1,300}<most>",
    r"(?:input|prompt) \(?length:? \(?<sent>\)? (?:is longer than|exceeds|is greater than)\D{1,300}<most>",
    r"cannot exceed <most> - received <sent>",
    r"request \(<sent> tokens\) exceeds the available context size \(<most>",
)
_TOO_LONG: Final = re.compile(
    r"maximum context length|context length|context window|context size|context_length_exceeded|prompt is too long"
    r"|too many tokens|input is too long|input token count|exceeds the maximum number of tokens|maximum model length"
    r"|reduce the length of the messages",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class MostOutput:
    """The most output that a request may ask for; ``of_model``: any request to this model."""

    tokens: int
    of_model: bool


def most_output(text: str) -> MostOutput | None:
    """What an upstream says of the output limit; None where it speaks of something else."""
    shared = _found(_SHARED, text)
    if shared is not None:
        left = shared["most"] - shared["sent"]
        return MostOutput(left, of_model=False) if left > 0 else None
    found = _found(_OUTPUT, text)
    if found is None:
        return None
    most = found["most"] if "most" in found else found["above"] - 1
    return MostOutput(most, of_model=True) if most > 0 else None


def is_too_long(text: str) -> bool:
    """Whether an upstream says that a prompt does not fit."""
    return _TOO_LONG.search(text) is not None


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
