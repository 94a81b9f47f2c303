"""Totals for people, as a table, and for programs, as JSON."""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from claude_gateway.cli.files.findings import plural
from claude_gateway.cli.spending.totals import Period, Totals
from claude_gateway.cli.terminal import printable
from claude_gateway.contract import money
from claude_gateway.contract.spent import Sum

_SHOWN: Final = 50
_NUMBERS: Final = ("COST", "REQUESTS", "INPUT", "OUTPUT", "CACHE READ", "CACHE WRITTEN")
_TOKENS: Final = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_creation_tokens")


def lines(totals: Totals, period: Period, *, source: str) -> Iterator[str]:
    """Yield the lines of a table: the most expensive groups, then the total; ``*`` marks costs with estimates."""
    yield printable(f"{_time(period.since)} to {_time(period.until)} UTC, from {source}")
    groups, total = totals.ordered(), totals.total
    if not groups:
        yield "No request cost anything."
        yield from _unread(totals)
        return
    blank = [""] * (len(totals.by) - 1)
    rows = [([printable(value) or "-" for value in values], found) for values, found in groups[:_SHOWN]]
    if len(groups) > _SHOWN:
        rest = Sum()
        for _, found in groups[_SHOWN:]:
            rest.add(found)
        rows.append(([f"… and {len(groups) - _SHOWN} more", *blank], rest))
    rows.append((["total", *blank], total))
    yield from _aligned(totals, rows)
    if total.estimated:
        yield f"* {money.dollars(total.estimated)} of it are estimates: unknown prices, or answers that broke off."
    yield from _unread(totals)


def _unread(totals: Totals) -> Iterator[str]:
    if totals.unreadable:
        yield f"{plural(totals.unreadable, 'line')} could not be read, and {_are(totals.unreadable)} missing here."
    elif totals.lines and not totals.requests:
        yield f"None of {plural(totals.lines, 'line')} is a request: LOG is the gateway's log, one JSON object a line."


def document(totals: Totals, period: Period, *, source: str) -> str:
    """Return a JSON document with every group."""
    groups = [
        {**dict(zip(totals.by, values, strict=True)), **_numbers(found, cost_only=totals.cost_only)}
        for values, found in totals.ordered()
    ]
    return json.dumps(
        {
            "source": source,
            "since": _time(period.since, "T", "Z"),
            "until": _time(period.until, "T", "Z"),
            "currency": "USD",
            "by": list(totals.by),
            "groups": groups,
            "total": _numbers(totals.total, cost_only=totals.cost_only),
            "unreadable_lines": totals.unreadable,
        },
        ensure_ascii=False,
    )


def _numbers(found: Sum, *, cost_only: bool) -> Mapping[str, object]:
    if cost_only:
        return {"cost_usd": money.exact(found.cost)}
    tokens = {name: getattr(found, name) for name in _TOKENS}
    costs = {"cost_usd": money.exact(found.cost), "estimated_usd": money.exact(found.estimated)}
    return {"requests": found.requests, **costs, **tokens}


def _aligned(totals: Totals, rows: list[tuple[list[str], Sum]]) -> Iterator[str]:
    """Yield rows of equal columns: words to the left, numbers to the right."""
    heads = _NUMBERS[:1] if totals.cost_only else _NUMBERS
    names = [name.replace("_", " ").upper() for name in totals.by]
    table = [(names, [*heads])]
    for words, found in rows:
        cost = f"{money.dollars(found.cost)}{'*' if found.estimated else ''}"
        numbers = [cost, f"{found.requests:,}", *(f"{getattr(found, name):,}" for name in _TOKENS)]
        table.append((words, numbers[: len(heads)]))
    left = [max(len(words[at]) for words, _ in table) for at in range(len(names))]
    right = [max(len(numbers[at]) for _, numbers in table) for at in range(len(heads))]
    for words, numbers in table:
        cells = [word.ljust(width) for word, width in zip(words, left, strict=True)]
        cells += [number.rjust(width) for number, width in zip(numbers, right, strict=True)]
        yield "  ".join(cells).rstrip()


def _time(moment: object, between: str = " ", zone: str = "") -> str:
    return f"{moment:%Y-%m-%d}{between}{moment:%H:%M:%S}{zone}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
