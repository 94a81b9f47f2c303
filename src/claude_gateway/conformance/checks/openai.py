"""Clients of OpenAI's formats: to a server of that format as they are, to a Claude model translated."""

import json
from typing import Any, Final

from claude_gateway.conformance import samples, sse
from claude_gateway.conformance.bench import Bench
from claude_gateway.conformance.check import check
from claude_gateway.conformance.checks.errors import WRONG
from claude_gateway.conformance.client import Reply
from claude_gateway.conformance.requirement import Need, Source, expect, shorten

CHAT: Final = "/v1/chat/completions"
RESPONSES: Final = "/v1/responses"
SCHEMA: Final = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
FUNCTION: Final = {"name": "lookup", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}
TOOL: Final = {"type": "function", "function": FUNCTION}


def _chunks(reply: Reply) -> list[dict[str, Any]]:
    """The chunks of a Chat Completions stream that ends as it should. Raises Failed."""
    expect(reply.status == 200, f"{reply}: 200 was expected")
    found = sse.events(reply.pieces)
    expect(found and found[-1].data == "[DONE]", f"{reply}: no [DONE] at the end")
    return [dict(event.json) for event in found[:-1]]


def _said(chunks: list[dict[str, Any]]) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def _error(reply: Reply, status: int) -> dict[str, Any]:
    """The error in OpenAI's envelope. Raises Failed."""
    document = reply.expect(status).json
    shaped = isinstance(document.get("error"), dict) and document.get("type") != "error"
    expect(shaped and document["error"].get("message"), f"{reply}: not OpenAI's error envelope")
    return dict(document["error"])


@check(
    "openai.chat",
    "Chat Completions to a server of that format: an answer with usage",
    Need.CHAT,
    Need.OTHER,
    source=Source.OPENAI,
)
def chat(bench: Bench) -> str:
    reply = bench.post(CHAT, bench.body(model=bench.models.other)).expect(200)
    choice = reply.json["choices"][0]
    expect(choice["message"]["content"] and choice["finish_reason"] == "stop", str(reply))
    expect(reply.json["usage"]["total_tokens"] > 0, str(reply))
    return f"{choice['finish_reason']}, {reply.json['usage']['total_tokens']} tokens"


