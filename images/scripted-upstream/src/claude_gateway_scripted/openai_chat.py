"""OpenAI Chat Completions and Completions; reasoning as vLLM and others send it, in ``reasoning_content``."""

from collections.abc import Iterator
from typing import Any, Final

from claude_gateway_scripted.answer import Answer, Usage, pieces
from claude_gateway_scripted.formats import Chunk, Failure, Format, Stamp, sse
from claude_gateway_scripted.prompt import InvalidRequestError, Prompt, Reader, messages_of, model_of, text_of
from claude_gateway_scripted.script import Json

_DONE: Final = Chunk(b"data: [DONE]\n\n")
_ROLES: Final = ("system", "developer", "user", "assistant", "tool", "function")
_FINISH: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_ERROR_TYPES: Final = {429: "requests", 500: "server_error", 502: "server_error", 503: "server_error"}
_ERROR_CODES: Final = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


def read(body: Json) -> Prompt:
    """Read a Chat Completions request. Raises InvalidRequestError where OpenAI answers 400."""
    _refuse_several(body)
    reader = Reader()
    for message in messages_of(body):
        _read_message(message, reader)
    functions = [tool.get("function") or {} for tool in body.get("tools") or []]
    tools = {str(function.get("name")): function.get("parameters") or {} for function in functions}
    wanted = body.get("response_format") or {}
    schema = (wanted.get("json_schema") or {}).get("schema") if wanted.get("type") == "json_schema" else None
    return Prompt(
        model=model_of(body),
        stream=body.get("stream") is True,
        text=reader.text,
        results=tuple(reader.results),
        tools=tools,
        forced=_forced(body.get("tool_choice"), tools),
        parallel=body.get("parallel_tool_calls") is not False,
        thinks=True,
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        stops=_stops(body),
        schema=schema,
        usage_in_stream=_usage_wanted(body),
    )


def read_completion(body: Json) -> Prompt:
    """Read a Completions request. Raises InvalidRequestError where OpenAI answers 400."""
    _refuse_several(body)
    prompt = body.get("prompt")
    text = prompt[-1] if isinstance(prompt, list) and prompt else prompt
    if not isinstance(text, str):
        raise InvalidRequestError("prompt: a string is required")
    return Prompt(
        model=model_of(body),
        stream=body.get("stream") is True,
        text=text.strip(),
        max_tokens=body.get("max_tokens"),
        stops=_stops(body),
        usage_in_stream=_usage_wanted(body),
    )


def _read_message(message: Json, reader: Reader) -> None:
    role, content = message.get("role"), message.get("content")
    if role not in _ROLES:
        raise InvalidRequestError(f"messages: Invalid value {role!r} for role")
    if role == "assistant":
        for call in message.get("tool_calls") or []:
            reader.called(call.get("id"))
    elif role == "user":
        reader.user_turn(text_of(content), [])
    elif role == "tool":
        reader.user_turn([], [(str(message.get("tool_call_id")), "\n".join(text_of(content)))])


def _forced(choice: Any, tools: dict[str, Json]) -> str | None:
    if isinstance(choice, dict):
        return str((choice.get("function") or {}).get("name"))
    # "any" is Mistral's word.
    return next(iter(tools), None) if choice in ("required", "any") else None


def _refuse_several(body: Json) -> None:
    if body.get("n") not in (None, 1):
        raise InvalidRequestError("n: the scripted model returns one choice")


def _stops(body: Json) -> tuple[str, ...]:
    stop = body.get("stop")
    return (stop,) if isinstance(stop, str) else tuple(stop or ())


def _usage_wanted(body: Json) -> bool:
    return bool((body.get("stream_options") or {}).get("include_usage"))


