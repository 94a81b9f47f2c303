"""The common parts of upstreams' refusals, and their repairs."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from claude_gateway_proxy.translation.changes import Json


class Refusal(NamedTuple):
    """An upstream's refusal of a request: the HTTP status, its words and the parameter that it names beside them."""

    status: int
    words: str
    param: str = ""


@dataclass(frozen=True, slots=True)
class Repair:
    """A change to a refused request; ``lasting``: every later request to this model needs the same.

    ``worded``: words take the place of what the model cannot take, which not every client wants.
    """

    name: str
    change: Callable[[Json], Json]
    lasting: bool
    worded: bool = False


def pattern(text: str) -> re.Pattern[str]:
    """Return a pattern for words of any case, over several lines."""
    return re.compile(text, re.IGNORECASE | re.DOTALL)


LACKS: Final = pattern(
    r"\b(not|n[o']t)( yet| currently)? (supported|support|available|allowed|permitted|recognized|have|accept)\b"
    r"|\b(unsupported|unavailable|unknown|unrecognized|unexpected|deprecated)\b"
    r"|\bonly (the default|\d{1,2}(\.\d{1,3})?)\b"
    r"|\b(cannot|can't|does not|doesn't) (think|reason)\b|\bextra (inputs|fields)\b"
)
"""Words for what a model cannot do at all."""

REFUSED: Final = pattern(
    LACKS.pattern + r"|\binvalid\b|\b(must|should) be\b|\bonly\b|\bcannot\b|\bout of range\b|\bmaximum\b"
)
"""Words for a value that a model does not accept, or for something that it does not support."""
