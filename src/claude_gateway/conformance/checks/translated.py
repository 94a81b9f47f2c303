"""Errors of a model that is not Claude, said so that Claude Code understands them; and models of other kinds."""

import json
from typing import Any, Final

from claude_gateway.conformance import samples, sse
from claude_gateway.conformance.bench import Bench, text_of, tools_of
from claude_gateway.conformance.check import check
from claude_gateway.conformance.checks.dialect import to_other
from claude_gateway.conformance.checks.envelope import error_of, expect_error
from claude_gateway.conformance.client import Reply
from claude_gateway.conformance.requirement import Need, Source, expect

OVERFLOW: Final = {
    "error": {
        "message": "This model's maximum context length is 8192 tokens. However, your messages resulted in 9123 "
        "tokens. Please reduce the length of the messages.",
        "type": "invalid_request_error",
        "param": "messages",
        "code": "context_length_exceeded",
    }
}


def _failing(bench: Bench, *, stream: bool = False, **step: Any) -> Reply:
    bench.script(**step)
    return bench.messages({**to_other(bench), "stream": stream}, timeout=60)


@check(
    "translated.overflow",
    "A context overflow is said as `prompt is too long: A tokens > B maximum`, by which Claude Code compacts",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def overflow(bench: Bench) -> str:
    for stream in (False, True):
        reply = _failing(bench, stream=stream, status=400, raw=[json.dumps(OVERFLOW)])
        error = error_of(reply.expect(400))
        expect(error["type"] == "invalid_request_error", str(reply))
        expect("prompt is too long: 9123 tokens > 8192 maximum" in error["message"], str(reply))
    return str(reply)


@check("translated.400", "Other 400 keep status, type and wording", Need.OTHER, Need.UPSTREAM, source=Source.MEASURED)
def bad_request(bench: Bench) -> str:
    said = "Unsupported value: temperature"
    reply = _failing(bench, status=400, error_type="invalid_request_error", error_message=said)
    error = error_of(reply.expect(400))
    expect(error["type"] == "invalid_request_error" and said in error["message"], str(reply))
    return str(reply)


@check("translated.429", "429 keeps its `retry-after` and is `rate_limit_error`", Need.OTHER, Need.UPSTREAM)
def rate_limit(bench: Bench) -> str:
    for stream in (False, True):
        reply = _failing(bench, stream=stream, status=429, headers={"retry-after": "17"})
        evidence = expect_error(reply, 429, "rate_limit_error")
        expect(reply.header("retry-after") == "17", f"{reply}: retry-after {reply.header('retry-after')!r}")
    return f"{evidence}, retry-after: 17"


@check("translated.5xx", "500 and 503 stay server errors in the envelope, for streams too", Need.OTHER, Need.UPSTREAM)
def server_errors(bench: Bench) -> str:
    for status in (500, 503):
        for stream in (False, True):
            reply = _failing(bench, stream=stream, status=status)
            expect(reply.status >= 500, f"{reply}: a server error was expected")
            error_of(reply)
    return str(reply)


@check(
    "translated.hidden",
    "401 and 403 on the gateway's own credential never reach the client",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def hidden(bench: Bench) -> str:
    for status in (401, 403):
        for stream in (False, True):
            reply = _failing(bench, stream=stream, status=status, error_message="Incorrect API key provided")
            expect(reply.status in (502, 503, 529), f"{reply}: 502, 503 or 529 was expected for {status}")
            error_of(reply)
    return str(reply)


@check(
    "translated.midstream",
    "An error in the middle of a stream is an `error` event or a broken stream, not an end as if all were well",
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.MEASURED,
)
def midstream(bench: Bench) -> str:
    seen = []
    for defect in ("error", "drop"):
        reply = _failing(bench, stream=True, midstream=defect, midstream_after=2, text="one two three", chunk_delay=0.1)
        events = sse.events(reply.expect(200).pieces)
        names = [event.name for event in events]
        expect("message_stop" not in names, f"after {defect}: ends as if it were whole")
        expect("error" in names or not reply.complete, f"after {defect}: a clean end without message_stop: {names}")
        errors = [event.json for event in events if event.name == "error"]
        expect(all(error.get("type") == "error" and error["error"].get("type") for error in errors), f"{errors}")
        seen.append(f"{defect}: {'error event' if errors else 'broken off'}")
    return ", ".join(seen)


@check("gemini.answer", "A Gemini model answers Messages, whole and streamed", Need.GEMINI, source=Source.PROJECT)
def gemini_answer(bench: Bench) -> str:
    body = bench.body(model=bench.models.gemini)
    expect(text_of(bench.answer(body)), "no text in the message")
    expect(sse.text(bench.stream(body)), "no text in the stream")
    return "a message, and a stream"


@check(
    "gemini.main-loop",
    "A whole request of Claude Code's main loop is answered by a Gemini model",
    Need.GEMINI,
    source=Source.PROJECT,
)
def gemini_main_loop(bench: Bench) -> str:
    body = samples.main_loop(bench.models.gemini, f"Say hello {bench.marker}")
    found = bench.stream(body, headers=samples.HEADERS)
    expect(bench.marker in sse.text(found), f"the answer is not to the user's words: {sse.text(found)!r}")
    return f"{len(found)} events"


@check(
    "gemini.tools",
    "A tool call and its result go to a Gemini model and back",
    Need.GEMINI,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def gemini_tools(bench: Bench) -> str:
    body = bench.body(model=bench.models.gemini, tools=[samples.BASH])
    bench.script(tools=[["Bash", {"command": "ls"}]])
    message = bench.answer(body)
    made = tools_of(message)
    expect(made and made[0]["input"] == {"command": "ls"}, f"the call came as {message['content']}")
    expect(message["stop_reason"] == "tool_use", f"stop_reason {message['stop_reason']}")
    bench.upstream.script()
    result = {"type": "tool_result", "tool_use_id": made[0]["id"], "content": "a file"}
    body["messages"] += [{"role": "assistant", "content": message["content"]}, {"role": "user", "content": [result]}]
    expect("a file" in text_of(bench.answer(body)), "the result did not arrive")
    return "called and answered"


@check(
    "responses-only.messages",
    "A model that only speaks Responses answers Messages, whole and streamed",
    Need.RESPONSES_MODEL,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def responses_messages(bench: Bench) -> str:
    body = bench.body(model=bench.models.responses)
    expect(text_of(bench.answer(body)), "no text in the message")
    expect(bench.seen().path.endswith("/responses"), str(bench.seen()))
    expect(sse.text(bench.stream(body)), "no text in the stream")
    return f"{bench.seen().path}, whole and streamed"


@check(
    "responses-only.tools",
    "Tool calls of such a model come as tool_use blocks",
    Need.RESPONSES_MODEL,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def responses_tools(bench: Bench) -> str:
    bench.script(tools=[["Bash", {"command": "ls"}]])
    message = bench.answer(bench.body(model=bench.models.responses, tools=[samples.BASH]))
    made = tools_of(message)
    expect(made and made[0]["input"] == {"command": "ls"}, f"the call came as {message['content']}")
    expect(message["stop_reason"] == "tool_use", f"stop_reason {message['stop_reason']}")
    return "called"


@check(
    "responses-only.chat",
    "A model that only speaks Responses answers Chat Completions, whole and streamed",
    Need.RESPONSES_MODEL,
    Need.CHAT,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def responses_chat(bench: Bench) -> str:
    body = bench.body(model=bench.models.responses)
    reply = bench.post("/v1/chat/completions", body).expect(200)
    expect(reply.json["choices"][0]["message"]["content"], str(reply))
    expect(bench.seen().path.endswith("/responses"), str(bench.seen()))
    streamed = bench.post("/v1/chat/completions", {**body, "stream": True}).expect(200)
    expect(b"[DONE]" in streamed.body, str(streamed))
    return "whole and streamed"


CHECKS: Final = (
    overflow,
    bad_request,
    rate_limit,
    server_errors,
    hidden,
    midstream,
    gemini_answer,
    gemini_main_loop,
    gemini_tools,
    responses_messages,
    responses_tools,
    responses_chat,
)
