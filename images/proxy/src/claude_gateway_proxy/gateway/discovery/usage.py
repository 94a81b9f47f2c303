"""What a caller used: ``GET /v1/usage`` for everybody, and ``GET /api/oauth/usage`` for Claude Code.

Claude Code requests the second one when its user signed in at the gateway, and shows the amounts in ``/usage``. Source:
the protocol that Claude Code's own gateway documents at ``GET /protocol``. Amounts there are whole cents; a caller
without a budget gets the spend of the current day, week from Monday, and month, in UTC.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from claude_gateway.contract import money
from claude_gateway.contract.spent import Sum
from claude_gateway.contract.target import Wire
from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.auth.issuers import Issuers
from claude_gateway_proxy.gateway.auth.presented import presented
from claude_gateway_proxy.gateway.auth.principal import Principal, Proof
from claude_gateway_proxy.gateway.costs.usage import HOUR, BudgetsOf, BudgetUsage, Find, Found
from claude_gateway_proxy.gateway.snapshot import Snapshot
from claude_gateway_proxy.gateway.telemetry.record import new_request_id
from claude_gateway_runtime.asgi import JSON, Scope, Send, send_document, send_whole
from claude_gateway_runtime.clock import utc

PATH: Final = "/v1/usage"
OAUTH_PATH: Final = "/api/oauth/usage"
PATHS: Final = frozenset({PATH, OAUTH_PATH})
_METHODS: Final = ("GET", "HEAD")
_CENT: Final = money.NANODOLLARS // 100
_SCOPES: Final = {"pod": "the pod that answered", "release": "all pods of the release"}
_WINDOWS: Final = ("hour", "day", "week", "month")
_GROUPS: Final[Mapping[str, str]] = {"Hour": "daily", "Day": "daily", "Week": "weekly", "Month": "monthly"}
"""Claude Code's names of budget periods; it has no name for an hour."""


async def answer_usage(
    scope: Scope,
    send: Send,
    *,
    snapshot: Snapshot | None,
    issuers: Issuers,
    find: Find,
    budgets: BudgetsOf,
    now: datetime,
) -> None:
    """Answer a usage request with the caller's own usage; ``now`` is in UTC."""
    headers = dict(scope["headers"])
    oauth = scope["path"] == OAUTH_PATH
    try:
        if scope["method"] not in _METHODS:
            raise errors.wrong_method(scope["method"], ", ".join(_METHODS))
        if snapshot is None:
            raise errors.not_ready("no configuration was loaded yet")
        principal = await snapshot.callers.identify(headers, issuers, shown=presented(scope))
        if oauth and (principal.proof is not Proof.JWT or not principal.user):
            # Only people sign in at the gateway; for all others Claude Code shows nothing, as it does without one.
            raise errors.unknown_path(OAUTH_PATH)
    except errors.Failure as failure:
        shape = Wire.ANTHROPIC if oauth or b"anthropic-version" in headers else Wire.OPENAI
        status, shown, body = errors.render(failure, shape=shape, request_id=new_request_id())
        await send_whole(send, status=status, headers=shown, body=body)
        return
    used = await find(principal.client.name, principal.user)
    found = budgets(principal)
    if oauth:
        document = oauth_usage(used, budgets=found, now=now)
    else:
        document = usage(principal, used=used, budgets=found, now=now)
    private = [(b"cache-control", b"no-store")]
    await send_document(send, status=200, kind=JSON, body=msgspec.json.encode(document), headers=private)


def usage(principal: Principal, *, used: Found, budgets: Sequence[BudgetUsage], now: datetime) -> dict[str, Any]:
    """Return the document of ``GET /v1/usage``: by window and by model, with the time that it covers."""
    sums, models, total = {name: Sum() for name in _WINDOWS}, dict[str, Sum](), Sum()
    starts = window_starts(now)
    for begin, model, found in used.rows:
        total.add(found)
        models.setdefault(model, Sum()).add(found)
        for name, start in starts.items():
            if begin >= start:
                sums[name].add(found)
    return {
        "object": "usage",
        "client": principal.client.name,
        "user": principal.user or None,
        "currency": "USD",
        "covers": {
            "scope": used.scope,
            "what": _SCOPES[used.scope],
            "since": _iso(used.since),
            "until": _iso(int(now.timestamp())),
        },
        "windows": {name: {"since": _iso(starts[name]), **_shown(found)} for name, found in sums.items()},
        "total": _shown(total),
        "models": [
            {"model": model, **_shown(found)}
            for model, found in sorted(models.items(), key=lambda item: (-item[1].cost, item[0]))
        ],
        "budgets": [
            {
                "budget": each.budget,
                "period": each.period,
                "amount_usd": money.exact(each.amount),
                "spent_usd": money.exact(each.spent),
                "resets_at": _iso(each.ends_at),
            }
            for each in budgets
        ],
    }


def oauth_usage(used: Found, *, budgets: Sequence[BudgetUsage], now: datetime) -> dict[str, Any]:
    """Return the document that Claude Code reads: the caller's fullest budget, or the spend if there is none."""
    if budgets:
        fullest = max(budgets, key=lambda each: (_percent(each), each.ends_at))
        extra = {
            "is_enabled": True,
            "monthly_limit": fullest.amount // _CENT,
            "used_credits": fullest.spent // _CENT,
            "utilization": _percent(fullest),
            "currency": "USD",
        }
        return {"extra_usage": extra, "limits": [_limit(each, active=each is fullest) for each in budgets]}
    starts = window_starts(now)
    spent = dict.fromkeys(starts, 0)
    for begin, _model, found in used.rows:
        for name, start in starts.items():
            spent[name] += found.cost if begin >= start else 0
    return {
        "extra_usage": {
            "is_enabled": True,
            "monthly_limit": None,
            "used_credits": spent["month"] // _CENT,
            "utilization": None,
            "currency": "USD",
            "daily": {"limit": None, "used_credits": spent["day"] // _CENT, "utilization": None},
            "weekly": {"limit": None, "used_credits": spent["week"] // _CENT, "utilization": None},
        },
        "limits": [],
    }


def window_starts(now: datetime) -> dict[str, int]:
    """Return the Unix time at which the current hour, day, week (from Monday) and month began in UTC."""
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    moment = int(now.timestamp())
    return {
        "hour": moment - moment % HOUR,
        "day": int(day.timestamp()),
        "week": int((day - timedelta(days=day.weekday())).timestamp()),
        "month": int(day.replace(day=1).timestamp()),
    }


def _limit(each: BudgetUsage, *, active: bool) -> dict[str, Any]:
    percent = _percent(each)
    return {
        "kind": "spend",
        "group": _GROUPS[each.period],
        "percent": percent,
        "resets_at": utc(each.ends_at),
        "severity": "normal" if percent < 75 else "warning" if percent < 100 else "critical",
        "is_active": active,
    }


def _percent(each: BudgetUsage) -> int:
    return each.spent * 100 // each.amount if each.amount else 100


def _shown(found: Sum) -> dict[str, Any]:
    return {
        "requests": found.requests,
        "cost_usd": money.exact(found.cost),
        "estimated_usd": money.exact(found.estimated),
        "input_tokens": found.input_tokens,
        "output_tokens": found.output_tokens,
        "cache_read_tokens": found.cache_read_tokens,
        "cache_creation_tokens": found.cache_creation_tokens,
    }


def _iso(moment: int) -> str:
    return utc(moment, timespec="seconds")
