"""Reasoning efforts as Claude's thinking, and Claude's signed thinking in the encrypted content of reasoning items."""

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from claude_gateway_proxy.translation.claude.models import Claude, Thinks
from claude_gateway_proxy.translation.claude.rejected import Rejected
from claude_gateway_proxy.translation.claude.turns import Block
from claude_gateway_proxy.translation.packing import packed, unpacked

_MARK: Final = "cgwt1."
"""The beginning of encrypted content that this gateway wrote. Conversations hold it, so it must not change."""

_ORDER: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_BUDGETS: Final = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 31999, "max": 31999}
"""Tokens to think for; the last is what Claude Code gives."""

_LEAST: Final = 1024
"""The smallest budget that Claude accepts."""


class _Thought(msgspec.Struct, omit_defaults=True):
    """A block of thinking, its parts as short as possible: the text and its signature, or what is redacted."""

    t: str = ""
    s: str = ""
    r: str = ""


_DECODER: Final = msgspec.json.Decoder(_Thought)


def sealed(block: Block) -> str:
    """Return a block of thinking as encrypted content."""
    thought = _Thought(t=block.get("thinking", ""), s=block.get("signature", ""), r=block.get("data", ""))
    return _MARK + packed(msgspec.json.encode(thought))


def opened(content: object) -> Block | None:
    """Return the block of thinking in encrypted content; None if it is not ours, or damaged."""
    if not isinstance(content, str) or not content.startswith(_MARK):
        return None
    raw = unpacked(content[len(_MARK) :])
    try:
        thought = None if raw is None else _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if thought is None:
        return None
    if thought.r:
        return {"type": "redacted_thinking", "data": thought.r}
    return {"type": "thinking", "thinking": thought.t, "signature": thought.s} if thought.s else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """The thinking that a request asks for. ``effort`` is OpenAI's value, ``shown`` says whether to show the thinking.

    ``forced``: the answer must be a call; ``unthought``: the running loop of calls has no thinking. ``limit`` is the
    most output in tokens, thinking included.
    """

    effort: str | None
    shown: bool
    forced: bool
    unthought: bool
    limit: int


def effort_of(value: object, *, at: str) -> str | None:
    """Return an effort that is one of OpenAI's words, or None. Raises Rejected."""
    if value is None:
        return None
    if not isinstance(value, str) or value not in _ORDER:
        raise Rejected(f"{at}: must be one of {', '.join(_ORDER)}")
    return value


def thinking_fields(wanted: Wanted, model: Claude) -> dict[str, Any]:
    """Return ``thinking`` and the effort of ``output_config``, as far as the model and the request allow them."""
    effort = wanted.effort
    if effort is None or model.thinks is Thinks.NEVER:
        return {}
    if model.thinks is Thinks.BUDGET:
        return _budget(wanted, effort)
    if effort == "none":
        return {"output_config": {"effort": model.efforts[0]}} if model.unasked else {}
    found: dict[str, Any] = {"output_config": {"effort": nearest(effort, model.efforts)}}
    if not wanted.forced:
        found["thinking"] = {"type": "adaptive"}
        if "xhigh" in model.efforts:
            # These models omit the text of their thinking unless it is requested; older ones always send it.
            found["thinking"]["display"] = "summarized" if wanted.shown else "omitted"
    return found


def nearest(effort: str, efforts: tuple[str, ...]) -> str:
    """Return the highest effort that is not above the wanted one, as Claude Code does, else the lowest."""
    below = [each for each in efforts if _ORDER.index(each) <= _ORDER.index(effort)]
    return below[-1] if below else efforts[0]


def _budget(wanted: Wanted, effort: str) -> dict[str, Any]:
    """A budget within the limit of the output, of which half stays for the answer.

    A forced call and thinking exclude each other, and a loop of calls that began without thinking continues without it.
    """
    budget = min(_BUDGETS.get(effort, 0), wanted.limit // 2)
    if budget < _LEAST or wanted.forced or wanted.unthought:
        return {}
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}
