"""Claude Code in Vertex mode: its paths and body, to a Claude model and to another."""

from typing import Any, Final

from claude_gateway.conformance import sse
from claude_gateway.conformance.bench import Bench, text_of
from claude_gateway.conformance.check import check
from claude_gateway.conformance.checks.envelope import error_of, expect_error
from claude_gateway.conformance.checks.errors import WRONG
from claude_gateway.conformance.client import Headers, Reply
from claude_gateway.conformance.requirement import Need, Source, expect

BODY_VERSION: Final = "vertex-2023-10-16"
PLACE: Final = "projects/conformance/locations/us-east5/publishers/anthropic/models"


def path(bench: Bench, model: str, action: str, *, base: str | None = None) -> str:
    """A path as Claude Code writes it."""
    return f"{bench.options.vertex_base if base is None else base}/{PLACE}/{model}:{action}"


def body(bench: Bench, **fields: Any) -> dict[str, Any]:
    """A body as Claude Code sends it to Vertex: no model, the version inside."""
    plain = bench.body()
    del plain["model"]
    return {"anthropic_version": BODY_VERSION, **plain, **fields}


def predict(bench: Bench, model: str, *, stream: bool = False, auth: Headers | None = None) -> Reply:
    """Ask a model as Claude Code does."""
    action = "streamRawPredict" if stream else "rawPredict"
    return bench.post(path(bench, model, action), body(bench, **({"stream": True} if stream else {})), auth=auth)


@check("vertex.raw-predict", "`:rawPredict` returns a message as one JSON document", Need.VERTEX)
def raw_predict(bench: Bench) -> str:
    reply = predict(bench, bench.models.vertex_id).expect(200)
    expect(reply.json.get("type") == "message" and text_of(reply.json), str(reply))
    return reply.asked


@check("vertex.stream-raw-predict", "`:streamRawPredict` gives plain server-sent events", Need.VERTEX)
def stream_raw_predict(bench: Bench) -> str:
    found = sse.of_messages(predict(bench, bench.models.vertex_id, stream=True))
    return f"{len(found)} events"


@check("vertex.stream.unbuffered", "Events are not held back", Need.VERTEX, Need.UPSTREAM)
def unbuffered(bench: Bench) -> str:
    bench.script(chunk_delay=0.4, text="one two three four five six")
    found = sse.of_messages(predict(bench, bench.models.vertex_id, stream=True))
    first = next(event.at for event in found if event.name == "content_block_delta")
    spread = found[-1].at - first
    expect(spread > 1.0, f"all text came within {spread:.2f} s, paced over 2.4 s")
    return f"text over {spread:.2f} s"


@check(
    "vertex.count-tokens", "`count-tokens:rawPredict`, with the model in the body, gives `input_tokens`", Need.VERTEX
)
def count_tokens(bench: Bench) -> str:
    asked = body(bench, model=bench.models.vertex_id)
    del asked["max_tokens"]
    reply = bench.post(path(bench, "count-tokens", "rawPredict"), asked).expect(200)
    expect(isinstance(reply.json.get("input_tokens"), int), str(reply))
    return str(reply)


@check(
    "vertex.ids",
    "Vertex's ids lead to the same route as the plain name: with and without `@date`",
    Need.VERTEX,
    source=Source.PROJECT,
)
def ids(bench: Bench) -> str:
    names = [bench.models.vertex_id, bench.models.vertex_id.partition("@")[0]]
    for name in names:
        reply = predict(bench, name)
        expect(reply.status == 200, f"{reply}: the id {name}")
    return ", ".join(names)


@check(
    "vertex.path.base",
    "The paths are served with and without `/v1`, which comes from the base URL that a user gives",
    Need.VERTEX,
    source=Source.MEASURED,
)
def base(bench: Bench) -> str:
    for start in (bench.options.vertex_base, bench.options.vertex_base.removesuffix("/v1")):
        reply = bench.post(path(bench, bench.models.vertex_id, "rawPredict", base=start), body(bench))
        expect(reply.status == 200, str(reply))
    return reply.asked


@check("vertex.prefix", "The same paths under a prefix of their own", Need.VERTEX, source=Source.PROJECT)
def prefix(bench: Bench) -> str:
    where = path(bench, bench.models.vertex_id, "rawPredict", base=bench.options.vertex_prefix)
    return bench.post(where, body(bench)).expect(200).asked


@check("vertex.auth", "The key as bearer token (SKIP_VERTEX_AUTH); an unknown one is 401", Need.VERTEX, Need.KEYS)
def auth(bench: Bench) -> str:
    predict(bench, bench.models.vertex_id, auth=[bench.bearer]).expect(200)
    reply = predict(bench, bench.models.vertex_id, auth=[("authorization", f"Bearer {WRONG}")])
    return expect_error(reply, 401, "authentication_error")


@check(
    "vertex.bridge",
    "To Anthropic's API: the body's version becomes the header, the model enters the body, betas and the rest are kept",
    Need.BRIDGE,
    Need.VERTEX,
    Need.UPSTREAM,
)
def bridge(bench: Bench) -> str:
    sent = body(bench, unknown={"kept": [1.0]}, stream=True)
    headers = [("anthropic-beta", "claude-code-20250219,web-search-2025-03-05")]
    bench.post(path(bench, bench.models.vertex_id, "streamRawPredict"), sent, headers=headers).expect(200)
    seen = bench.seen()
    expect(seen.header("anthropic-version") == "2023-06-01", f"anthropic-version {seen.header('anthropic-version')!r}")
    betas = seen.all("anthropic-beta")
    expect({"claude-code-20250219", "web-search-2025-03-05"} <= set(betas), f"betas {betas}")
    arrived = dict(seen.json)
    expect(arrived.pop("model", None), f"{seen}: no model")
    kept = {name: value for name, value in sent.items() if name != "anthropic_version"}
    expect(arrived == kept, f"{seen}: {sorted(set(arrived) ^ set(kept))} differ")
    return "body as sent, with the model"


@check(
    "vertex.errors",
    "Errors keep status, type and wording in Anthropic's envelope; an unknown model is 404",
    Need.VERTEX,
    Need.UPSTREAM,
)
def errors(bench: Bench) -> str:
    said = "prompt is too long: 212345 tokens > 200000 maximum"
    bench.script(status=400, error_type="invalid_request_error", error_message=said)
    reply = predict(bench, bench.models.vertex_id)
    expect(error_of(reply.expect(400))["message"] == said, str(reply))
    return expect_error(predict(bench, "claude-no-such-model@20250101"), 404, "not_found_error")


@check(
    "vertex.other-model",
    "A model that is not Claude answers in Vertex mode too, whole and streamed",
    Need.BRIDGE,
    Need.VERTEX,
    Need.OTHER,
    source=Source.PROJECT,
)
def other_model(bench: Bench) -> str:
    reply = predict(bench, bench.models.other).expect(200)
    expect(text_of(reply.json), str(reply))
    found = sse.of_messages(predict(bench, bench.models.other, stream=True))
    expect(sse.text(found), "no text in the stream")
    return f"a message, and {len(found)} events"


CHECKS: Final = (
    raw_predict,
    stream_raw_predict,
    unbuffered,
    count_tokens,
    ids,
    base,
    prefix,
    auth,
    bridge,
    errors,
    other_model,
)
