"""Towards a Claude model nothing is changed: bodies, fields, headers and betas arrive as they were sent."""

import json
from typing import Any, Final

from claude_gateway.conformance import samples
from claude_gateway.conformance.bench import Bench
from claude_gateway.conformance.check import check
from claude_gateway.conformance.requirement import Need, Source, expect, shorten


def _arrived(bench: Bench, body: dict[str, Any], *fields: str) -> str:
    """Send a body and expect these top-level fields upstream as they were sent."""
    bench.answer(body, headers=samples.HEADERS)
    seen = bench.seen().json
    for field in fields:
        expect(seen.get(field) == body[field], f"{field} arrived as {shorten(seen.get(field))}")
    return f"{', '.join(fields)} arrived as sent"


@check(
    "body.exact",
    "The body is relayed byte for byte, but for the model's name: order, spacing, escapes and numbers stay",
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def exact(bench: Bench) -> str:
    model = json.dumps(bench.models.claude).encode()
    raw = (
        b'{ "max_tokens" : 1e2,\n\t"model":' + model + b', "unknown_first": [1.0, 1E-7, 12345678901234567890, -0.0],'
        b'"messages":[{"content":"\\u00e9\\ud83d\\ude00 / \\/ \xc3\xa9 ' + bench.marker.encode() + b'","role":"user"}],'
        b'"z":{},"metadata":{"user_id":"{\\"device_id\\":\\"d\\"}"},  "a":null}'
    ).replace(b"1e2", b"100")
    bench.answer(raw)
    seen = bench.seen()
    wanted = raw.replace(model, json.dumps(seen.json["model"]).encode(), 1)
    expect(seen.body == wanted, f"sent {shorten(raw)}; arrived {shorten(seen.body)}")
    return f"{len(raw)} bytes, model {seen.json['model']}"


@check(
    "body.main-loop.exact",
    "A whole request of Claude Code's main loop is relayed byte for byte, but for the model's name",
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def main_loop_exact(bench: Bench) -> str:
    body = {**samples.main_loop(bench.models.claude, bench.marker), "stream": True}
    raw = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    bench.messages(raw, headers=samples.HEADERS).expect(200)
    seen = bench.seen()
    model = json.dumps(bench.models.claude).encode()
    wanted = raw.replace(model, json.dumps(seen.json["model"]).encode(), 1)
    expect(seen.body == wanted, f"sent {shorten(raw)}; arrived {shorten(seen.body)}")
    return f"{len(raw)} bytes"


@check(
    "body.no-inspection",
    "Bodies are not inspected as by a web firewall: code, markup, paths and shell commands in prompts are not attacks",
)
def no_inspection(bench: Bench) -> str:
    words = "<script>alert(1)</script> ' OR 1=1; DROP TABLE users; -- ../../etc/passwd $(rm -rf /) ${jndi:ldap://x/a}"
    bench.answer(bench.body(words))
    return "200"


@check("body.unknown-fields", "Body fields that nobody knows yet are forwarded, at the top and within", Need.UPSTREAM)
def unknown_fields(bench: Bench) -> str:
    body = bench.body(next_year={"a": [1, {"b": None}]}, betas_of_mine="x")
    body["messages"][0]["new_mark"] = True
    bench.answer(body)
    seen = bench.seen().json
    expect(seen.get("next_year") == body["next_year"], f"next_year arrived as {seen.get('next_year')}")
    expect(seen.get("betas_of_mine") == "x", f"betas_of_mine arrived as {seen.get('betas_of_mine')}")
    expect(seen["messages"][0].get("new_mark") is True, f"messages arrived as {seen['messages']}")
    return "three unknown fields arrived"


@check("body.system", "The `system` array keeps its order and its blocks, the attribution block first", Need.UPSTREAM)
def system(bench: Bench) -> str:
    return _arrived(bench, samples.main_loop(bench.models.claude, bench.marker), "system")


@check(
    "body.cache-control", "Every `cache_control` stays, with its `ttl`: in system, tools and messages", Need.UPSTREAM
)
def cache_control(bench: Bench) -> str:
    body = samples.main_loop(bench.models.claude, bench.marker)
    body["tools"] = [{**samples.BASH, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    return _arrived(bench, body, "system", "tools", "messages")


@check(
    "body.new-fields",
    "`thinking.type: adaptive`, `output_config.effort`, `context_management` and `metadata` arrive",
    Need.UPSTREAM,
)
def new_fields(bench: Bench) -> str:
    body = samples.main_loop(bench.models.claude, bench.marker)
    return _arrived(bench, body, "thinking", "output_config", "context_management", "metadata", "max_tokens")


@check(
    "body.tools",
    "Deferred tools (`defer_loading`), `strict`, and `tool_reference` in results arrive as sent",
    Need.UPSTREAM,
)
def tools(bench: Bench) -> str:
    body = samples.main_loop(bench.models.claude, bench.marker)
    body["tools"].append({**samples.BASH, "name": "Strict", "strict": True})
    reference = [{"type": "tool_reference", "tool_name": "WebFetch"}]
    body["messages"] = samples.tool_turn(bench.marker, reference, name="ToolSearch")
    return _arrived(bench, body, "tools", "messages")


@check(
    "body.mid-system",
    "A `role: system` message in the middle or at the end, with `output_config` of its own or empty, arrives",
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def mid_system(bench: Bench) -> str:
    body = bench.body()
    body["messages"] += [
        {"role": "system", "content": "Be kind.", "output_config": {"effort": "low"}},
        {"role": "assistant", "content": "Yes"},
        {"role": "user", "content": "go on"},
        {"role": "system", "content": []},
    ]
    return _arrived(bench, body, "messages")


@check("body.thinking-history", "Thinking blocks of earlier turns keep their signatures and place", Need.UPSTREAM)
def thinking_history(bench: Bench) -> str:
    body = bench.body()
    body["messages"] += [
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "ZGF0YQ=="},
                {"type": "text", "text": "Hello"},
            ],
        },
        {"role": "user", "content": "go on"},
    ]
    return _arrived(bench, body, "messages")


@check("headers.betas", "`anthropic-beta` values are forwarded verbatim, unknown ones too", Need.UPSTREAM)
def betas(bench: Bench) -> str:
    sent = f"{samples.BETAS},not-invented-yet-2027-01-01"
    bench.answer(bench.body(), headers=[("anthropic-beta", sent)])
    arrived = bench.seen().all("anthropic-beta")
    expect(sorted(arrived) == sorted(sent.split(",")), f"arrived as {arrived}")
    return f"{len(arrived)} betas arrived"


@check("headers.version", "`anthropic-version` is forwarded", Need.UPSTREAM)
def version(bench: Bench) -> str:
    bench.answer(bench.body())
    arrived = bench.seen().header("anthropic-version")
    expect(arrived == "2023-06-01", f"arrived as {arrived!r}")
    return arrived


@check("headers.unknown", "Unknown `anthropic-*` headers are forwarded verbatim", Need.UPSTREAM)
def unknown_headers(bench: Bench) -> str:
    sent = [("anthropic-not-invented-yet", "A=1; b=2"), ("anthropic-dangerous-direct-browser-access", "true")]
    bench.answer(bench.body(), headers=sent)
    seen = bench.seen()
    for name, value in sent:
        expect(seen.header(name) == value, f"{name} arrived as {seen.header(name)!r}")
    return "two headers arrived"


@check("headers.together", "The two halves of a feature, its beta and its body field, travel together", Need.UPSTREAM)
def together(bench: Bench) -> str:
    body = bench.body(context_management={"edits": [{"type": "clear_tool_uses_20250919"}]})
    bench.answer(body, headers=[("anthropic-beta", "context-management-2025-06-27")])
    seen = bench.seen()
    arrived = ("context-management-2025-06-27" in seen.all("anthropic-beta"), "context_management" in seen.json)
    expect(arrived[0] == arrived[1], f"beta arrived: {arrived[0]}, field arrived: {arrived[1]}")
    expect(arrived[0], "neither half arrived")
    return "both arrived"


@check(
    "headers.client",
    "Claude Code's own headers (`x-app`, `x-stainless-*`, session and agent ids) are accepted",
    source=Source.MEASURED,
)
def client(bench: Bench) -> str:
    headers = [*samples.HEADERS, ("x-claude-code-parent-agent-id", "p1"), ("anthropic-workspace-id", "wrkspc_1")]
    bench.answer(bench.body(), headers=headers)
    return f"200 with {len(headers)} headers"


@check(
    "headers.few",
    "The conservative set of `CLAUDE_CODE_USE_GATEWAY=1`, and no beta at all, are as good",
    source=Source.MEASURED,
)
def few(bench: Bench) -> str:
    bench.answer(bench.body(), headers=[("anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14")])
    bench.answer(bench.body())
    return "200 with two betas, 200 without"


@check("headers.request-id", "Every answer carries a `request-id`", source=Source.API)
def request_id(bench: Bench) -> str:
    good, bad = bench.messages(bench.body()), bench.messages({**bench.body(), "model": "no-such-model-at-all"})
    for reply in (good, bad):
        expect(reply.header("request-id"), f"{reply}: no request-id header")
    return f"request-id on {good.status} and on {bad.status}"


CHECKS: Final = (
    exact,
    main_loop_exact,
    no_inspection,
    unknown_fields,
    system,
    cache_control,
    new_fields,
    tools,
    mid_system,
    thinking_history,
    betas,
    version,
    unknown_headers,
    together,
    client,
    few,
    request_id,
)
