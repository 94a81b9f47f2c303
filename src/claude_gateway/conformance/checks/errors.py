"""Errors that a gateway says itself: status, envelope and headers decide what Claude Code does next."""

from typing import Final

from claude_gateway.conformance.bench import VERSION, Bench
from claude_gateway.conformance.check import check
from claude_gateway.conformance.checks.envelope import error_of, expect_error
from claude_gateway.conformance.requirement import Need, Source, expect

WRONG: Final = "cgw_not-a-key-of-this-gateway-000000000000"


@check(
    "errors.key.unknown",
    "An unknown key: 401 `authentication_error` with `x-should-retry: false`; without it Claude Code hangs 3 minutes",
    Need.KEYS,
    source=Source.MEASURED,
)
def key_unknown(bench: Bench) -> str:
    reply = bench.messages(bench.body(), auth=[("authorization", f"Bearer {WRONG}")])
    evidence = expect_error(reply, 401, "authentication_error")
    expect(reply.header("x-should-retry") == "false", f"{reply}: no x-should-retry: false")
    return f"{evidence}, x-should-retry: false"


@check(
    "errors.key.unknown.x-api-key",
    "The same for an unknown key in `x-api-key`",
    Need.KEYS,
    source=Source.MEASURED,
)
def key_unknown_header(bench: Bench) -> str:
    reply = bench.messages(bench.body(), auth=[("x-api-key", WRONG)])
    evidence = expect_error(reply, 401, "authentication_error")
    expect(reply.header("x-should-retry") == "false", f"{reply}: no x-should-retry: false")
    return f"{evidence}, x-should-retry: false"


@check("errors.key.missing", "No key at all: 401 `authentication_error`", Need.KEYS)
def key_missing(bench: Bench) -> str:
    return expect_error(bench.messages(bench.body(), auth=()), 401, "authentication_error")


@check(
    "errors.key.empty-bearer",
    "An empty bearer token, as a failing key helper sends it: 401 with `x-should-retry: false`",
    Need.KEYS,
    source=Source.MEASURED,
)
def key_empty(bench: Bench) -> str:
    reply = bench.messages(bench.body(), auth=[("authorization", "Bearer ")])
    evidence = expect_error(reply, 401, "authentication_error")
    expect(reply.header("x-should-retry") == "false", f"{reply}: no x-should-retry: false")
    return evidence


@check("errors.model.unknown", "A model that no route serves: 404 `not_found_error`", Need.UNKNOWN)
def model_unknown(bench: Bench) -> str:
    return expect_error(bench.messages(bench.body(model="no-such-model-at-all")), 404, "not_found_error")


@check(
    "errors.model.nearest",
    "The message names the nearest models, for those who see it",
    Need.UNKNOWN,
    source=Source.PROJECT,
)
def model_nearest(bench: Bench) -> str:
    wrong = bench.models.claude[:-1]
    reply = bench.messages(bench.body(model=wrong))
    error = error_of(reply.expect(404))
    expect(bench.models.claude in error["message"], f"{reply}: {bench.models.claude} is not named")
    return str(error["message"])


@check(
    "errors.model.denied",
    "A model that exists and that the key may not use: 400 `invalid_request_error`; 403 would read as a failed login",
    Need.DENIED,
)
def model_denied(bench: Bench) -> str:
    return expect_error(bench.messages(bench.body(model=bench.models.denied)), 400, "invalid_request_error")


@check("errors.body.invalid", "A body that is not JSON, or no object: 400 `invalid_request_error`")
def body_invalid(bench: Bench) -> str:
    expect_error(bench.messages(b'{"model": '), 400, "invalid_request_error")
    return expect_error(bench.messages(b"[1]"), 400, "invalid_request_error")


@check("errors.path.unknown", "A path that is not served: 404 in the envelope, at once")
def path_unknown(bench: Bench) -> str:
    reply = bench.post("/v1/not/served", bench.body(), headers=[VERSION])
    return f"{reply.asked} -> {error_of(reply.expect(404))['type']}"


@check(
    "errors.request-id", "The gateway's own errors carry `request-id`, and the same id in the body", source=Source.API
)
def request_id(bench: Bench) -> str:
    reply = bench.messages(b"no JSON").expect(400)
    ident = reply.header("request-id")
    expect(ident, f"{reply}: no request-id header")
    expect(reply.json.get("request_id") == ident, f"{reply}: header {ident}, body {reply.json.get('request_id')}")
    return ident


@check("errors.no-redirects", "Nothing that Claude Code asks is answered by a redirect, which it would not follow")
def no_redirects(bench: Bench) -> str:
    seen = []
    for path in ("/v1/messages", "//v1/messages", "/v1/models?limit=1000", "/api/hello", "/"):
        reply = bench.get(path) if "messages" not in path else bench.post(path, bench.body(), headers=[VERSION])
        expect(not 300 <= reply.status < 400, f"{reply.asked} -> {reply.status} to {reply.header('location')}")
        seen.append(f"{path} {reply.status}")
    return ", ".join(seen)


@check(
    "errors.stream",
    "A request for a stream that is refused gets the error's status, not 200 with an error inside",
    Need.UNKNOWN,
    source=Source.MEASURED,
)
def stream(bench: Bench) -> str:
    reply = bench.messages({**bench.body(model="no-such-model-at-all"), "stream": True})
    return expect_error(reply, 404, "not_found_error")


CHECKS: Final = (
    key_unknown,
    key_unknown_header,
    key_missing,
    key_empty,
    model_unknown,
    model_nearest,
    model_denied,
    body_invalid,
    path_unknown,
    request_id,
    no_redirects,
    stream,
)
