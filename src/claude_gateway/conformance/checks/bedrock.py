"""Claude Code in Bedrock mode: its paths, its frames, its credentials, to a Claude model and to another."""

import base64
import json
from typing import Any, Final
from urllib.parse import quote

from claude_gateway.conformance import frames, sse
from claude_gateway.conformance.bench import Bench, text_of
from claude_gateway.conformance.check import check
from claude_gateway.conformance.client import Headers, Reply
from claude_gateway.conformance.requirement import Need, Source, expect

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


@check("bedrock.invoke", "`POST /model/{id}/invoke` returns a message as one JSON document", Need.BEDROCK)
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


@check(
    "bedrock.probes",
    "The one-token `/invoke` probes that Claude Code sends at start are answered",
    Need.BEDROCK,
    source=Source.MEASURED,
)
def probes(bench: Bench) -> str:
    reply = invoke(bench, bench.models.bedrock_id, max_tokens=1).expect(200)
    expect(reply.json.get("type") == "message", str(reply))
    return str(reply.json["stop_reason"])


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
    source=Source.PROJECT,
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
    "bedrock.bridge",
    "To Anthropic's API: betas of body and header become the header, version and betas leave the body, model and "
    "stream enter it, the rest is kept",
    Need.BRIDGE,
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


@check("bedrock.prefix", "The same paths under a prefix of their own", Need.BEDROCK, source=Source.PROJECT)
def prefix(bench: Bench) -> str:
    base = bench.options.bedrock_prefix
    reply = bench.post(path(bench, bench.models.bedrock_id, INVOKE, base=base), body(bench)).expect(200)
    expect_stream(bench.post(path(bench, bench.models.bedrock_id, STREAM, base=base), body(bench)))
    return reply.asked


@check(
    "bedrock.other-model",
    "A model that is not Claude answers in Bedrock mode too, whole and in frames",
    Need.BRIDGE,
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
    probes,
    unbuffered,
    stream_tools,
    ids,
    arn,
    arn_foundation,
    count_tokens,
    bridge,
    prefix,
    other_model,
)
