"""Claude Code in Bedrock mode: its paths, its frames, its credentials, to a Claude model and to another."""

import base64
import json
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from claude_gateway.conformance import frames, sse
from claude_gateway.conformance.bench import Bench, text_of
from claude_gateway.conformance.check import Need, Source, check, expect
from claude_gateway.conformance.checks.errors import WRONG
from claude_gateway.conformance.client import Headers, Reply
from claude_gateway.conformance.sigv4 import sign

BODY_VERSION: Final = "bedrock-2023-05-31"
INVOKE: Final = "invoke"
STREAM: Final = "invoke-with-response-stream"
BETAS: Final = ["interleaved-thinking-2025-05-14", "thinking-token-count-2026-05-13"]


def path(bench: Bench, model: str, action: str, *, base: str | None = None) -> str:
    """A path as Claude Code writes it: the slash of an ARN encoded, its colons not."""
    return f"{bench.options.bedrock_base if base is None else base}/model/{quote(model, safe=':')}/{action}"


def body(bench: Bench, text: str = "Say hello", **fields: Any) -> dict[str, Any]:
    """A body as Claude Code sends it to Bedrock: no model, no stream, betas and version inside."""
    plain = bench.body(text)
    del plain["model"]
    return {"anthropic_version": BODY_VERSION, "anthropic_beta": BETAS, **plain, **fields}


def invoke(bench: Bench, model: str, action: str = INVOKE, *, auth: Headers | None = None, **fields: Any) -> Reply:
    """Invoke a model as Claude Code does."""
    return bench.post(path(bench, model, action), body(bench, **fields), auth=auth)


def expect_stream(reply: Reply) -> list[sse.Event]:
    """The events of a Bedrock stream that is complete. Raises Failed."""
    found = frames.events(reply)
    names = [event.name for event in found]
    for name in ("message_start", "content_block_start", "content_block_stop", "message_stop"):
        expect(name in names, f"no {name} among {names}")
    return found


@check("bedrock.invoke", "`POST /model/{id}/invoke` gives a message as one JSON document", Need.BEDROCK)
def invoke_whole(bench: Bench) -> str:
    reply = invoke(bench, bench.models.bedrock_id).expect(200)
    expect(reply.json.get("type") == "message" and text_of(reply.json), str(reply))
    return f"{reply.asked} -> {reply.json['stop_reason']}"


@check(
    "bedrock.stream",
    "`/invoke-with-response-stream` gives AWS event-stream frames with right checksums, each with one stream event",
    Need.BEDROCK,
)
def invoke_stream(bench: Bench) -> str:
    found = expect_stream(invoke(bench, bench.models.bedrock_id, STREAM))
    expect(sse.text(found), "no text in the frames")
    return f"{len(found)} frames, checksums right, to {found[-1].name}"


@check("bedrock.stream.unbuffered", "Frames are not held back", Need.BEDROCK, Need.UPSTREAM)
def unbuffered(bench: Bench) -> str:
    bench.script(chunk_delay=0.4, text="one two three four five six")
    found = expect_stream(invoke(bench, bench.models.bedrock_id, STREAM))
    first = next(event.at for event in found if event.name == "content_block_delta")
    spread = found[-1].at - first
    expect(spread > 1.0, f"all text came within {spread:.2f} s, paced over 2.4 s")
    return f"text over {spread:.2f} s"


