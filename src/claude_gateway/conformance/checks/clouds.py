"""Claude models on Bedrock and Vertex as targets: reframed for Messages clients, relayed for their own."""

from typing import Final

from claude_gateway.conformance import sse
from claude_gateway.conformance.bench import Bench, text_of
from claude_gateway.conformance.check import check
from claude_gateway.conformance.checks import bedrock, vertex
from claude_gateway.conformance.requirement import Need, Source, expect

BETA: Final = "interleaved-thinking-2025-05-14"


@check(
    "clouds.bedrock.messages",
    "Messages to a Claude model on Bedrock: path with its id, `anthropic_version` and betas in the body, no model, no "
    "stream, the rest kept",
    Need.UPSTREAM,
    Need.BEDROCK_TARGET,
)
def bedrock_messages(bench: Bench) -> str:
    sent = bench.body(model=bench.models.bedrock, thinking={"type": "adaptive"})
    expect(text_of(bench.answer(sent, headers=[("anthropic-beta", BETA)])), "no text came back")
    seen = bench.seen()
    expect("/model/" in seen.path and seen.path.endswith("/invoke"), f"{seen}: not Bedrock's path")
    arrived = dict(seen.json)
    expect(arrived.pop("anthropic_version", None) == bedrock.BODY_VERSION, f"{seen}: no anthropic_version")
    expect(BETA in arrived.pop("anthropic_beta", []), f"{seen}: the beta is not in the body")
    kept = {name: value for name, value in sent.items() if name != "model"}
    expect(arrived == kept, f"{seen}: {sorted(set(arrived) ^ set(kept))} differ")
    return f"{seen.path} with the beta in the body"


@check(
    "clouds.bedrock.signed",
    "Requests to Bedrock are signed for it (SigV4), and carry nothing of the client's",
    Need.UPSTREAM,
    Need.BEDROCK_TARGET,
)
def bedrock_signed(bench: Bench) -> str:
    bench.answer(bench.body(model=bench.models.bedrock))
    seen = bench.seen()
    authorization = seen.header("authorization")
    expect(authorization.startswith("AWS4-HMAC-SHA256 "), f"authorization is {authorization.partition(' ')[0]!r}")
    expect(seen.header("x-amz-date"), "no x-amz-date")
    expect(not seen.header("x-api-key"), "an x-api-key arrived")
    return "AWS4-HMAC-SHA256"


@check(
    "clouds.bedrock.stream",
    "A stream from Bedrock comes to a Messages client as server-sent events",
    Need.UPSTREAM,
    Need.BEDROCK_TARGET,
)
def bedrock_stream(bench: Bench) -> str:
    found = bench.stream(bench.body(model=bench.models.bedrock))
    expect(sse.text(found), "no text in the stream")
    expect(bench.seen().path.endswith("/invoke-with-response-stream"), str(bench.seen()))
    return f"{len(found)} events"


@check(
    "clouds.bedrock.relay",
    "Bedrock mode to Bedrock: body and frames are relayed as they are",
    Need.UPSTREAM,
    Need.BEDROCK,
    Need.BEDROCK_TARGET,
)
def bedrock_relay(bench: Bench) -> str:
    sent = bedrock.body(bench, unknown=1)
    where = bedrock.path(bench, bench.models.bedrock, bedrock.STREAM)
    found = bedrock.expect_stream(bench.post(where, sent))
    expect(sse.text(found), "no text in the frames")
    expect(bench.seen().json == sent, f"{bench.seen()}: sent {sent}")
    return f"{len(found)} frames, body as sent"


@check(
    "clouds.bedrock.errors",
    "Bedrock's errors come to a Messages client in Anthropic's envelope, with the wording",
    Need.UPSTREAM,
    Need.BEDROCK_TARGET,
)
def bedrock_errors(bench: Bench) -> str:
    said = "prompt is too long: 212345 tokens > 200000 maximum"
    bench.script(status=400, error_message=said)
    reply = bench.messages(bench.body(model=bench.models.bedrock)).expect(400)
    expect(said in reply.json["error"]["message"], str(reply))
    expect(reply.json["error"]["type"] == "invalid_request_error", str(reply))
    return str(reply)


