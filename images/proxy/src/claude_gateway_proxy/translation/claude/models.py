"""What Claude models accept, by their names.

Sources: platform.claude.com/docs, "Models overview", "Extended thinking", "Adaptive thinking", "Effort" and "Structured
outputs", as of November 2026; LiteLLM's table of models agrees. A model of an unknown name is taken for a new one.
"""

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final


class Sampling(Enum):
    """Which of ``temperature`` and ``top_p`` a model accepts: both, one of them, or neither."""

    BOTH = "both"
    ONE = "one"
    NONE = "none"


class Thinks(Enum):
    """How a model should think: not at all, with a budget in tokens, or as much as it needs (adaptive)."""

    NEVER = "never"
    BUDGET = "budget"
    ADAPTIVE = "adaptive"


@dataclass(frozen=True, slots=True)
class Claude:
    """One model. ``most_output`` is in tokens; ``efforts`` are the words of ``output_config.effort``, rising.

    ``prefill``: it continues an assistant turn; ``structured``: it follows JSON Schemas; ``unasked``: it thinks even
    where nobody asks it to.
    """

    most_output: int
    thinks: Thinks = Thinks.ADAPTIVE
    efforts: tuple[str, ...] = ()
    sampling: Sampling = Sampling.NONE
    prefill: bool = False
    structured: bool = True
    unasked: bool = False


_ALL_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
_NEWEST: Final = Claude(64_000, efforts=_ALL_EFFORTS, unasked=True)
_ROWS: Final = (
    ((5, 0), Claude(128_000, efforts=_ALL_EFFORTS, unasked=True)),
    ((4, 7), Claude(128_000, efforts=_ALL_EFFORTS)),
    ((4, 6), Claude(128_000, efforts=("low", "medium", "high", "max"), sampling=Sampling.ONE)),
    ((4, 5), Claude(64_000, thinks=Thinks.BUDGET, sampling=Sampling.ONE, prefill=True)),
    ((4, 1), Claude(32_000, thinks=Thinks.BUDGET, sampling=Sampling.ONE, prefill=True)),
    ((4, 0), Claude(32_000, thinks=Thinks.BUDGET, sampling=Sampling.BOTH, prefill=True, structured=False)),
    ((3, 7), Claude(64_000, thinks=Thinks.BUDGET, sampling=Sampling.BOTH, prefill=True, structured=False)),
    ((3, 5), Claude(8_192, thinks=Thinks.NEVER, sampling=Sampling.BOTH, prefill=True, structured=False)),
    ((0, 0), Claude(4_096, thinks=Thinks.NEVER, sampling=Sampling.BOTH, prefill=True, structured=False)),
)
"""Models from a version on."""

_SONNET_4: Final = Claude(64_000, thinks=Thinks.BUDGET, sampling=Sampling.BOTH, prefill=True, structured=False)
_NAME: Final = re.compile(
    r"claude-(?:(?P<old>\d)(?:-(?P<old_minor>\d))?-)?(?P<family>[a-z]+)"
    r"(?:-(?P<major>\d{1,2})(?!\d)(?:-(?P<minor>\d{1,2})(?!\d))?)?"
)


@lru_cache(maxsize=1024)
def claude(model: str) -> Claude:
    """Return what a model accepts, by Anthropic's own name for it."""
    match = _NAME.search(model)
    major = None if match is None else match["old"] or match["major"]
    if match is None or major is None:
        return _NEWEST
    version = (int(major), int(match["old_minor"] or match["minor"] or 0))
    if version == (4, 0) and match["family"] == "sonnet":
        return _SONNET_4
    return next(row for since, row in _ROWS if version >= since)
