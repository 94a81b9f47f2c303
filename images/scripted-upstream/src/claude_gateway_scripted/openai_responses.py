"""OpenAI Responses: items, and the numbered events in the order in which OpenAI sends them."""

import itertools
from collections.abc import Iterator
from typing import Any, Final

from claude_gateway_scripted.answer import Answer, ToolCall, Usage, estimate, pieces
from claude_gateway_scripted.formats import Chunk, Failure, Format, Stamp, sse
from claude_gateway_scripted.openai_chat import failure, headers
from claude_gateway_scripted.prompt import InvalidRequestError, Prompt, Reader, model_of, text_of
from claude_gateway_scripted.script import Json

_TEXTS: Final = ("input_text", "output_text", "text")


def read(body: Json) -> Prompt:
    """Read a Responses request. Raises InvalidRequestError where OpenAI answers 400."""
    reader = Reader()
    given = body.get("input")
    if isinstance(given, str):
        reader.user_turn([given], [])
    elif isinstance(given, list) and given and all(isinstance(item, dict) for item in given):
        for item in given:
            _read_item(item, reader, stored=bool(body.get("previous_response_id")))
    else:
        raise InvalidRequestError("input: a string or a list of items is required")
    tools = {
        str(tool.get("name")): tool.get("parameters") or {}
        for tool in body.get("tools") or []
        if tool.get("type") == "function"
    }
    wanted = (body.get("text") or {}).get("format") or {}
    return Prompt(
        model=model_of(body),
        stream=body.get("stream") is True,
        text=reader.text,
        results=tuple(reader.results),
        tools=tools,
        forced=_forced(body.get("tool_choice"), tools),
        parallel=body.get("parallel_tool_calls") is not False,
        thinks=True,
        max_tokens=body.get("max_output_tokens"),
        schema=wanted.get("schema") if wanted.get("type") == "json_schema" else None,
    )


def count(body: Json, *, size: int) -> Json:
    """Answer a request to count input tokens. Raises InvalidRequestError where OpenAI answers 400."""
    read(body)
    return {"object": "response.input_tokens", "input_tokens": estimate(size)}


def _read_item(item: Json, reader: Reader, *, stored: bool) -> None:
    match item.get("type", "message"):
        case "message":
            if item.get("role") == "user":
                reader.user_turn(text_of(item.get("content"), kinds=_TEXTS), [])
        case "function_call":
            reader.called(item.get("call_id"))
        case "function_call_output":
            call_id = str(item.get("call_id"))
            if stored:
                # The call is in the response that the vendor keeps; nothing is kept here.
                reader.called(call_id)
            reader.user_turn([], [(call_id, "\n".join(text_of(item.get("output"), kinds=_TEXTS)))])


def _forced(choice: Any, tools: dict[str, Json]) -> str | None:
    if isinstance(choice, dict):
        return str(choice.get("name"))
    return next(iter(tools), None) if choice == "required" else None


def document(answer: Answer, stamp: Stamp) -> Json:
    """Return the answer as one response."""
    return _response(answer, stamp, output=_output(answer, stamp))


def events(answer: Answer, _: Prompt, stamp: Stamp) -> Iterator[Chunk]:
    """Yield the answer as a stream."""
    numbers = itertools.count()

    def chunk(kind: str, *, content: bool = False, **values: Any) -> Chunk:
        return Chunk(sse({"type": kind, "sequence_number": next(numbers), **values}, event=kind), content=content)

    begun = _response(answer, stamp, output=[], status="in_progress")
    yield chunk("response.created", response=begun)
    yield chunk("response.in_progress", response=begun)
    output = _output(answer, stamp)
    for index, item in enumerate(output):
        opened = {**item, "status": "in_progress", **_emptied(item)}
        yield chunk("response.output_item.added", output_index=index, item=opened)
        for kind, content, values in _parts(item):
            yield chunk(kind, content=content, item_id=item["id"], output_index=index, **values)
        yield chunk("response.output_item.done", output_index=index, item=item)
    response = _response(answer, stamp, output=output)
    yield chunk(f"response.{response['status']}", response=response)


def _parts(item: Json) -> Iterator[tuple[str, bool, Json]]:
    """Yield the events inside an item: type, whether it is content, values."""
    if item["type"] == "reasoning":
        yield from _text_parts("reasoning_summary", item["summary"][0], {"summary_index": 0})
    elif item["type"] == "message":
        yield from _text_parts("content", item["content"][0], {"content_index": 0})
    else:
        for piece in pieces(item["arguments"], size=12):
            yield "response.function_call_arguments.delta", True, {"delta": piece}
        yield "response.function_call_arguments.done", False, {"arguments": item["arguments"], "name": item["name"]}


def _text_parts(kind: str, part: Json, place: Json) -> Iterator[tuple[str, bool, Json]]:
    text = "response.output_text" if kind == "content" else "response.reasoning_summary_text"
    more: Json = {"logprobs": []} if kind == "content" else {}
    yield f"response.{kind}_part.added", False, {**place, "part": {**part, "text": ""}}
    for piece in pieces(part["text"]):
        yield f"{text}.delta", True, {**place, "delta": piece, **more}
    yield f"{text}.done", False, {**place, "text": part["text"], **more}
    yield f"response.{kind}_part.done", False, {**place, "part": part}


def _emptied(item: Json) -> Json:
    """Return the parts of an item that are still empty when it is announced."""
    return {key: empty for key, empty in (("content", []), ("summary", []), ("arguments", "")) if key in item}


def _output(answer: Answer, stamp: Stamp) -> list[Json]:
    items: list[Json] = []
    if answer.thinking is not None:
        summary = [{"type": "summary_text", "text": answer.thinking}]
        items.append({"id": f"rs_{stamp.id}", "type": "reasoning", "summary": summary})
    if answer.text or not answer.tools:
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": answer.text}
        items.append(
            {"id": f"msg_{stamp.id}", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
        )
    return items + [_call(call) for call in answer.tools]


def _call(call: ToolCall) -> Json:
    return {
        "id": f"fc_{call.id}",
        "type": "function_call",
        "status": "completed",
        "call_id": f"call_{call.id}",
        "name": call.name,
        "arguments": call.arguments,
    }


def _response(answer: Answer, stamp: Stamp, *, output: list[Json], status: str | None = None) -> Json:
    cut = answer.stop_reason == "max_tokens" and status is None
    return {
        "id": f"resp_{stamp.id}",
        "object": "response",
        "created_at": stamp.created,
        "status": status or ("incomplete" if cut else "completed"),
        "background": False,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "model": answer.model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None if status else _usage(answer.usage),
        "user": None,
    }


def midstream(failed: Failure, number: int) -> bytes:
    """Return the event that ends a stream which had begun well."""
    error = {"type": "error", "code": failed.type or "server_error", "message": failed.message, "param": None}
    return sse({**error, "sequence_number": number}, event="error")


RESPONSES: Final = Format(
    read=read, document=document, events=events, failure=failure, midstream=midstream, headers=headers
)


def _usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cache_read},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }
