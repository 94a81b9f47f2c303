"""Asks Prometheus what requests cost: the sums of all pods, those that are gone included."""

import json
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from claude_gateway import metric_names
from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.remote import web
from claude_gateway.cli.spending.totals import Period, Totals
from claude_gateway.contract import money
from claude_gateway.contract.spent import Sum

_SECONDS: Final = 60.0
_METRICS: Final = (
    (metric_names.COST, ("client", "route", "provider", "model")),
    (metric_names.AGENT_COST, ("client", "agent_type", "request_class")),
)
"""The metrics of money, with their labels."""


def totals(
    url: str, *, by: Sequence[str], period: Period, matchers: str = "", token_file: Path | None = None
) -> Totals:
    """Return the cost in a period by some labels. Raises Trouble.

    ``matchers`` select the series, in PromQL (``namespace="ai"``).
    """
    query = expression(by, seconds=period.seconds, matchers=matchers)
    asked = f"{url}/api/v1/query?{urlencode({'query': query, 'time': f'{period.until.timestamp():.3f}'})}"
    headers = {} if token_file is None else {"authorization": f"Bearer {_token(token_file)}"}
    try:
        answer = web.fetch(asked, headers=headers, timeout=_SECONDS)
    except web.UnreachableError as error:
        fix = "Forward its port: `kubectl port-forward svc/NAME 9090`."
        raise Trouble(f"no Prometheus at {web.reachable_part(url)}: {error}", fix=fix) from None
    found = Totals(tuple(by), cost_only=True)
    for values, cost in _read(answer, by):
        found.add(values, Sum(cost=cost))
    return found


def expression(by: Sequence[str], *, seconds: int, matchers: str = "") -> str:
    """Return the query for the dollars of the last ``seconds``. Raises Trouble for labels that no metric has."""
    metric = next((name for name, labels in _METRICS if set(by) <= set(labels)), None)
    if metric is None:
        choice = " or ".join(", ".join(labels) for _, labels in _METRICS)
        fix = f"Choose from {choice}; for all others read the logs, which also know sessions and users."
        raise Trouble(f"Prometheus has no cost by {', '.join(by)}", fix=fix)
    over = f"{seconds}s"
    spent = increase(f"{metric}_total{{{matchers}}}", over=over)
    if metric == metric_names.COST:
        # What copies of a mirror cost is in a metric of its own, whose label ``side`` keeps the series apart.
        copies = ",".join(filter(None, (matchers, 'side="copy"')))
        spent = f"({spent}) or ({increase(f'{metric_names.MIRROR_COST}_total{{{copies}}}', over=over)})"
    return f"sum by ({', '.join(by)}) ({spent})"


def increase(series: str, *, over: str) -> str:
    """Return an expression for how much counters grew over a time, each for itself.

    ``increase`` counts from the second sample on, and so would miss what was counted before a new series was first
    scraped, which is the most of a short-lived pod: of series that began within the time, the whole value counts.
    """
    window = f"{series}[{over}]"
    new = f"(increase({window}) and resets({window}) > 0) or last_over_time({window})"
    return f"(increase({window}) and ({series} offset {over})) or (({new}) unless ({series} offset {over}))"


def _read(answer: web.Answer, by: Sequence[str]) -> list[tuple[tuple[str, ...], int]]:
    fix = "Check --prometheus, --match and --token-file."
    try:
        document: Any = json.loads(answer.body)
        if answer.status != 200 or document["status"] != "success":
            said = str(document.get("error", ""))[:200]
            raise Trouble(f"Prometheus answered {answer.status}: {said}", fix=fix)
        return [
            (
                tuple(str(each["metric"].get(name, ""))[:128] for name in by),
                money.nanodollars(Decimal(each["value"][1])),
            )
            for each in document["data"]["result"]
        ]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, InvalidOperation):
        raise Trouble(f"the server that answers with {answer.status} is not a Prometheus", fix=fix) from None


def _token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        raise Trouble(f"the token cannot be read from {path}", fix="Check --token-file.") from None