@check(
    "openai.chat.exact",
    "Chat Completions to a server of that format: the body is relayed as it is, unknown fields too",
    Need.CHAT,
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def chat_exact(bench: Bench) -> str:
    sent = {**bench.body(model=bench.models.other), "not_invented_yet": {"a": [1.0]}, "seed": 7}
    bench.post(CHAT, sent).expect(200)
    arrived = dict(bench.seen().json)
    expect({**arrived, "model": sent["model"]} == sent, f"{bench.seen()}: sent {shorten(sent)}")
    return "every field arrived"


@check(
    "openai.chat.stream",
    "Chat Completions streamed: chunks to [DONE], not held back",
    Need.CHAT,
    Need.OTHER,
    Need.UPSTREAM,
    source=Source.OPENAI,
)
def chat_stream(bench: Bench) -> str:
    bench.script(chunk_delay=0.4, text="one two three four five six")
    reply = bench.post(CHAT, bench.body(model=bench.models.other, stream=True))
    expect(_said(_chunks(reply)) == "one two three four five six", f"said {_said(_chunks(reply))!r}")
    spread = reply.pieces[-1].at - reply.pieces[0].at
    expect(spread > 1.0, f"all came within {spread:.2f} s, paced over 2.4 s")
    return f"{len(reply.pieces)} pieces over {spread:.2f} s"


@check(
    "openai.chat.stream.usage",
    "`stream_options.include_usage` gives usage in the last chunk, also from a Claude model",
    Need.CHAT,
    Need.OTHER,
    source=Source.OPENAI,
)
def stream_usage(bench: Bench) -> str:
    given = []
    for model in (bench.models.other, bench.models.claude):
        body = bench.body(model=model, stream=True, stream_options={"include_usage": True})
        chunks = _chunks(bench.post(CHAT, body))
        usage = chunks[-1].get("usage") or {}
        expect(usage.get("total_tokens"), f"{model}: the last chunk is {chunks[-1]}")
        given.append(f"{model} {usage['total_tokens']}")
    return ", ".join(given)


@check(
    "openai.claude",
    "Chat Completions to a Claude model: an answer, whole and streamed",
    Need.CHAT,
    source=Source.PROJECT,
)
def claude(bench: Bench) -> str:
    reply = bench.post(CHAT, bench.body()).expect(200)
    choice = reply.json["choices"][0]
    expect(choice["message"]["content"] and choice["finish_reason"] == "stop", str(reply))
    chunks = _chunks(bench.post(CHAT, bench.body(stream=True)))
    expect(_said(chunks), "no text in the chunks")
    reasons = [
        c["choices"][0]["finish_reason"] for c in chunks if c["choices"] and c["choices"][0].get("finish_reason")
    ]
    expect(reasons == ["stop"], f"finish reasons {reasons}")
    return f"stop, {len(chunks)} chunks"


@check(
    "openai.claude.tools",
    "Tools of Chat Completions to a Claude model: the call, streamed and not, and the result",
    Need.CHAT,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def claude_tools(bench: Bench) -> str:
    body = bench.body(tools=[TOOL])
    bench.script(tools=[["lookup", {"a": "é"}]])
    reply = bench.post(CHAT, body).expect(200)
    message = reply.json["choices"][0]["message"]
    call = message["tool_calls"][0]
    expect(json.loads(call["function"]["arguments"]) == {"a": "é"}, str(reply))
    expect(reply.json["choices"][0]["finish_reason"] == "tool_calls", str(reply))
    bench.script(tools=[["lookup", {"a": "é"}]])
    chunks = _chunks(bench.post(CHAT, {**body, "stream": True}))
    parts = [part for chunk in chunks for c in chunk["choices"] for part in c["delta"].get("tool_calls") or []]
    streamed = "".join(part["function"].get("arguments") or "" for part in parts)
    expect(json.loads(streamed) == {"a": "é"}, f"streamed arguments {streamed!r}")
    bench.upstream.script()
    body["messages"] += [message, {"role": "tool", "tool_call_id": call["id"], "content": "found"}]
    said = bench.post(CHAT, body).expect(200).json["choices"][0]["message"]["content"]
    expect("found" in said, f"the result did not arrive: {said!r}")
    return "called, streamed and answered"


@check(
    "openai.claude.fields",
    "System prompt, image, JSON schema and `reasoning_effort` of Chat Completions reach a Claude model in its words",
    Need.CHAT,
    Need.UPSTREAM,
    source=Source.PROJECT,
)
def claude_fields(bench: Bench) -> str:
    url = f"data:image/png;base64,{samples.PIXEL}"
    parts = [{"type": "text", "text": bench.marker}, {"type": "image_url", "image_url": {"url": url}}]
    body: dict[str, Any] = {
        "model": bench.models.claude,
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": parts}],
        "reasoning_effort": "low",
    }
    bench.post(CHAT, body).expect(200)
    seen = bench.seen().json
    expect("Be kind." in json.dumps(seen.get("system")), f"system arrived as {seen.get('system')}")
    expect(samples.PIXEL in json.dumps(seen["messages"]), "the image did not arrive")
    expect(seen.get("thinking") or seen.get("output_config"), f"reasoning_effort arrived as nothing: {sorted(seen)}")
    expect(seen.get("max_tokens"), "no max_tokens, which Anthropic needs")
    wanted = {"type": "json_schema", "json_schema": {"name": "title", "schema": SCHEMA, "strict": True}}
    reply = bench.post(CHAT, bench.body(response_format=wanted)).expect(200)
    said = reply.json["choices"][0]["message"]["content"]
    expect("title" in json.loads(said), f"the answer is {said!r}")
    return "system, image, effort and schema"


@check(
    "openai.claude.usage",
    "Usage of a Claude model in OpenAI's words: cached tokens are part of the prompt, and reported",
    Need.CHAT,
    Need.UPSTREAM,
    source=Source.OPENAI,
)
def claude_usage(bench: Bench) -> str:
    bench.script(usage={"input": 1000, "cache_read": 200, "cache_write": 0, "output": 50})
    usage = bench.post(CHAT, bench.body()).expect(200).json["usage"]
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    given = (usage["prompt_tokens"], cached, usage["completion_tokens"], usage["total_tokens"])
    expect(given == (1200, 200, 50, 1250), f"usage {usage}")
    return "1200 prompt, 200 of them cached, 50 completion"


@check("openai.errors.key", "An unknown key: 401 in OpenAI's envelope", Need.CHAT, Need.KEYS, source=Source.OPENAI)
def error_key(bench: Bench) -> str:
    reply = bench.post(CHAT, bench.body(), auth=[("authorization", f"Bearer {WRONG}")])
    return f"{_error(reply, 401).get('code')}: {reply}"


@check(
    "openai.errors.model", "An unknown model: 404 in OpenAI's envelope", Need.CHAT, Need.UNKNOWN, source=Source.OPENAI
)
def error_model(bench: Bench) -> str:
    reply = bench.post(CHAT, bench.body(model="no-such-model-at-all"))
    return f"{_error(reply, 404).get('code')}: {reply}"


@check(
    "openai.errors.upstream",
    "Errors of a Claude model's upstream in OpenAI's envelope: status, wording and `retry-after` kept",
    Need.CHAT,
    Need.UPSTREAM,
    source=Source.OPENAI,
)
def error_upstream(bench: Bench) -> str:
    bench.script(status=429, error_type="rate_limit_error", headers={"retry-after": "17"})
    reply = bench.post(CHAT, bench.body(), timeout=60)
    _error(reply, 429)
    expect(reply.header("retry-after") == "17", f"{reply}: retry-after {reply.header('retry-after')!r}")
    bench.script(status=400, error_type="invalid_request_error", error_message="tools.0: odd words")
    reply = bench.post(CHAT, bench.body(), timeout=60)
    expect("odd words" in _error(reply, 400)["message"], str(reply))
    return str(reply)


@check(
    "openai.responses",
    "Responses to a Claude model and to another: an answer",
    Need.RESPONSES,
    Need.OTHER,
    source=Source.OPENAI,
)
def responses(bench: Bench) -> str:
    for model in (bench.models.other, bench.models.claude):
        reply = bench.post(RESPONSES, {"model": model, "input": f"Say hello {bench.marker}"}).expect(200)
        texts = [p["text"] for item in reply.json["output"] for p in item.get("content") or [] if p.get("text")]
        expect(texts and reply.json["status"] == "completed", str(reply))
    return "completed, by both"


@check(
    "openai.responses.stream",
    "Responses streamed, by a Claude model and another: events from response.created to response.completed with usage",
    Need.RESPONSES,
    Need.OTHER,
    source=Source.OPENAI,
)
def responses_stream(bench: Bench) -> str:
    for model in (bench.models.other, bench.models.claude):
        body = {"model": model, "input": f"Say hello {bench.marker}", "stream": True}
        found = [e for e in sse.events(bench.post(RESPONSES, body).expect(200).pieces) if e.data != "[DONE]"]
        kinds = [event.json["type"] for event in found]
        expect(kinds[0] == "response.created" and kinds[-1] == "response.completed", f"{model}: {kinds}")
        expect("response.output_text.delta" in kinds, f"{model}: {kinds}")
        usage = found[-1].json["response"].get("usage") or {}
        expect(usage.get("total_tokens"), f"{model}: usage {usage}")
    return f"{len(found)} events"


@check("openai.embeddings", "Embeddings", Need.EMBEDDINGS, source=Source.OPENAI)
def embeddings(bench: Bench) -> str:
    body = {"model": bench.models.embedding, "input": ["one", "two"]}
    data = bench.post("/v1/embeddings", body).expect(200).json["data"]
    expect(len(data) == 2 and data[0]["embedding"], f"{len(data)} vectors")
    return f"2 vectors of {len(data[0]['embedding'])}"


CHECKS: Final = (
    chat,
    chat_exact,
    chat_stream,
    stream_usage,
    claude,
    claude_tools,
    claude_fields,
    claude_usage,
    error_key,
    error_model,
    error_upstream,
    responses,
    responses_stream,
    embeddings,
)
