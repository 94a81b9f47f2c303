"""Reads what requests cost from the gateway's log lines: one JSON object per request, among any other lines."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import IO, Any, Final

from claude_gateway.cli.spending.totals import Period, Totals
from claude_gateway.contract import money
from claude_gateway.contract.spent import Sum

_LONGEST: Final = 64 * 1024
"""Bytes that a line may have; no line of a request comes near."""
_REQUEST: Final = b'"request"'
_VALUE: Final = 128
_TOKENS: Final = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")


def read(stream: IO[bytes], totals: Totals, period: Period) -> None:
    """Add the requests of a log to ``totals``, if they ended within a period.

    Text before an object is skipped, such as the pod's name that ``kubectl logs --prefix`` writes, and so are requests
    that reached no target: they cost nothing.
    """
    for data in _lines(stream):
        totals.lines += 1
        if _REQUEST not in data:
            continue
        try:
            line = json.loads(data[data.index(b"{") :])
            if not isinstance(line, dict) or line.get("event") != "request":
                continue
            totals.requests += 1
            if not line.get("billed_model"):
                continue
            at = datetime.fromisoformat(str(line["time"]))
            if period.since <= at < period.until:
                totals.add(tuple(_value(line, name, at) for name in totals.by), _sum(line))
        except (ValueError, TypeError, KeyError, RecursionError):
            totals.unreadable += 1


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield lines; of those that are too long, nothing."""
    whole = True
    while data := stream.readline(_LONGEST):
        ends = data.endswith(b"\n")
        if whole and (ends or len(data) < _LONGEST):
            yield data
        whole = ends


def _value(line: Mapping[str, Any], name: str, at: datetime) -> str:
    if name == "day":
        return at.date().isoformat()
    if name == "model":
        name = "billed_model"
    found = line.get(name)
    return found[:_VALUE] if isinstance(found, str) else ""


def _sum(line: Mapping[str, Any]) -> Sum:
    """Return the sum of one request. Raises ValueError where a count is not a number."""
    cost = money.parse(str(line["cost_usd"]))
    counts = {name: line.get(name, 0) for name in _TOKENS}
    if any(type(count) is not int or count < 0 for count in counts.values()):
        raise ValueError("a count of tokens is not a number")
    return Sum(requests=1, cost=cost, estimated=cost if line.get("cost_estimated") is True else 0, **counts)
