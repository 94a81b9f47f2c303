"""Estimates the tokens of an answer that were not reported, from its beginning and its size; rather too high."""

import re
from collections.abc import Sequence
from typing import Final

from claude_gateway_proxy.gateway.body import estimate

_SAID: Final = re.compile(
    rb'"(?:text|thinking|partial_json|content|reasoning_content|reasoning|arguments|delta|refusal)"'
    rb'[ \t]{0,4}:[ \t]{0,4}"((?:[^"\\]|\\.)*+)(?:"|\Z)',
    re.DOTALL,
)
"""The model's output in an event of any format; the last one may be cut."""

_UNREADABLE: Final = 2
"""Bytes of a compressed stream that are one token, at most."""


def output_tokens(sample: Sequence[bytes], *, size: int, streamed: bool) -> int:
    """Return an estimate of the tokens of an answer of ``size`` bytes that begins with ``sample``.

    A stream's events are mostly framing: only the model's output in them counts. Linear in the sample, which is
    bounded.
    """
    data = b"".join(sample)
    if not data:
        return size // _UNREADABLE
    said = b"".join(found[1] for found in _SAID.finditer(data)) if streamed else data
    return round(estimate.text(said) * max(1.0, size / len(data)))
