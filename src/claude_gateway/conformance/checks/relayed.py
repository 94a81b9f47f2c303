"""Errors of a Claude model's upstream: kept as they are, but for those about a credential that is the gateway's own."""

import json
from collections.abc import Callable
from typing import Any, Final

from claude_gateway.conformance.bench import Bench
from claude_gateway.conformance.check import Check, check
from claude_gateway.conformance.checks.envelope import error_of, expect_error
from claude_gateway.conformance.client import Reply
from claude_gateway.conformance.requirement import Need, Source, expect, shorten

TOO_LONG: Final = "prompt is too long: 212345 tokens > 200000 maximum"


def _failing(bench: Bench, *, stream: bool = False, **step: Any) -> Reply:
    bench.script(**step)
    return bench.messages({**bench.body(), "stream": stream})


def _untouched(status: int, kind: str, message: str) -> Callable[[Bench], str]:
    """A check that an upstream's error arrives byte for byte, for whole answers and streams."""

    def run(bench: Bench) -> str:
        error = {"type": kind, "message": message, "details": {"error_visibility": "user_facing"}}
        body = json.dumps({"type": "error", "error": error, "request_id": "req_011"}, indent=1)
        for stream in (False, True):
            reply = _failing(bench, stream=stream, status=status, raw=[body]).expect(status)
            expect(reply.body == body.encode(), f"{reply}: the upstream wrote {shorten(body)}")
        return str(reply)

    return run


def _kept(status: int, kind: str) -> Callable[[Bench], str]:
    """A check that status and error type of an upstream's error stay."""
    return lambda bench: expect_error(_failing(bench, status=status, error_type=kind), status, kind)


untouched_400 = check(
    "relayed.400",
    f"400 arrives byte for byte: Claude Code repairs its request by the wording (`{TOO_LONG}`: it compacts)",
    Need.UPSTREAM,
)(_untouched(400, "invalid_request_error", TOO_LONG))
untouched_betas = check(
    "relayed.400.betas",
    "400 about a beta or a field arrives byte for byte: Claude Code leaves out what is refused",
    Need.UPSTREAM,
    source=Source.MEASURED,
)(_untouched(400, "invalid_request_error", "Unexpected value(s) `x-2026` for the `anthropic-beta` header."))
untouched_413 = check("relayed.413", "413 arrives byte for byte", Need.UPSTREAM)(
    _untouched(413, "request_too_large", "Request exceeds the maximum size")
)
kept_402 = check("relayed.402", "402 `billing_error` stays what it is", Need.UPSTREAM, source=Source.MEASURED)(
    _kept(402, "billing_error")
)
kept_404 = check("relayed.404", "404 `not_found_error` stays what it is", Need.UPSTREAM)(_kept(404, "not_found_error"))
kept_422 = check("relayed.422", "422 stays what it is", Need.UPSTREAM, source=Source.MEASURED)(
    _kept(422, "invalid_request_error")
)
kept_500 = check("relayed.500", "500 `api_error` stays what it is", Need.UPSTREAM)(_kept(500, "api_error"))
kept_503 = check("relayed.503", "503 stays a server error with its type", Need.UPSTREAM)(_kept(503, "api_error"))
kept_529 = check(
    "relayed.529",
    "529 `overloaded_error` stays what it is: after three of them Claude Code takes its fallback model",
    Need.UPSTREAM,
)(_kept(529, "overloaded_error"))
kept_type = check("relayed.type", "An error type that nobody knows yet is kept", Need.UPSTREAM)(
    _kept(400, "not_invented_yet_error")
)


@check("relayed.429", "429 `rate_limit_error` keeps its `retry-after`", Need.UPSTREAM)
def rate_limit(bench: Bench) -> str:
    reply = _failing(bench, status=429, error_type="rate_limit_error", headers={"retry-after": "17"})
    evidence = expect_error(reply, 429, "rate_limit_error")
    expect(reply.header("retry-after") == "17", f"{reply}: retry-after {reply.header('retry-after')!r}, 17 was sent")
    return f"{evidence}, retry-after: 17"