@check(
    "bedrock.stream.tools",
    "Tool calls come whole through the frames",
    Need.BEDROCK,
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def stream_tools(bench: Bench) -> str:
    call = ["Bash", {"command": "ls", "é": [1, None]}]
    bench.script(tools=[call])
    tool = {"name": "Bash", "description": "", "input_schema": {"type": "object"}}
    found = expect_stream(invoke(bench, bench.models.bedrock_id, STREAM, tools=[tool]))
    block = sse.blocks(found)[-1]
    expect((block.get("name"), block.get("input")) == tuple(call), f"the call arrived as {block}")
    return "name and input as called"


@check(
    "bedrock.ids",
    "Bedrock's ids lead to the same route as the plain name: with and without region, date, version",
    Need.BEDROCK,
)
def ids(bench: Bench) -> str:
    full = bench.models.bedrock_id
    bare = full.partition(".")[2]
    names = [full, bare, f"eu.{bare}", f"global.{bare}", bare.removesuffix("-v1:0"), bench.models.claude]
    for name in names:
        reply = invoke(bench, name)
        expect(reply.status == 200, f"{reply}: the id {name}")
    encoded = bench.post(f"{bench.options.bedrock_base}/model/{quote(full, safe='')}/invoke", body(bench))
    expect(encoded.status == 200, f"{encoded}: with the colon encoded")
    return ", ".join(names)


@check(
    "bedrock.arn",
    "An inference profile's ARN arrives as `/model/arn:...%2Fname/...` and is one path segment",
    Need.BEDROCK,
    source=Source.MEASURED,
)
def arn(bench: Bench) -> str:
    reply = invoke(bench, bench.models.bedrock_arn).expect(200)
    expect(reply.json.get("type") == "message", str(reply))
    expect_stream(invoke(bench, bench.models.bedrock_arn, STREAM))
    return reply.asked


@check(
    "bedrock.arn.foundation-model",
    "A foundation model's ARN leads to the model that it names",
    Need.BEDROCK,
    source=Source.PROJECT,
)
def arn_foundation(bench: Bench) -> str:
    bare = bench.models.bedrock_id.partition(".")[2]
    reply = invoke(bench, f"arn:aws:bedrock:us-east-1::foundation-model/{bare}").expect(200)
    return reply.asked


@check("bedrock.count-tokens", "`POST /model/{id}/count-tokens` gives `inputTokens`", Need.BEDROCK, source=Source.AWS)
def count_tokens(bench: Bench) -> str:
    inner = base64.b64encode(json.dumps(body(bench)).encode()).decode()
    asked = path(bench, bench.models.bedrock_id, "count-tokens")
    reply = bench.post(asked, {"input": {"invokeModel": {"body": inner}}}).expect(200)
    expect(isinstance(reply.json.get("inputTokens"), int), str(reply))
    return str(reply)


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
    "bedrock.auth.wrong", "An unknown key is refused (401 or 403), in Bedrock's form", Need.BEDROCK, source=Source.AWS
)
def auth_wrong(bench: Bench) -> str:
    reply = invoke(bench, bench.models.bedrock_id, auth=[("authorization", f"Bearer {WRONG}")])
    expect(reply.status in (401, 403), f"{reply}: 401 or 403 was expected")
    expect(reply.json.get("message") and reply.header("x-amzn-errortype"), f"{reply}: not Bedrock's form")
    return f"{reply}, {reply.header('x-amzn-errortype')}"


@check(
    "bedrock.bridge",
    "To Anthropic's API: betas of body and header become the header, version and betas leave the body, model and "
    "stream enter it, the rest is kept",
    Need.BEDROCK,
    Need.UPSTREAM,
)
def bridge(bench: Bench) -> str:
    sent = body(bench, unknown={"kept": [1.0]})
    headers = [("anthropic-beta", "claude-code-20250219,effort-2025-11-24")]
    bench.post(path(bench, bench.models.bedrock_id, STREAM), sent, headers=headers).expect(200)
    seen = bench.seen()
    betas = seen.all("anthropic-beta")
    for beta in (*BETAS, "claude-code-20250219", "effort-2025-11-24"):
        expect(beta in betas, f"the beta {beta} is not among {betas}")
    arrived = dict(seen.json)
    expect(arrived.pop("stream", None) is True, f"{seen}: no stream: true")
    expect(arrived.pop("model", None), f"{seen}: no model")
    kept = {name: value for name, value in sent.items() if name not in ("anthropic_version", "anthropic_beta")}
    expect(arrived == kept, f"{seen}: {sorted(set(arrived) ^ set(kept))} differ")
    expect(seen.header("anthropic-version") == "2023-06-01", f"anthropic-version {seen.header('anthropic-version')!r}")
    return f"{len(betas)} betas in the header, body as sent"


@check(
    "bedrock.errors.model",
    "An unknown model: 404 with `message` and `x-amzn-errortype` (Claude Code says that it is not available)",
    Need.BEDROCK,
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


@check("bedrock.prefix", "The same paths under a prefix of their own", Need.BEDROCK, source=Source.PROJECT)
def prefix(bench: Bench) -> str:
    base = bench.options.bedrock_prefix
    reply = bench.post(path(bench, bench.models.bedrock_id, INVOKE, base=base), body(bench)).expect(200)
    expect_stream(bench.post(path(bench, bench.models.bedrock_id, STREAM, base=base), body(bench)))
    return reply.asked


@check(
    "bedrock.other-model",
    "A model that is no Claude answers in Bedrock mode too, whole and in frames",
    Need.BEDROCK,
    Need.OTHER,
    source=Source.PROJECT,
)
def other_model(bench: Bench) -> str:
    reply = invoke(bench, bench.models.other).expect(200)
    expect(reply.json.get("type") == "message" and text_of(reply.json), str(reply))
    found = expect_stream(invoke(bench, bench.models.other, STREAM))
    expect(sse.text(found), "no text in the frames")
    return f"a message, and {len(found)} frames"


CHECKS: Final = (
    invoke_whole,
    invoke_stream,
    unbuffered,
    stream_tools,
    ids,
    arn,
    arn_foundation,
    count_tokens,
    bearer,
    api_key,
    sigv4,
    sigv4_wrong,
    auth_wrong,
    bridge,
    unknown_model,
    wording,
    throttled,
    hidden,
    stream_error,
    prefix,
    other_model,
)
