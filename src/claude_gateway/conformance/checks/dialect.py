"""What Claude Code sends, towards a model behind an OpenAI-compatible server: said in its words, or left out."""

import json
from typing import Any, Final

from claude_gateway.conformance import samples, sse
from claude_gateway.conformance.bench import Bench, text_of
from claude_gateway.conformance.check import check
from claude_gateway.conformance.requirement import Need, Source, expect, shorten
from claude_gateway.conformance.upstream import Seen

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
    """A Messages body for the model that is not Claude."""
    return bench.body(text, model=bench.models.other, **fields)


def offered(seen: Seen) -> list[str]:
    """Names of the functions that the server was offered."""
    return [tool.get("function", tool).get("name", "") for tool in seen.json.get("tools") or []]


@check(
    "dialect.answer",
    "A Messages request to a model that is not Claude returns a message",
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
    names = offered(bench.seen())
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