@check(
    "clouds.betas",
    "Betas that a cloud refuses stay behind, those that nobody knows yet go along",
    Need.UPSTREAM,
    Need.BEDROCK_TARGET,
    Need.VERTEX_TARGET,
)
def betas(bench: Bench) -> str:
    refused = ("oauth-2025-04-20", "prompt-caching-scope-2026-01-05")
    header = [("anthropic-beta", ",".join((*refused, BETA, "not-invented-yet-2027-01-01")))]
    for model in (bench.models.bedrock, bench.models.vertex):
        bench.answer(bench.body(model=model), headers=header)
        seen = bench.seen()
        arrived = [*seen.json.get("anthropic_beta", []), *seen.all("anthropic-beta")]
        expect(not set(arrived) & set(refused), f"{model}: {arrived}")
        expect({BETA, "not-invented-yet-2027-01-01"} <= set(arrived), f"{model}: {arrived}")
    return "two stayed behind, two went along"


@check(
    "clouds.vertex.messages",
    "Messages to a Claude model on Vertex: path with its id, `anthropic_version` in the body, no model, the rest kept",
    Need.UPSTREAM,
    Need.VERTEX_TARGET,
)
def vertex_messages(bench: Bench) -> str:
    sent = bench.body(model=bench.models.vertex, thinking={"type": "adaptive"})
    expect(text_of(bench.answer(sent, headers=[("anthropic-beta", BETA)])), "no text came back")
    seen = bench.seen()
    expect("/publishers/anthropic/models/" in seen.path and seen.path.endswith(":rawPredict"), f"{seen}: not its path")
    arrived = dict(seen.json)
    expect(arrived.pop("anthropic_version", None) == vertex.BODY_VERSION, f"{seen}: no anthropic_version")
    kept = {name: value for name, value in sent.items() if name != "model"}
    expect(arrived == kept, f"{seen}: {sorted(set(arrived) ^ set(kept))} differ")
    expect(BETA in seen.all("anthropic-beta"), f"anthropic-beta {seen.header('anthropic-beta')!r}")
    expect(seen.header("authorization").startswith("Bearer "), "no bearer token")
    return seen.path


@check(
    "clouds.vertex.stream",
    "A stream from Vertex comes to Messages clients as it is",
    Need.UPSTREAM,
    Need.VERTEX_TARGET,
)
def vertex_stream(bench: Bench) -> str:
    found = bench.stream(bench.body(model=bench.models.vertex))
    expect(bench.seen().path.endswith(":streamRawPredict"), str(bench.seen()))
    return f"{len(found)} events"


@check(
    "clouds.vertex.relay",
    "Vertex mode to Vertex: the body is relayed as it is",
    Need.UPSTREAM,
    Need.VERTEX,
    Need.VERTEX_TARGET,
)
def vertex_relay(bench: Bench) -> str:
    sent = vertex.body(bench, unknown=1)
    bench.post(vertex.path(bench, bench.models.vertex, "rawPredict"), sent).expect(200)
    expect(bench.seen().json == sent, f"{bench.seen()}: sent {sent}")
    return "body as sent"


@check(
    "clouds.crossed",
    "Bedrock mode to a model on Vertex, and Vertex mode to a model on Bedrock",
    Need.BRIDGE,
    Need.UPSTREAM,
    Need.BEDROCK,
    Need.VERTEX,
    Need.BEDROCK_TARGET,
    Need.VERTEX_TARGET,
    source=Source.PROJECT,
)
def crossed(bench: Bench) -> str:
    bedrock.expect_stream(bedrock.invoke(bench, bench.models.vertex, bedrock.STREAM))
    expect(bench.seen().path.endswith(":streamRawPredict"), str(bench.seen()))
    sse.of_messages(vertex.predict(bench, bench.models.bedrock, stream=True))
    expect(bench.seen().path.endswith("/invoke-with-response-stream"), str(bench.seen()))
    return "frames from events, events from frames"


CHECKS: Final = (
    bedrock_messages,
    bedrock_signed,
    bedrock_stream,
    bedrock_relay,
    bedrock_errors,
    betas,
    vertex_messages,
    vertex_stream,
    vertex_relay,
    crossed,
)
