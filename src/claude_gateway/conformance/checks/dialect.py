"""What Claude Code sends, towards a model behind an OpenAI-compatible server: said in its words, or left out."""

import json
import re
from typing import Any, Final

from claude_gateway.conformance import samples, sse
from claude_gateway.conformance.bench import Bench, text_of, tools_of
from claude_gateway.conformance.check import Need, Source, check, expect, shorten
from claude_gateway.conformance.upstream import Seen

LONG: Final = "mcp__a-server-with-a-rather-long-name__and_a_tool_with_a_name_that_is_even_longer_than_that"
ODD: Final = "mcp.server/tool:näme"
TOOL_NAME: Final = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
FOREIGN: Final = ("cache_control", "tool_reference", "defer_loading", "context_management", "DeferredToolPlaceholder")
KNOWN: Final = frozenset(
    [
        *("model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "stream", "seed"),
        *("n", "stream_options", "tools", "tool_choice", "parallel_tool_calls", "response_format", "reasoning_effort"),
        *("user", "metadata", "verbosity", "store", "service_tier", "safety_identifier", "prompt_cache_key", "top_k"),
    ]
)
"""Fields that Chat Completions servers know (``top_k`` is vLLM's)."""
SCHEMA: Final = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}


def to_other(bench: Bench, text: str = "Say hello", **fields: Any) -> dict[str, Any]:
    """A Messages body for the model that is no Claude."""
    return bench.body(text, model=bench.models.other, **fields)


def _names(seen: Seen) -> list[str]:
    return [tool.get("function", tool).get("name", "") for tool in seen.json.get("tools") or []]


def _tool(name: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    return {"name": name, "description": "", "input_schema": schema}


@check(
    "dialect.answer",
    "A Messages request to a model that is no Claude gives a message",
    Need.OTHER,
    source=Source.PROJECT,
)
def answer(bench: Bench) -> str:
    message = bench.answer(to_other(bench))
    expect(text_of(message), f"no text in {message}")
    expect(message["stop_reason"] == "end_turn", f"stop_reason {message['stop_reason']}")
    return f"{message['stop_reason']}, {shorten(text_of(message), 60)}"


@check(
    "dialect.stream",
    "A stream from such a model has the form that Claude Code takes",
    Need.OTHER,
    source=Source.MEASURED,
)
def stream(bench: Bench) -> str:
    found = bench.stream(to_other(bench))
    expect(sse.text(found), "no text in the stream")
    open_blocks = [event.name for event in found if event.name in ("content_block_start", "content_block_stop")]
    expect(open_blocks == ["content_block_start", "content_block_stop"] * (len(open_blocks) // 2), f"{open_blocks}")
    return f"{len(found)} events"


@check(
    "dialect.main-loop",
    "A whole request of Claude Code's main loop is answered by such a model",
    Need.OTHER,
    source=Source.MEASURED,
)
def main_loop(bench: Bench) -> str:
    body = samples.main_loop(bench.models.other, f"Say hello {bench.marker}")
    found = bench.stream(body, headers=samples.HEADERS)
    expect(bench.marker in sse.text(found), f"the answer is not to the user's words: {sse.text(found)!r}")
    return f"{len(found)} events"


@check(
    "dialect.mid-system",
    "`role: system` messages in the middle, last, empty or with `output_config` of their own, are heard, and not taken "
    "for what the user said",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def mid_system(bench: Bench) -> str:
    body = to_other(bench)
    body["messages"] += [
        {"role": "system", "content": "Middle words.", "output_config": {"effort": "low"}},
        {"role": "assistant", "content": "Yes"},
        {"role": "user", "content": f"go on {bench.marker}"},
        {"role": "system", "content": []},
        {"role": "system", "content": [{"type": "text", "text": "Last words."}]},
    ]
    said = text_of(bench.answer(body))
    expect("go on" in said, f"the answer is to {said!r}")
    arrived = json.dumps(bench.seen().json)
    for text in ("Middle words.", "Last words."):
        expect(text in arrived, f"{text!r} did not arrive: {bench.seen()}")
    return "both texts arrived; the user's was answered"


@check(
    "dialect.fields",
    "Nothing that only Anthropic knows reaches the server: no `cache_control`, `context_management`, `output_config`, "
    "betas, deferred tools",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def fields(bench: Bench) -> str:
    body = samples.main_loop(bench.models.other, bench.marker)
    bench.answer({**body, "not_invented_yet": 1}, headers=samples.HEADERS)
    seen = bench.seen()
    strange = sorted(set(seen.json) - KNOWN)
    expect(not strange, f"the server got the fields {strange}")
    text = json.dumps(seen.json)
    found = [word for word in FOREIGN if word in text]
    expect(not found, f"the server got {found}: {seen}")
    headers = [
        name for name, _ in seen.headers if name.lower().startswith(("anthropic-", "x-stainless-", "x-claude-code"))
    ]
    expect(not headers, f"the server got the headers {headers}")
    return f"fields {', '.join(sorted(seen.json))}"


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
    names = _names(seen)
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
        arrived = _names(bench.seen())
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


@check("dialect.images", "An image in a prompt is seen by the model", Need.OTHER, Need.UPSTREAM, source=Source.API)
def images(bench: Bench) -> str:
    body = to_other(bench)
    body["messages"][0]["content"] = [samples.IMAGE, {"type": "text", "text": bench.marker}]
    bench.answer(body)
    content = bench.seen().json["messages"][-1]["content"]
    urls = [part["image_url"]["url"] for part in content if part.get("type") == "image_url"]
    expect(urls == [f"data:image/png;base64,{samples.PIXEL}"], f"the prompt arrived as {shorten(content)}")
    return "data:image/png;base64"


@check(
    "dialect.server-tools",
    "A server tool (`web_search_20250305`) beside others does not fail the request, and is not offered as a function",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def server_tools(bench: Bench) -> str:
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
    bench.answer(to_other(bench, tools=[search, samples.BASH]))
    names = _names(bench.seen())
    expect("Bash" in names, f"offered: {names}")
    expect("web_search_20250305" not in json.dumps(bench.seen().json), str(bench.seen()))
    return f"offered: {', '.join(names)}"


@check(
    "dialect.thinking.history",
    "Thinking of earlier turns, signed by Claude or redacted, does not fail the request",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def thinking_history(bench: Bench) -> str:
    body = to_other(bench, thinking={"type": "adaptive"})
    past = [
        {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "ZGF0YQ=="},
        {"type": "text", "text": "Hello"},
    ]
    body["messages"] += [
        {"role": "assistant", "content": past},
        {"role": "user", "content": f"go on {bench.marker}"},
    ]
    expect("go on" in text_of(bench.answer(body)), "the last words were not answered")
    text = json.dumps(bench.seen().json)
    expect("c2ln" not in text and "ZGF0YQ==" not in text, f"signatures arrived: {bench.seen()}")
    return "answered; no signature arrived"


@check(
    "dialect.thinking.answer",
    "A model's reasoning comes as a thinking block before the text, streamed and not",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def thinking_answer(bench: Bench) -> str:
    body = to_other(bench, thinking={"type": "adaptive", "display": "updates"})
    bench.script(thinking="first this", text="then that")
    kinds = [block["type"] for block in bench.answer(body)["content"]]
    expect(kinds == ["thinking", "text"], f"blocks {kinds}")
    bench.script(thinking="first this", text="then that")
    blocks = sse.blocks(bench.stream(body))
    expect([block["type"] for block in blocks] == ["thinking", "text"], f"streamed blocks {blocks}")
    expect((blocks[0]["thinking"], blocks[1]["text"]) == ("first this", "then that"), f"streamed blocks {blocks}")
    return "thinking, then text"


@check(
    "dialect.effort",
    "`output_config.effort` reaches the model as `reasoning_effort`",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def effort(bench: Bench) -> str:
    body = to_other(bench, thinking={"type": "adaptive"}, output_config={"effort": "low"})
    bench.answer(body)
    arrived = bench.seen().json.get("reasoning_effort")
    expect(arrived == "low", f"reasoning_effort arrived as {arrived!r}")
    return "low"


@check(
    "dialect.structured",
    "`output_config.format` (Claude Code's titles) becomes a JSON schema for the model",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def structured(bench: Bench) -> str:
    body = to_other(bench, output_config={"format": {"type": "json_schema", "schema": SCHEMA}})
    said = text_of(bench.answer(body, headers=[("anthropic-beta", "structured-outputs-2025-12-15")]))
    wanted = bench.seen().json.get("response_format") or {}
    expect(wanted.get("type") == "json_schema", f"response_format arrived as {wanted}")
    expect("title" in json.loads(said), f"the answer is {said!r}")
    return said


@check(
    "dialect.max-tokens",
    "`max_tokens` above what the model gives is lowered to that: Claude Code asks for 32000 and more",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def max_tokens(bench: Bench) -> str:
    bench.answer(to_other(bench, max_tokens=128000))
    seen = bench.seen().json
    arrived = seen.get("max_completion_tokens") or seen.get("max_tokens") or 0
    expect(
        0 < arrived <= bench.options.max_output_tokens,
        f"{arrived} arrived, {bench.options.max_output_tokens} is the most",
    )
    return f"128000 became {arrived}"


@check(
    "dialect.usage",
    "Usage comes in `message_start` and `message_delta`, with cached tokens apart, as the server counted",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.API,
)
def usage(bench: Bench) -> str:
    counted = {"input": 1000, "cache_read": 200, "output": 50}
    bench.script(usage=counted)
    found = bench.stream(to_other(bench))
    start = sse.named(found, "message_start")["message"].get("usage") or {}
    expect(isinstance(start.get("input_tokens"), int) and "output_tokens" in start, f"message_start has {start}")
    last = {**start, **sse.named(found, "message_delta")["usage"]}
    given = (last.get("input_tokens"), last.get("cache_read_input_tokens"), last.get("output_tokens"))
    expect(given == (1000, 200, 50), f"start {start}, delta {last}: (1000, 200, 50) was counted")
    bench.script(usage=counted)
    whole = bench.answer(to_other(bench))["usage"]
    given = (whole.get("input_tokens"), whole.get("cache_read_input_tokens"), whole.get("output_tokens"))
    expect(given == (1000, 200, 50), f"the whole answer has {whole}")
    return "1000 input, 200 cached, 50 output"


@check(
    "dialect.stop-reasons",
    "`stop_reason` is Anthropic's word: `max_tokens` where the answer was cut, `end_turn` where it ended",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.API,
)
def stop_reasons(bench: Bench) -> str:
    cut = bench.answer(to_other(bench, "[[words 40]]", max_tokens=20))
    expect(cut["stop_reason"] == "max_tokens", f"stop_reason {cut['stop_reason']}")
    found = bench.stream(to_other(bench, "[[words 40]]", max_tokens=20))
    reason = sse.named(found, "message_delta")["delta"]
    expect(reason.get("stop_reason") == "max_tokens", f"the stream's stop_reason is {reason}")
    stopped = bench.answer(to_other(bench, stop_sequences=["hello"]))
    expect(stopped["stop_reason"] in ("end_turn", "stop_sequence"), f"stop_reason {stopped['stop_reason']}")
    expect("stop_sequence" in stopped, "no stop_sequence field")
    return f"max_tokens, max_tokens, {stopped['stop_reason']}"


@check("dialect.ids", "Messages have ids of their own, in Anthropic's form", Need.OTHER, source=Source.API)
def ids(bench: Bench) -> str:
    whole = bench.answer(to_other(bench))["id"]
    streamed = sse.named(bench.stream(to_other(bench)), "message_start")["message"]["id"]
    expect(str(whole).startswith("msg_") and str(streamed).startswith("msg_"), f"ids {whole}, {streamed}")
    expect(whole != streamed, f"one id for two messages: {whole}")
    return f"{whole}, {streamed}"


@check("dialect.unbuffered", "A translated stream is not held back", Need.OTHER, Need.UPSTREAM)
def unbuffered(bench: Bench) -> str:
    bench.script(chunk_delay=0.4, text="one two three four five six")
    found = bench.stream(to_other(bench))
    first = next(event.at for event in found if event.name == "content_block_delta")
    spread = found[-1].at - first
    expect(spread > 1.0, f"all text came within {spread:.2f} s, paced over 2.4 s")
    return f"text over {spread:.2f} s"


@check("dialect.pings", "In such a model's silence pings are sent too", Need.OTHER, Need.UPSTREAM)
def pings(bench: Bench) -> str:
    silence = bench.options.silence
    bench.script(chunk_delay=silence, text="a b")
    found = bench.stream(to_other(bench), timeout=silence * 3 + 20)
    count = sum(event.name == "ping" for event in found)
    expect(max(sse.gaps(found)) < silence * 0.9, f"{max(sse.gaps(found)):.1f} s of silence, {count} pings")
    return f"{count} pings, at most {max(sse.gaps(found)):.1f} s of silence"


CHECKS: Final = (
    answer,
    stream,
    main_loop,
    mid_system,
    fields,
    deferred,
    tools,
    tools_stream,
    tools_parallel,
    one_at_a_time,
    tool_names,
    is_error,
    tool_images,
    images,
    server_tools,
    thinking_history,
    thinking_answer,
    effort,
    structured,
    max_tokens,
    usage,
    stop_reasons,
    ids,
    unbuffered,
    pings,
)