@check(
    "relayed.429.billing",
    "A spent budget, 429 `billing_error` with `x-should-retry: false`, arrives so: Claude Code shows its message",
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def billing(bench: Bench) -> str:
    headers = {"x-should-retry": "false", "retry-after": "3600"}
    reply = _failing(bench, status=429, error_type="billing_error", headers=headers)
    evidence = expect_error(reply, 429, "billing_error")
    expect(reply.header("x-should-retry") == "false", f"{reply}: x-should-retry {reply.header('x-should-retry')!r}")
    return evidence


@check(
    "relayed.429.limits",
    "`anthropic-ratelimit-*` headers are kept: Claude Code tells from them when a limit resets",
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def limits(bench: Bench) -> str:
    sent = {"anthropic-ratelimit-unified-status": "rejected", "anthropic-ratelimit-unified-reset": "1790000000"}
    reply = _failing(bench, status=429, headers={**sent, "retry-after": "3600"}).expect(429)
    for name, value in sent.items():
        expect(reply.header(name) == value, f"{reply}: {name} is {reply.header(name)!r}")
    return f"{len(sent)} headers arrived"


@check("relayed.should-retry", "The upstream's `x-should-retry` is kept", Need.UPSTREAM, source=Source.MEASURED)
def should_retry(bench: Bench) -> str:
    reply = _failing(bench, status=429, headers={"x-should-retry": "false", "retry-after": "5"}).expect(429)
    expect(reply.header("x-should-retry") == "false", f"{reply}: x-should-retry {reply.header('x-should-retry')!r}")
    return "x-should-retry: false arrived"


@check("relayed.request-id", "The upstream's `request-id` is kept, for support", Need.UPSTREAM, source=Source.API)
def request_id(bench: Bench) -> str:
    reply = _failing(bench, status=400, headers={"request-id": "req_from_upstream"}).expect(400)
    expect(reply.header("request-id") == "req_from_upstream", f"request-id {reply.header('request-id')!r}")
    return "req_from_upstream"


@check(
    "relayed.html",
    "A load balancer's HTML page with 502 becomes an error in the envelope, still a server error",
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def html(bench: Bench) -> str:
    page = "<html><head><title>502 Bad Gateway</title></head></html>"
    reply = _failing(bench, status=502, raw=[page], headers={"content-type": "text/html"})
    expect(reply.status >= 500, f"{reply}: a server error was expected")
    error_of(reply)
    return str(reply)


def _hidden(status: int) -> Check:
    @check(
        f"relayed.{status}.hidden",
        f"{status} on a credential of the gateway's own never reaches the client, which would log out: 502 or 529",
        Need.UPSTREAM,
        source=Source.PROJECT,
    )
    def hidden(bench: Bench) -> str:
        kind = {401: "authentication_error", 403: "permission_error"}[status]
        for stream in (False, True):
            reply = _failing(bench, stream=stream, status=status, error_type=kind, error_message="secret-of-ours")
            expect(reply.status in (502, 503, 529), f"{reply}: 502, 503 or 529 was expected")
            expect(error_of(reply)["type"] != kind, f"{reply}: still {kind}")
        return str(reply)

    return hidden


@check(
    "relayed.redirect", "An upstream's redirect is neither followed nor passed on", Need.UPSTREAM, source=Source.PROJECT
)
def redirect(bench: Bench) -> str:
    reply = _failing(bench, status=307, headers={"location": "http://127.0.0.1:9/v1/messages"})
    expect(reply.status >= 500, f"{reply}: a server error was expected")
    error_of(reply)
    return str(reply)


@check(
    "relayed.refused",
    "An upstream that drops the connection unanswered: a server error in the envelope, not a dropped connection",
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def refused(bench: Bench) -> str:
    reply = _failing(bench, refuse=True)
    expect(reply.status >= 500, f"{reply}: a server error was expected")
    error_of(reply)
    return str(reply)


hidden_401, hidden_403 = _hidden(401), _hidden(403)

CHECKS: Final = (
    untouched_400,
    untouched_betas,
    untouched_413,
    kept_402,
    kept_404,
    kept_422,
    kept_500,
    kept_503,
    kept_529,
    kept_type,
    rate_limit,
    billing,
    limits,
    should_retry,
    request_id,
    html,
    hidden_401,
    hidden_403,
    redirect,
    refused,
)
