"""What clients ask before their first prompt: it may be refused, it must not hang."""

from typing import Final

from claude_gateway.conformance.bench import Bench
from claude_gateway.conformance.check import check
from claude_gateway.conformance.requirement import Need, Source, expect

PATIENCE: Final = 3.0
"""Seconds within which an answer to a question at start must be there."""


def _quick(bench: Bench, method: str, path: str) -> str:
    reply = bench.gateway.call(method, path, timeout=PATIENCE)
    expect(not 300 <= reply.status < 400, f"{reply}: a redirect")
    expect(reply.status < 500, f"{reply}: a server error")
    return f"{method} {path} -> {reply.status} in {reply.seconds:.2f} s"


@check(
    "startup.hello",
    "`HEAD /api/hello`, sent without a key at every interactive start, is answered at once, whatever the status",
    source=Source.MEASURED,
)
def hello(bench: Bench) -> str:
    return _quick(bench, "HEAD", "/api/hello")


@check(
    "startup.root", "`HEAD /`, sent by older releases, is answered at once, whatever the status", source=Source.MEASURED
)
def root(bench: Bench) -> str:
    return _quick(bench, "HEAD", "/")


@check(
    "startup.inference-profiles",
    "`GET /inference-profiles?type=SYSTEM_DEFINED`, sent in Bedrock mode, is answered at once; 404 is fine",
    Need.BEDROCK,
    source=Source.MEASURED,
)
def inference_profiles(bench: Bench) -> str:
    path = f"{bench.options.bedrock_base}/inference-profiles?type=SYSTEM_DEFINED"
    reply = bench.get(path, timeout=PATIENCE)
    expect(reply.status in (200, 404), f"{reply}: 200 or 404 was expected")
    return f"{reply.asked} -> {reply.status} in {reply.seconds:.2f} s"


CHECKS: Final = (hello, root, inference_profiles)
