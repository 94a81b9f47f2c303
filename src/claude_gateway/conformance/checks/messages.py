"""Messages as Claude Code asks for them: answers, paths, sizes and token counts."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from claude_gateway.conformance import samples, sse
from claude_gateway.conformance.bench import VERSION, Bench, text_of
from claude_gateway.conformance.check import check
from claude_gateway.conformance.requirement import Need, Source, expect

COUNTS: Final = 27
"""Token counts that ``/context`` asks for at the same time."""
MEGABYTES: Final = 32


@check("messages.answer", "`POST /v1/messages` returns a message: type, role, content, stop_reason and usage")
def answer(bench: Bench) -> str:
    message = bench.answer(bench.body())
    expect(message.get("role") == "assistant", f"role {message.get('role')!r}")
    expect(message.get("stop_reason") == "end_turn", f"stop_reason {message.get('stop_reason')!r}")
    usage = message.get("usage") or {}
    expect(usage.get("input_tokens", 0) > 0 and usage.get("output_tokens", 0) > 0, f"usage {usage}")
    return f"{message['content'][0]['type']}, {message['stop_reason']}, usage {usage['input_tokens']}"


@check("messages.stream", "`stream: true` gives server-sent events in the right order, each with its `event:` line")
def stream(bench: Bench) -> str:
    events = bench.stream(bench.body())
    expect(sse.text(events), "no text in the stream")
    return f"{len(events)} events to message_stop"


@check(
    "messages.main-loop",
    "A request of Claude Code's main loop, with all its headers, betas and fields, is answered",
    source=Source.MEASURED,
)
def main_loop(bench: Bench) -> str:
    body = samples.main_loop(bench.models.claude, f"Say hello {bench.marker}")
    events = bench.stream(body, headers=samples.HEADERS)
    return f"{len(events)} events"


@check(
    "messages.query",
    "The path is matched without its query, and the query (`?beta=true`) reaches the upstream",
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def query(bench: Bench) -> str:
    bench.answer(bench.body())
    seen = bench.seen()
    expect("beta=true" in seen.query, f"{seen}, with the query {seen.query!r}")
    return f"{seen.path}?{seen.query}"


@check(
    "messages.path.v1v1",
    "A base URL that ends in `/v1` gives `/v1/v1/messages`, which is understood",
    source=Source.MEASURED,
)
def v1v1(bench: Bench) -> str:
    reply = bench.post("/v1/v1/messages?beta=true", bench.body(), headers=[VERSION]).expect(200)
    return f"{reply.asked} -> 200"


@check(
    "messages.size",
    f"A body of {MEGABYTES} MB, with images for example, is taken",
    Need.UPSTREAM,
)
def size(bench: Bench) -> str:
    body = bench.body()
    body["messages"][0]["content"] = [
        {"type": "text", "text": bench.marker},
        {"type": "text", "text": "x" * (MEGABYTES * 1_000_000)},
    ]
    # The answer would repeat it all.
    bench.script(text="read")
    reply = bench.messages(body, timeout=60).expect(200)
    got = len(bench.seen().body)
    expect(got >= MEGABYTES * 1_000_000, f"the upstream got {got} bytes")
    return f"{got} bytes upstream in {reply.seconds:.1f} s"


@check(
    "messages.unicode",
    "Text beyond ASCII, escaped in the request or not, comes back as it was",
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def unicode(bench: Bench) -> str:
    said = "Ωß漢字🚀 \u2028 é"
    bench.script(text=said)
    raw = json.dumps(bench.body(said), ensure_ascii=False).encode()
    heard = text_of(bench.answer(raw))
    expect(heard == said, f"{said!r} came back as {heard!r}")
    bench.script(text=said)
    streamed = sse.text(bench.stream(bench.body(said)))
    expect(streamed == said, f"{said!r} came back as {streamed!r} in the stream")
    return repr(heard)


@check(
    "messages.non-streaming.slow",
    "An answer without streaming may take long: Claude Code repeats failed streams this way, with max_tokens 64000",
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def slow(bench: Bench) -> str:
    bench.script(delay=6.0)
    reply = bench.messages(bench.body(max_tokens=64000)).expect(200)
    expect(reply.json["type"] == "message", str(reply))
    return f"200 after {reply.seconds:.1f} s"


@check(
    "messages.web-search",
    "The request of Claude Code's WebSearch (tool `web_search_20250305`) reaches a Claude model whole",
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def web_search(bench: Bench) -> str:
    tools = [{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}]
    bench.answer(bench.body(tools=tools, tool_choice={"type": "auto"}))
    seen = bench.seen().json
    expect(seen.get("tools") == tools, f"tools arrived as {seen.get('tools')}")
    expect(seen.get("tool_choice") == {"type": "auto"}, f"tool_choice arrived as {seen.get('tool_choice')}")
    return "tool and choice arrived as sent"


@check("messages.images", "Images in prompts and in tool results reach a Claude model whole", Need.UPSTREAM)
def images(bench: Bench) -> str:
    turns = samples.tool_turn(f"look {bench.marker}", [samples.IMAGE])
    turns[0]["content"] = [samples.IMAGE, {"type": "text", "text": f"look {bench.marker}"}]
    bench.answer({**bench.body(), "messages": turns, "tools": [samples.BASH]})
    arrived = bench.seen().json["messages"]
    expect(arrived == turns, f"messages arrived as {arrived}")
    return "two images arrived as sent"


@check(
    "messages.tools", "Tool calls come back as tool_use blocks, streamed and not, and results are taken", Need.UPSTREAM
)
def tools(bench: Bench) -> str:
    call = ["Bash", {"command": "ls -la", "nested": {"a": [1, 2.5, None, "é"]}}]
    bench.script(tools=[call])
    message = bench.answer(bench.body(tools=[samples.BASH]))
    expect(message["stop_reason"] == "tool_use", f"stop_reason {message['stop_reason']}")
    expect(message["content"][-1]["input"] == call[1], f"the call arrived as {message['content']}")
    bench.script(tools=[call])
    block = sse.blocks(bench.stream(bench.body(tools=[samples.BASH])))[-1]
    expect((block.get("name"), block.get("input")) == tuple(call), f"the streamed call arrived as {block}")
    bench.answer({**bench.body(), "messages": samples.tool_turn(bench.marker, "a file"), "tools": [samples.BASH]})
    return "called, streamed and answered"


@check("messages.count-tokens", "`POST /v1/messages/count_tokens` gives `input_tokens`, exactly as the model counts")
def count_tokens(bench: Bench) -> str:
    body = {key: value for key, value in bench.body().items() if key != "max_tokens"}
    reply = bench.post("/v1/messages/count_tokens?beta=true", body, headers=[VERSION]).expect(200)
    expect(isinstance(reply.json.get("input_tokens"), int), str(reply))
    return str(reply)


@check(
    "messages.count-tokens.exact",
    "A count for a Claude model is the upstream's own, not a guess",
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def count_exact(bench: Bench) -> str:
    body = {key: value for key, value in bench.body().items() if key != "max_tokens"}
    reply = bench.post("/v1/messages/count_tokens?beta=true", body, headers=[VERSION]).expect(200)
    seen = bench.seen()
    expect(seen.path.endswith("/count_tokens"), f"{seen}: it was not asked to count")
    expect(not reply.header("x-token-count"), "an exact count is marked as an estimate")
    return f"{reply.json} as counted at {seen.path}"


@check(
    "messages.count-tokens.parallel",
    f"{COUNTS} counts at the same time, as `/context` asks for, are all answered",
    source=Source.MEASURED,
)
def count_parallel(bench: Bench) -> str:
    def ask(number: int) -> int:
        body = {**bench.body(f"part {number}"), "tools": [samples.BASH]}
        body.pop("max_tokens")
        return bench.post("/v1/messages/count_tokens?beta=true", body, headers=[VERSION]).status

    with ThreadPoolExecutor(COUNTS) as pool:
        statuses = list(pool.map(ask, range(COUNTS)))
    expect(set(statuses) == {200}, f"statuses {sorted(set(statuses))}")
    return f"{COUNTS} times 200"


@check(
    "messages.count-tokens.not-there",
    "Where a model cannot count: 501 `not_supported` with `x-should-retry: false`; a 404 makes older releases "
    "send every count again as a paid prompt",
    Need.OTHER,
)
def count_not_there(bench: Bench) -> str:
    body = {key: value for key, value in bench.body(model=bench.models.other).items() if key != "max_tokens"}
    reply = bench.post("/v1/messages/count_tokens?beta=true", body, headers=[VERSION])
    if reply.status == 200:
        expect(isinstance(reply.json.get("input_tokens"), int), str(reply))
        return str(reply)
    expect(reply.status == 501, f"{reply}: 501 was expected")
    expect(reply.header("x-should-retry") == "false", f"{reply}: no x-should-retry: false")
    return f"{reply}, x-should-retry: false"


@check(
    "messages.count-tokens.honest",
    "A count for a model that cannot count is not given as if it were exact",
    Need.OTHER,
    source=Source.PROJECT,
)
def count_honest(bench: Bench) -> str:
    body = {key: value for key, value in bench.body(model=bench.models.other).items() if key != "max_tokens"}
    reply = bench.post("/v1/messages/count_tokens?beta=true", body, headers=[VERSION])
    marked = reply.header("x-token-count") == "estimate"
    expect(reply.status != 200 or marked, f"{reply}: a guess that is not marked as one")
    return str(reply)


@check(
    "messages.count-tokens.estimate",
    "Where estimates were allowed, a count for such a model is given and marked as an estimate",
    Need.ESTIMATES,
    source=Source.PROJECT,
)
def count_estimate(bench: Bench) -> str:
    body = bench.body("one two three " * 100, model=bench.models.estimate)
    body.pop("max_tokens")
    reply = bench.post("/v1/messages/count_tokens?beta=true", body, headers=[VERSION]).expect(200)
    expect(reply.header("x-token-count") == "estimate", f"{reply}: no x-token-count: estimate")
    tokens = reply.json["input_tokens"]
    expect(100 <= tokens <= 1500, f"{tokens} tokens for 300 words")
    return f"{tokens} tokens for 300 words, marked"


CHECKS: Final = (
    answer,
    stream,
    main_loop,
    query,
    v1v1,
    size,
    unicode,
    slow,
    web_search,
    images,
    tools,
    count_tokens,
    count_exact,
    count_parallel,
    count_not_there,
    count_honest,
    count_estimate,
)
