"""Upstreams' words for a prompt that is too long, or for more output than there can be, read for their numbers.

Both are common with Claude Code, which counts with Claude's limits; servers tell them apart only in words.
"""

import re
from dataclasses import dataclass, field
from typing import Final

_N: Final = r"\d[\d,]{0,15}"
_NEAR: Final = ".{0,300}?"
"""What may stand between two parts of one statement."""

_FIELD: Final = r"max[_ ]?(?:(?:completion_?|output_?|new_?)?tokens|token_?count|gen_?len)"


def _any(*patterns: str) -> tuple[re.Pattern[str], ...]:
    """Patterns in which <name> is a number of that name."""
    named = (re.sub(r"<(\w+)>", lambda name: f"(?P{name[0]}{_N})", pattern) for pattern in patterns)
    return tuple(re.compile(pattern, re.IGNORECASE | re.DOTALL) for pattern in named)


_SHARED: Final = _any(
    # Tools and functions are counted in addition to the messages.
    r"context length is <most> tokens[.,;] however,? you requested (?:about )?<total> tokens "
    r"\(.{0,300}?<output> (?:in|for) the (?:output|completion)",
    r"context length is <most> tokens and your request has <sent> input tokens",
    r"context length is <most> tokens\. however, you requested \d+ output tokens and your prompt contains "
    r"(?:at least )?<sent> input tokens",
    r"context length is <most> tokens\. however, your request has <sent> input tokens plus",
    r"passed <sent> input tokens and requested \d+ output tokens\. however, the model's context length is only <most>",
    # SGLang
    r"maximum context length of <most> tokens\. you requested a total of \d+ tokens: <sent> tokens from the input",
    # TGI
    r"`?inputs`? tokens \+ `?max_new_tokens`? must be <= <most>\. given: <sent> `?inputs`? tokens",
    r"input length and `?max_tokens`? exceed context limit: <sent> \+ \d+ > <most>",
    # SambaNova
    r"prompt is <sent> tokens long.{0,200}?maximum supported sequence length is (?:just )?<most>",
)
"""Prompt and output share a context: of these, the prompt alone may fit. ``total`` is the sum of both."""

_SHARED_MOST: Final = _any(
    # Kimi counts the requested output, too.
    r"exceeded model token limit:? <most> \(requested:? <total>\)",
    r"exceeded model token limit:? <most>",
    # Cloudflare, SiliconFlow
    r"input and maximum output tokens \(\d+\) exceeded this model context window limit \(<most>",
    r"max_total_tokens \(\d+\) must be less than or equal to max_seq_len \(<most>",
)
"""The same without a count of the prompt."""

