"""Model discovery: the list that Claude Code's picker is filled from, and what it keeps of it."""

from typing import Any, Final

from claude_gateway.conformance.bench import VERSION, Bench
from claude_gateway.conformance.check import check
from claude_gateway.conformance.checks.envelope import expect_error
from claude_gateway.conformance.requirement import Failed, Need, Source, expect

PATH: Final = "/v1/models?limit=1000"
PATIENCE: Final = 3.0
"""Seconds that Claude Code waits for the list."""


def _listed(bench: Bench) -> list[dict[str, Any]]:
    reply = bench.get(PATH, headers=[VERSION], timeout=PATIENCE).expect(200)
    data = reply.json.get("data")
    expect(isinstance(data, list) and data, f"{reply}: no models in data")
    return [dict(item) for item in data]


def _kept(bench: Bench) -> list[str]:
    """The ids that Claude Code keeps."""
    return [str(item["id"]) for item in _listed(bench) if str(item["id"]).startswith(("claude", "anthropic"))]


@check(
    "discovery.list",
    f"`GET {PATH}` gives Anthropic's shape within {PATIENCE:g} s: data with type, id, display_name; has_more, ids",
    Need.DISCOVERY,
)
def shape(bench: Bench) -> str:
    reply = bench.get(PATH, headers=[VERSION], timeout=PATIENCE).expect(200)
    for item in _listed(bench):
        expect(item.get("type") == "model" and item.get("id"), f"an entry is {item}")
        expect(item.get("display_name"), f"{item['id']} has no display_name")
        expect("created_at" in item, f"{item['id']} has no created_at")
    missing = [key for key in ("has_more", "first_id", "last_id") if key not in reply.json]
    expect(not missing, f"{reply}: without {', '.join(missing)}")
    return f"{len(reply.json['data'])} models in {reply.seconds:.2f} s"


@check("discovery.claude", "The Claude model is listed under a name that Claude Code keeps", Need.DISCOVERY)
def claude(bench: Bench) -> str:
    kept = _kept(bench)
    expect(bench.models.claude in kept, f"kept: {kept}")
    return f"{len(kept)} of the names are kept"


@check(
    "discovery.others",
    "A model that is not Claude is listed too under a name with `claude` or `anthropic` in front, and that name routes",
    Need.DISCOVERY,
    Need.OTHER,
    source=Source.PROJECT,
)
def others(bench: Bench) -> str:
    named = [name for name in _kept(bench) if bench.models.other in name]
    if not named:
        raise Failed(f"no kept name stands for {bench.models.other}; kept: {_kept(bench)}")
    bench.answer(bench.body(model=named[0]))
    return f"{named[0]} is listed and answers"


@check("discovery.keys", "The list is given for the key in either header", Need.DISCOVERY, source=Source.MEASURED)
def keys(bench: Bench) -> str:
    for auth in ([bench.bearer], [("x-api-key", bench.key)]):
        bench.get(PATH, headers=[VERSION], auth=auth, timeout=PATIENCE).expect(200)
    return "200 with each header"


@check("discovery.refused", "Nobody gets the list without a key: 401", Need.DISCOVERY, Need.KEYS, source=Source.PROJECT)
def refused(bench: Bench) -> str:
    return expect_error(bench.get(PATH, headers=[VERSION], auth=()), 401, "authentication_error")


@check(
    "discovery.no-redirect",
    "The list is not answered by a redirect, which Claude Code would not follow",
    Need.DISCOVERY,
)
def no_redirect(bench: Bench) -> str:
    for path in (PATH, "/v1/models", "/v1/v1/models?limit=1000"):
        reply = bench.get(path, headers=[VERSION])
        expect(not 300 <= reply.status < 400, f"{reply.asked} -> {reply.status}")
    return "no redirect"


@check(
    "discovery.allowed",
    "What the key may not use is not listed",
    Need.DISCOVERY,
    Need.DENIED,
    source=Source.PROJECT,
)
def allowed(bench: Bench) -> str:
    names = [item["id"] for item in _listed(bench)]
    expect(bench.models.denied not in names, f"{bench.models.denied} is listed")
    return f"{bench.models.denied} is not among {len(names)}"


@check(
    "discovery.openai",
    "Without `anthropic-version` the list has OpenAI's shape",
    Need.DISCOVERY,
    Need.CHAT,
    source=Source.OPENAI,
)
def openai(bench: Bench) -> str:
    reply = bench.get("/v1/models").expect(200)
    expect(reply.json.get("object") == "list", str(reply))
    names = [item["id"] for item in reply.json["data"] if item.get("object") == "model"]
    expect(bench.models.claude in names, f"{bench.models.claude} is not among {names}")
    return f"{len(names)} models"


CHECKS: Final = (shape, claude, others, keys, refused, no_redirect, allowed, openai)