def document(answer: Answer, stamp: Stamp) -> Json:
    """Return the answer as one chat completion."""
    message: Json = {"role": "assistant", "content": answer.text or None, "refusal": None, "annotations": []}
    if answer.thinking is not None:
        message["reasoning_content"] = answer.thinking
    if answer.tools:
        message["tool_calls"] = [
            {"id": f"call_{call.id}", "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in answer.tools
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(answer)}
    return {**_head(answer, stamp, "chat.completion"), "choices": [choice], "usage": _usage(answer.usage)}


def events(answer: Answer, prompt: Prompt, stamp: Stamp) -> Iterator[Chunk]:
    """Yield the answer as a stream; with ``include_usage`` every chunk has ``usage``, null but in the last."""
    head = _head(answer, stamp, "chat.completion.chunk")
    extra = {"usage": None} if prompt.usage_in_stream else {}

    def chunk(delta: Json, *, finish: str | None = None, content: bool = False) -> Chunk:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return Chunk(sse({**head, "choices": [choice], **extra}), content=content)

    yield chunk({"role": "assistant", "content": None if answer.tools and not answer.text else "", "refusal": None})
    for piece in pieces(answer.thinking or ""):
        yield chunk({"reasoning_content": piece}, content=True)
    for piece in pieces(answer.text):
        yield chunk({"content": piece}, content=True)
    for index, call in enumerate(answer.tools):
        function = {"name": call.name, "arguments": ""}
        yield chunk(
            {"tool_calls": [{"index": index, "id": f"call_{call.id}", "type": "function", "function": function}]}
        )
        for piece in pieces(call.arguments, size=12):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, content=True)
    yield chunk({}, finish=_finish(answer))
    if prompt.usage_in_stream:
        yield Chunk(sse({**head, "choices": [], "usage": _usage(answer.usage)}))
    yield _DONE


def completion_document(answer: Answer, stamp: Stamp) -> Json:
    """Return the answer as one text completion."""
    choice = {"text": answer.text, "index": 0, "logprobs": None, "finish_reason": _finish(answer)}
    return {**_head(answer, stamp, "text_completion"), "choices": [choice], "usage": _usage(answer.usage)}


def completion_events(answer: Answer, prompt: Prompt, stamp: Stamp) -> Iterator[Chunk]:
    """Yield the answer as a stream of text completions."""
    head = _head(answer, stamp, "text_completion")
    for piece in pieces(answer.text):
        choice = {"text": piece, "index": 0, "logprobs": None, "finish_reason": None}
        yield Chunk(sse({**head, "choices": [choice]}), content=True)
    last = {"text": "", "index": 0, "logprobs": None, "finish_reason": _finish(answer)}
    yield Chunk(sse({**head, "choices": [last]}))
    if prompt.usage_in_stream:
        yield Chunk(sse({**head, "choices": [], "usage": _usage(answer.usage)}))
    yield _DONE


def failure(failed: Failure, _: Stamp) -> Json:
    """Return the error envelope."""
    return {
        "error": {
            "message": failed.message,
            "type": failed.type or _ERROR_TYPES.get(failed.status, "invalid_request_error"),
            "param": None,
            "code": failed.code or _ERROR_CODES.get(failed.status),
        }
    }


def midstream(failed: Failure, _: int) -> bytes:
    """Return the event that ends a stream which had begun well; no ``[DONE]`` follows it."""
    error = {"message": failed.message, "type": failed.type or "server_error", "param": None, "code": None}
    return sse({"error": error})


def headers(stamp: Stamp) -> dict[str, str]:
    """Return the headers that come with every answer."""
    return {"x-request-id": f"req_{stamp.id}", "openai-version": "2020-10-01", "openai-processing-ms": "1"}


def model_list(ids: tuple[str, ...]) -> Json:
    """Return the models in OpenAI's list shape."""
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 1767225600, "owned_by": "scripted"} for name in ids],
    }


CHAT: Final = Format(read=read, document=document, events=events, failure=failure, midstream=midstream, headers=headers)
COMPLETIONS: Final = Format(
    read=read_completion,
    document=completion_document,
    events=completion_events,
    failure=failure,
    midstream=midstream,
    headers=headers,
)


def _head(answer: Answer, stamp: Stamp, kind: str) -> Json:
    prefix = "cmpl" if kind == "text_completion" else "chatcmpl"
    return {
        "id": f"{prefix}-{stamp.id}",
        "object": kind,
        "created": stamp.created,
        "model": answer.model,
        "system_fingerprint": "fp_scripted",
    }


def _finish(answer: Answer) -> str:
    return _FINISH.get(answer.stop_reason, answer.stop_reason)


def _usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.output,
        "total_tokens": usage.total,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": 0},
    }
