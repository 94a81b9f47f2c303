"""Tools of Claude Code as functions of a model behind an OpenAI-compatible server, and their results."""

import json
import re
from typing import Any, Final

from claude_gateway.conformance import samples, sse
from claude_gateway.conformance.bench import Bench, text_of, tools_of
from claude_gateway.conformance.check import check
from claude_gateway.conformance.checks.dialect import offered, to_other
from claude_gateway.conformance.requirement import Need, Source, expect, shorten

LONG: Final = "mcp__a-server-with-a-rather-long-name__and_a_tool_with_a_name_that_is_even_longer_than_that"


ODD: Final = "mcp.server/tool:näme"


TOOL_NAME: Final = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")


def _tool(name: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    return {"name": name, "description": "", "input_schema": schema}


@check(
    "dialect.tools.deferred",
    "The placeholder of deferred tools is left out; a tool that was referenced is offered, its reference is text",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def deferred(bench: Bench) -> str:
    body = to_other(bench)
    body["tools"] = [samples.TOOL_SEARCH, samples.PLACEHOLDER, samples.deferred("WebFetch")]
    reference = [{"type": "tool_reference", "tool_name": "WebFetch"}]
    body["messages"] = samples.tool_turn(bench.marker, reference, name="ToolSearch")
    bench.answer(body, headers=samples.HEADERS)
    seen = bench.seen()
    names = offered(seen)
    expect("WebFetch" in names and "ToolSearch" in names, f"offered: {names}")
    expect("DeferredToolPlaceholder" not in names, f"offered: {names}")
    results = [message for message in seen.json["messages"] if message.get("role") == "tool"]
    expect(results and "WebFetch" in json.dumps(results), f"the result arrived as {results}")
    return f"offered: {', '.join(names)}"


@check(
    "dialect.tools",
    "A tool call and its result go to such a model and back",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def tools(bench: Bench) -> str:
    call = ["Bash", {"command": "ls", "nested": {"é": [1, 2.5, None]}}]
    bench.script(tools=[call])
    body = to_other(bench, tools=[samples.BASH])
    message = bench.answer(body)
    made = tools_of(message)
    expect(made and (made[0]["name"], made[0]["input"]) == tuple(call), f"the call came as {message['content']}")
    expect(message["stop_reason"] == "tool_use", f"stop_reason {message['stop_reason']}")
    bench.upstream.script()
    result = {"type": "tool_result", "tool_use_id": made[0]["id"], "content": [{"type": "text", "text": "a file"}]}
    body["messages"] += [{"role": "assistant", "content": message["content"]}, {"role": "user", "content": [result]}]
    said = text_of(bench.answer(body))
    expect("a file" in said, f"the result did not arrive: {said!r}")
    return f"{made[0]['id']} called and answered"


@check(
    "dialect.tools.stream",
    "Tool calls are streamed with their input whole, in blocks of their own",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def tools_stream(bench: Bench) -> str:
    calls = [["Bash", {"command": "ls é", "timeout": 1.5}], ["ToolSearch", {"query": "x"}]]
    bench.script(tools=calls)
    found = bench.stream(to_other(bench, tools=[samples.BASH, samples.TOOL_SEARCH]))
    made = [block for block in sse.blocks(found) if block.get("type") == "tool_use"]
    expect([[block["name"], block["input"]] for block in made] == calls, f"the calls came as {made}")
    expect(len({block["id"] for block in made}) == 2, f"ids {[block['id'] for block in made]}")
    reason = sse.named(found, "message_delta")["delta"]["stop_reason"]
    expect(reason == "tool_use", f"stop_reason {reason}")
    return "two calls, parallel"


@check(
    "dialect.tools.parallel",
    "Results of parallel calls in one user turn all arrive, each with its own call",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def tools_parallel(bench: Bench) -> str:
    body = to_other(bench, tools=[samples.BASH])
    calls = [{"type": "tool_use", "id": f"toolu_{n}", "name": "Bash", "input": {"command": str(n)}} for n in (1, 2)]
    results = [{"type": "tool_result", "tool_use_id": f"toolu_{n}", "content": f"result {n}"} for n in (2, 1)]
    body["messages"] += [
        {"role": "assistant", "content": [{"type": "text", "text": "Both."}, *calls]},
        {"role": "user", "content": [*results, {"type": "text", "text": "And now?"}]},
    ]
    bench.answer(body)
    seen = bench.seen()
    answered = {m["tool_call_id"]: m["content"] for m in seen.json["messages"] if m.get("role") == "tool"}
    made = [call for m in seen.json["messages"] for call in m.get("tool_calls") or []]
    expect(len(answered) == len(made) == 2, f"{seen}")
    for call in made:
        number = json.loads(call["function"]["arguments"])["command"]
        expect(f"result {number}" in str(answered[call["id"]]), f"call {number} got {answered[call['id']]}")
    expect("And now?" in json.dumps(seen.json), "the text beside the results did not arrive")
    return "two calls, two results, and the text beside them"


@check(
    "dialect.tools.one-at-a-time",
    "`disable_parallel_tool_use` becomes `parallel_tool_calls: false`",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.API,
)
def one_at_a_time(bench: Bench) -> str:
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    bench.answer(to_other(bench, tools=[samples.BASH], tool_choice=choice))
    sent = bench.seen().json.get("parallel_tool_calls")
    expect(sent is False, f"parallel_tool_calls arrived as {sent}")
    return "parallel_tool_calls: false"


@check(
    "dialect.tools.names",
    "Tool names over 64 characters or with odd characters are mapped for the server, and mapped back, streamed and not",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def tool_names(bench: Bench) -> str:
    for name in (LONG, ODD):
        body = to_other(bench, tools=[_tool(name), _tool(name + "2")], tool_choice={"type": "tool", "name": name})
        message = bench.answer(body)
        arrived = offered(bench.seen())
        expect(all(TOOL_NAME.match(shown) for shown in arrived), f"the server got the names {arrived}")
        expect(len(set(arrived)) == 2, f"two tools have one name: {arrived}")
        made = tools_of(message)
        expect([block["name"] for block in made] == [name], f"the call came back as {message['content']}")
        streamed = [block for block in sse.blocks(bench.stream(body)) if block.get("type") == "tool_use"]
        expect([block["name"] for block in streamed] == [name], f"the streamed call came back as {streamed}")
    return f"{len(LONG)} characters, and {ODD!r}"


@check(
    "dialect.tools.is-error",
    "A result with `is_error` reads as a failure to the model",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.API,
)
def is_error(bench: Bench) -> str:
    body = to_other(bench, tools=[samples.BASH])
    body["messages"] = samples.tool_turn(bench.marker, "it went wrong", is_error=True)
    bench.answer(body)
    results = [message for message in bench.seen().json["messages"] if message.get("role") == "tool"]
    text = json.dumps(results).lower()
    expect("it went wrong" in text, f"the result arrived as {results}")
    expect("error" in text or "fail" in text, f"nothing says that it failed: {results}")
    return shorten(results[0]["content"], 80)


@check(
    "dialect.tools.images",
    "An image in a tool result is seen by the model",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def tool_images(bench: Bench) -> str:
    body = to_other(bench, tools=[samples.BASH])
    content = [{"type": "text", "text": "a picture"}, samples.IMAGE]
    body["messages"] = samples.tool_turn(bench.marker, content)
    bench.answer(body)
    seen = bench.seen()
    parts = [part for m in seen.json["messages"] if isinstance(m.get("content"), list) for part in m["content"]]
    urls = [json.dumps(part.get("image_url")) for part in parts if part.get("type") == "image_url"]
    expect(any(samples.PIXEL in url for url in urls), f"no image part arrived: {seen}")
    return "an image_url part arrived"


CHECKS: Final = (deferred, tools, tools_stream, tools_parallel, one_at_a_time, tool_names, is_error, tool_images)
