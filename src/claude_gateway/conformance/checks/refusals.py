"""Bedrock mode: how the key is shown, and how refusals and errors look there."""

import json
from datetime import UTC, datetime
from typing import Final

from claude_gateway.conformance import frames
from claude_gateway.conformance.bench import Bench
from claude_gateway.conformance.check import check
from claude_gateway.conformance.checks.bedrock import INVOKE, STREAM, body, invoke, path
from claude_gateway.conformance.checks.errors import WRONG
from claude_gateway.conformance.client import Reply
from claude_gateway.conformance.requirement import Need, Source, expect
from claude_gateway.conformance.sigv4 import sign


@check(
    "bedrock.auth.bearer", "The key as bearer token (`AWS_BEARER_TOKEN_BEDROCK`, or SKIP_BEDROCK_AUTH)", Need.BEDROCK
)
def bearer(bench: Bench) -> str:
    invoke(bench, bench.models.bedrock_id, auth=[bench.bearer]).expect(200)
    return "200 with Authorization: Bearer"


@check("bedrock.auth.x-api-key", "The key as `x-api-key`, from custom headers", Need.BEDROCK, source=Source.PROJECT)
def api_key(bench: Bench) -> str:
    invoke(bench, bench.models.bedrock_id, auth=[("x-api-key", bench.key)]).expect(200)
    return "200 with x-api-key"


def _signed(bench: Bench, model: str, *, secret: str, key_id: str | None = None) -> Reply:
    where = path(bench, model, INVOKE)
    data = json.dumps(body(bench)).encode()
    auth = sign(
        host=bench.gateway.host,
        path=bench.gateway.prefix + where,
        body=data,
        key_id=bench.key if key_id is None else key_id,
        secret=secret,
        now=datetime.now(UTC),
    )
    return bench.gateway.call("POST", where, headers=auth, body=data)


@check(
    "bedrock.auth.sigv4",
    "A request signed with SigV4, with the client key as access key id and secret, is taken; ARNs too",
    Need.BEDROCK,
    Need.SIGV4,
    source=Source.MEASURED,
)
def sigv4(bench: Bench) -> str:
    _signed(bench, bench.models.bedrock_id, secret=bench.key).expect(200)
    _signed(bench, bench.models.bedrock_arn, secret=bench.key).expect(200)
    return "200 for an id with a colon, 200 for an ARN"


@check(
    "bedrock.auth.sigv4.wrong",
    "A signature with another secret, or of an unknown key, is refused (401 or 403)",
    Need.BEDROCK,
    Need.SIGV4,
    source=Source.PROJECT,
)
def sigv4_wrong(bench: Bench) -> str:
    replies = [
        _signed(bench, bench.models.bedrock_id, secret=WRONG),
        _signed(bench, bench.models.bedrock_id, secret=WRONG, key_id=WRONG),
    ]
    for reply in replies:
        expect(reply.status in (401, 403), f"{reply}: 401 or 403 was expected")
    return " and ".join(str(reply.status) for reply in replies)


@check(
    "bedrock.auth.wrong",
    "An unknown key is refused (401 or 403), in Bedrock's form",
    Need.BEDROCK,
    Need.KEYS,
    source=Source.AWS,
)
def auth_wrong(bench: Bench) -> str:
    reply = invoke(bench, bench.models.bedrock_id, auth=[("authorization", f"Bearer {WRONG}")])
    expect(reply.status in (401, 403), f"{reply}: 401 or 403 was expected")
    expect(reply.json.get("message") and reply.header("x-amzn-errortype"), f"{reply}: not Bedrock's form")
    return f"{reply}, {reply.header('x-amzn-errortype')}"


@check(
    "bedrock.errors.model",
    "An unknown model: 404 with `message` and `x-amzn-errortype` (Claude Code says that it is not available)",
    Need.BEDROCK,
    Need.UNKNOWN,
    source=Source.MEASURED,
)
def unknown_model(bench: Bench) -> str:
    reply = invoke(bench, "us.anthropic.no-such-model-v1:0").expect(404)
    expect(reply.json.get("message"), f"{reply}: no message")
    expect("ResourceNotFound" in reply.header("x-amzn-errortype"), f"{reply}: {reply.header('x-amzn-errortype')!r}")
    return f"{reply}, {reply.header('x-amzn-errortype')}"


@check(
    "bedrock.errors.wording",
    "An upstream's 400 keeps its wording, as ValidationException",
    Need.BEDROCK,
    Need.UPSTREAM,
)
def wording(bench: Bench) -> str:
    said = "prompt is too long: 212345 tokens > 200000 maximum"
    bench.script(status=400, error_type="invalid_request_error", error_message=said)
    reply = invoke(bench, bench.models.bedrock_id).expect(400)
    expect(said in reply.json.get("message", ""), f"{reply}: {said!r} was the message")
    expect("ValidationException" in reply.header("x-amzn-errortype"), f"{reply}: {reply.header('x-amzn-errortype')!r}")
    return f"{reply}, {reply.header('x-amzn-errortype')}"


@check("bedrock.errors.throttled", "429 is ThrottlingException", Need.BEDROCK, Need.UPSTREAM, source=Source.AWS)
def throttled(bench: Bench) -> str:
    bench.script(status=429, error_type="rate_limit_error", headers={"retry-after": "17"})
    reply = invoke(bench, bench.models.bedrock_id, STREAM).expect(429)
    expect("ThrottlingException" in reply.header("x-amzn-errortype"), f"{reply}: {reply.header('x-amzn-errortype')!r}")
    return f"{reply}, {reply.header('x-amzn-errortype')}"


@check(
    "bedrock.errors.hidden",
    "401 and 403 on the gateway's own credential are hidden here too",
    Need.BEDROCK,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def hidden(bench: Bench) -> str:
    for status in (401, 403):
        bench.script(status=status)
        reply = invoke(bench, bench.models.bedrock_id)
        expect(reply.status >= 500, f"{reply}: a server error was expected for {status}")
    return str(reply)


@check(
    "bedrock.errors.stream",
    "An error in the middle of a stream ends it by an exception frame",
    Need.BEDROCK,
    Need.UPSTREAM,
    source=Source.AWS,
)
def stream_error(bench: Bench) -> str:
    bench.script(midstream="error", midstream_after=2, text="one two three", error_type="overloaded_error")
    reply = invoke(bench, bench.models.bedrock_id, STREAM).expect(200)
    found = frames.frames(reply.pieces)
    expect(found and found[-1].headers.get(":message-type") == "exception", f"the last frame has {found[-1].headers}")
    expect(found[-1].headers.get(":exception-type"), "the exception has no type")
    return f"{found[-1].headers[':exception-type']} after {len(found) - 1} frames"


CHECKS: Final = (
    bearer,
    api_key,
    sigv4,
    sigv4_wrong,
    auth_wrong,
    unknown_model,
    wording,
    throttled,
    hidden,
    stream_error,
)