_OUTPUT: Final = _any(
    rf"{_FIELD}{_NEAR}(?:supports at most|(?:less (?:than )?or equal to|expected a value <=)) `?<most>",
    rf"{_FIELD}{_NEAR}[\[(][01], ?<most>[\])]",
    rf"range of {_FIELD}`? (?:should be|is) [\[(]\d+, ?<most>",
    rf"{_FIELD}`?'?{_NEAR}(?:must|should|has to) be (?:within|in|between|at most|<=|no (?:more|larger) than) "
    rf"(?:the range )?(?:of )?[\[(]?(?:\d+ ?(?:,|-|and|to) ?)?<most>",
    rf"{_FIELD}: \d+ > <most>, which is the maximum",
    rf"{_FIELD}{_NEAR}(?:exceeds|is (?:larger|greater) than|above) (?:the )?(?:model'?s? )?"
    r"(?:max(?:imum)?|limit|maximum (?:value|output(?: tokens)?))(?: limit)?(?: allowed)?(?: of|:)? \(?<most>",
    # vLLM names its limit twice.
    rf"{_FIELD}=\d+ ?cannot be greater than (?:\w{{1,32}}=){{1,3}}<most>",
    r"maximum tokens you requested exceeds the model limit of <most>",
    rf"{_FIELD} value of \d+ but the supported range is from 1 \(inclusive\) to <above> \(exclusive\)",
    rf"maximum (?:allowed )?(?:value|number) (?:of|for) `?{_FIELD}`? is `?<most>",
    rf"{_FIELD}{_NEAR}(?:cannot|can't|must not|may not) (?:exceed|be (?:greater|larger|more|higher) than) `?<most>",
    rf"{_FIELD}`?['\"]? (?:<=|(?:limit|allowed) (?:is|of)) <most>",
    rf"{_FIELD}.{{0,60}}?too (?:large|high|big)\D{{1,30}}?(?:max(?:imum)?|at most|limit)\D{{1,8}}<most>",
    rf"{_FIELD}`?['\"]?:? (?:must|should|has to) be (?:lower|less|smaller) than `?<above>",
    r"output (?:tokens? )?(?:limit|allowed) (?:is|of) <most>",
    r"output tokens requested \(\d+\) exceeds? (?:the )?max(?:imum)?\D{1,20}<most>",
)
_PROMPT: Final = _any(
    r"prompt is too long: <sent> tokens > <most> maximum",
    r"prompt is too long: <sent>, model maximum context length: <most>",
    rf"context length is <most> tokens{_NEAR}"
    r"(?:resulted in|requested(?: about)?|request has|contains(?: at least)?) <sent> ",
    r"maximum prompt length is <most> but the request contains <sent> tokens",
    r"prompt token count of <sent> exceeds the limit of <most>",
    r"input token count \(?<sent>\)? exceeds the maximum number of tokens allowed \(?<most>",
    r"input token count is <sent> but (?:the )?model only supports up to <most>",
    rf"contains <sent> tokens{_NEAR}with <most> maximum context length",
    r"(?:input|prompt)(?: length| size| token count)?:? \(?(?:length:? )?\(?<sent>(?: tokens)?\)? "
    r"(?:is (?:longer|greater|larger) than|exceeds?)\D{1,300}<most>",
    r"(?:input|prompt) (?:of|contains) <sent> tokens\D{1,300}<most>",
    r"tokens in the (?:input|prompt) \(<sent>\) exceeds?\D{1,300}<most>",
    r"(?:length|size) of (?:the )?(?:input|prompt(?:_tokens)?) \(<sent>\) (?:exceeds|must be less)\D{1,300}<most>",
    r"input tokens <sent> cannot exceed the total tokens limit <most>",
    r"requested tokens \(<sent>\) exceed context window of <most>",
    r"maximum number of tokens: <sent> > <most>",
    r"n_keep: ?<sent> ?>= ?n_ctx: ?<most>",
    r"cannot exceed <most> - received <sent>",
    r"request \(<sent> tokens\) exceeds the available context size \(<most>",
    r"first <sent> tokens when context the overflows\D{1,300}context length of only <most>",
    r"current length is <sent> while limit is <most>",
    r"limit:? <most>, requested:? <sent>, please reduce",
    r"must have less than <most> tokens\. given: <sent>",
    r"limit of <most> tokens\.? your (?:messages|input|prompt) resulted in <sent>",
    r"(?:too many (?:input|prompt) tokens|(?:input|prompt) (?:is )?too long)\D{1,20}<sent>\D{1,60}<most>",
    r"(?:prompt|input|context)\D{1,60}<sent>(?: tokens)? > <most>",
    r"(?:prompt|input)\D{1,20}<sent>(?: tokens)? is above the (?:limit|maximum) (?:of )?<most>",
    r"(?:maximum|length) (?:of|is) <most>(?: tokens)?,? but (?:(?:the|your) (?:input|prompt|request) "
    r"(?:has|is|contains) |got |received )?<sent> (?:tokens|were)",
)
_TOO_LONG: Final = re.compile(
    r"maximum context length|context length|context[ _]?window|context size|context_length_exceeded|prompt is too long"
    r"|too many tokens|input is too long|input token count|exceeds the maximum number of tokens|maximum model length"
    r"|reduce the length of the messages|reduce your message size|maximum prompt length|prompt token count"
    r"|exceeds? (?:the )?max(?:imum)? (?:length|message tokens|input|prompt|sequence|context)"
    r"|(?:input|prompt)(?: length| size| tokens?)\b.{0,60}?(?:exceed|(?:long|great|larg)er than|must be less than)"
    r"|(?:input|prompt)(?: length| tokens?)? (?:is |are )?too (?:long|many)|range of input length|model token limit"
    r"|tokens in the (?:input|prompt)|token length exceed|length of (?:the )?(?:input|prompt)|sequence length"
    r"|max_seq_len|max_prompt_tokens|tokens_limit_reached|context limit|body too large for .{1,100} model"
    r"|total tokens limit"
    r"|greater than the context|`?inputs`? must have less than|context the overflows|max_new_tokens`? must be <="
    r"|max_tokens must be at least 1, got -|conversation is too long|request too large for model"
    r"|token limit exceeded"
    # OpenAI bounds the messages and the characters of each.
    r"|invalid '(?:messages|input)(?:\[\d{1,6}\][^']{0,60})?': (?:string|array) (?:too long|above)"
    r"|超长|超[出过].{0,16}(?:上下文|最大长度|长度限制)",
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
    """A request that does not fit into a model's context: its tokens and the most, None where it is not said.

    ``of_prompt``: the upstream's words are about the prompt, which less output does not make fit.
    """

    tokens: int | None = None
    most: int | None = None
    of_prompt: bool = field(default=False, compare=False)


def most_output(text: str) -> MostOutput | None:
    """Return what an upstream reports about the output limit; None if its message is about something else."""
    shared = _found(_SHARED, text)
    if shared is not None:
        left = shared["most"] - _sent(shared)
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
    return _TOO_LONG.search(text) is not None or _counted(text) is not None


def too_long(text: str) -> TooLong | None:
    """What an upstream says of a request that does not fit into its context; None where it says something else.

    Where prompt and output share a context, it is the request as it was sent that does not fit.
    """
    output = most_output(text)
    if output.of_model if output is not None else not is_too_long(text):
        return None
    counted = _counted(text)
    if counted is not None:
        return TooLong(*counted, of_prompt=output is None)
    found = _found(_SHARED, text) or _found(_SHARED_MOST, text)
    if found is None:
        return TooLong(of_prompt=output is None)
    return TooLong(found.get("total"), found["most"], of_prompt=output is None)


def is_counted_too_long(text: str) -> bool:
    """Whether an upstream says by how much a prompt does not fit: its words then mean nothing else."""
    return _counted(text) is not None


def prompt_too_long(text: str) -> str:
    """Anthropic's wording, which makes Claude Code compact its conversation and try again.

    The numbers are the upstream's own, in their roles; where it gives none, its words stand in their place.
    """
    counted = _counted(text)
    if counted is not None:
        return f"prompt is too long: {counted[0]} tokens > {counted[1]} maximum"
    return text if text.startswith("prompt is too long") else f"prompt is too long: {text}"


def _counted(text: str) -> tuple[int, int] | None:
    """The tokens of a prompt that does not fit, and the most that there may be; None where the upstream counts none.

    Of a prompt that would fit with less output, the count is that of both.
    """
    shared = _found(_SHARED, text)
    if shared is not None and _sent(shared) > shared["most"]:
        return _sent(shared), shared["most"]
    found = _found(_PROMPT, text)
    if found is None or found["sent"] <= found["most"]:
        return None
    return found["sent"], found["most"]


def _sent(shared: dict[str, int]) -> int:
    """The tokens of the prompt, of those that it shares a context with."""
    return shared["sent"] if "sent" in shared else shared["total"] - shared["output"]


def _found(patterns: tuple[re.Pattern[str], ...], text: str) -> dict[str, int] | None:
    matches = (pattern.search(text) for pattern in patterns)
    match = next(filter(None, matches), None)
    return None if match is None else {name: int(number.replace(",", "")) for name, number in match.groupdict().items()}
