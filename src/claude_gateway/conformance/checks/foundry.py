"""Modes that use Messages under another name: Foundry, Claude on AWS, Mantle."""

from typing import Final

from claude_gateway.conformance import samples
from claude_gateway.conformance.bench import Bench, text_of
from claude_gateway.conformance.check import check
from claude_gateway.conformance.requirement import Need, Source, expect


@check(
    "foundry.messages",
    "Foundry mode: `POST /v1/messages?beta=true` with the key in `x-api-key`, whole and streamed",
    source=Source.MEASURED,
)
def messages(bench: Bench) -> str:
    auth = [("x-api-key", bench.key)]
    reply = bench.messages(bench.body(), headers=samples.HEADERS, auth=auth).expect(200)
    expect(text_of(reply.json), str(reply))
    bench.messages({**bench.body(), "stream": True}, auth=auth).expect(200)
    return "200, whole and streamed"


@check(
    "foundry.workspace",
    "Claude on AWS: the same with `anthropic-workspace-id`, which is forwarded like every `anthropic-*` header",
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def workspace(bench: Bench) -> str:
    bench.answer(bench.body(), headers=[("anthropic-workspace-id", "wrkspc_01")])
    arrived = bench.seen().header("anthropic-workspace-id")
    expect(arrived == "wrkspc_01", f"arrived as {arrived!r}")
    return arrived


@check(
    "foundry.mantle",
    "Mantle: Messages with Bedrock's name of the model (`anthropic.claude-...`), which leads to the same route",
    Need.BRIDGE,
    Need.BEDROCK,
    source=Source.MEASURED,
)
def mantle(bench: Bench) -> str:
    name = f"anthropic.{bench.models.claude}"
    bench.answer(bench.body(model=name))
    return f"{name} answers"


CHECKS: Final = (messages, workspace, mantle)
