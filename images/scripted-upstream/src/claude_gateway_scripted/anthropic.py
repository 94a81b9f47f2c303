"""Anthropic Messages: shapes and event order as api.anthropic.com documents and sends them."""

from collections.abc import Iterator
from typing import Any, Final

from claude_gateway_scripted.answer import Answer, Usage, estimate, pieces
from claude_gateway_scripted.formats import Chunk, Failure, Format, Stamp, sse
from claude_gateway_scripted.prompt import InvalidRequestError, Prompt, Reader, messages_of, model_of, text_of
from claude_gateway_scripted.script import Json

SIGNATURE: Final = "c2NyaXB0ZWQtc2lnbmF0dXJl"

_ERROR_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def read(body: Json) -> Prompt:
    """Read a Messages request. Raises InvalidRequestError where Anthropic answers 400."""
    limit = body.get("max_tokens")
    if not isinstance(limit, int) or limit < 1:
        raise InvalidRequestError("max_tokens: Field required")
    return _prompt(body, max_tokens=limit)


def count(body: Json, *, size: int) -> Json:
    """Answer a count_tokens request. Raises InvalidRequestError where Anthropic answers 400."""
    _prompt(body, max_tokens=None)
    return {"input_tokens": estimate(size)}


def _prompt(body: Json, *, max_tokens: int | None) -> Prompt:
    reader = Reader()
    for message in messages_of(body):
        _read_message(message, reader)
    thinking = body.get("thinking") or {}
    choice = body.get("tool_choice") or {}
    tools = {str(tool.get("name")): tool.get("input_schema") or {} for tool in body.get("tools") or []}
    output_format = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    return Prompt(
        model=model_of(body),
        stream=body.get("stream") is True,
        text=reader.text,
        results=tuple(reader.results),
        tools=tools,
        forced=_forced(choice, tools),
        parallel=not choice.get("disable_parallel_tool_use", False),
        thinks=thinking.get("type", "disabled") != "disabled",
        shows_thinking=thinking.get("display") != "omitted",
        max_tokens=max_tokens,
        stops=tuple(body.get("stop_sequences") or ()),
        schema=output_format.get("schema") if output_format.get("type") == "json_schema" else None,
        safeguards=bool(body.get("safeguards")),
    )


def _read_message(message: Json, reader: Reader) -> None:
    role, content = message.get("role"), message.get("content")
    # Claude Code sends system messages in the middle of a conversation; they are not what the user said.
    if role not in ("user", "assistant", "system"):
        raise InvalidRequestError(f"messages: Unexpected role {role!r}")
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    if role == "assistant":
        for block in blocks:
            if block.get("type") == "tool_use":
                reader.called(block.get("id"))
    elif role == "user":
        results = [
            (str(block.get("tool_use_id")), "\n".join(text_of(block.get("content"))))
            for block in blocks
            if block.get("type") == "tool_result"
        ]
        reader.user_turn(text_of(content), results)


def _forced(choice: Json, tools: dict[str, Json]) -> str | None:
    if choice.get("type") == "tool":
        return str(choice.get("name"))
    return next(iter(tools), None) if choice.get("type") == "any" else None


def document(answer: Answer, stamp: Stamp) -> Json:
    """Return the answer as one message."""
    content: list[Json] = []
    if answer.thinking is not None:
        content.append({"type": "thinking", "thinking": answer.thinking, "signature": SIGNATURE})
    if answer.text or not answer.tools:
        content.append({"type": "text", "text": answer.text})
    content += [
        {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name, "input": call.input} for call in answer.tools
    ]
    return {**_message(answer, stamp), "content": content, **_stop(answer), "usage": _usage(answer.usage)}


def events(answer: Answer, prompt: Prompt, stamp: Stamp) -> Iterator[Chunk]:
    """Yield the answer as a stream: the first block opens before the first ping, as upstream."""
    start = {**_message(answer, stamp), "content": [], "stop_reason": None, "stop_sequence": None}
    yield _chunk("message_start", message={**start, "usage": {**_usage(answer.usage), "output_tokens": 1}})
    blocks = _blocks(answer, prompt)
    for index, (block, deltas) in enumerate(blocks):
        yield _chunk("content_block_start", index=index, content_block=block)
        if index == 0:
            yield _chunk("ping")
        for delta in deltas:
            yield Chunk(_event("content_block_delta", index=index, delta=delta), content=True)
        yield _chunk("content_block_stop", index=index)
    end = _stop(answer)
    if answer.safeguards is not None:
        end["safeguard_results"] = [_verdicts(answer)]
    yield _chunk("message_delta", delta=end, usage=_usage(answer.usage))
    yield _chunk("message_stop")


def _blocks(answer: Answer, prompt: Prompt) -> list[tuple[Json, list[Json]]]:
    """Yield each content block as it opens, and its deltas."""
    blocks: list[tuple[Json, list[Json]]] = []
    if answer.thinking is not None:
        shown = answer.thinking if prompt.shows_thinking else ""
        deltas: list[Json] = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(shown)]
        deltas.append({"type": "signature_delta", "signature": SIGNATURE})
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, deltas))
    if answer.text or not answer.tools:
        blocks.append(
            ({"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces(answer.text)])
        )
    for call in answer.tools:
        parts = ["", *pieces(call.arguments, size=12)]
        blocks.append(
            (
                {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name, "input": {}},
                [{"type": "input_json_delta", "partial_json": part} for part in parts],
            )
        )
    return blocks


def failure(failed: Failure, stamp: Stamp) -> Json:
    """Return the error envelope."""
    error = {"type": failed.type or _ERROR_TYPES.get(failed.status, "api_error"), "message": failed.message}
    return {"type": "error", "error": error, "request_id": f"req_{stamp.id}"}


def midstream(failed: Failure, _: int) -> bytes:
    """Return the event that ends a stream which had begun well."""
    return _event("error", error={"type": failed.type or "overloaded_error", "message": failed.message})


def headers(stamp: Stamp) -> dict[str, str]:
    """Return the headers that come with every answer."""
    return {
        "request-id": f"req_{stamp.id}",
        "anthropic-organization-id": "00000000-0000-4000-8000-000000000000",
        "anthropic-ratelimit-requests-limit": "4000",
        "anthropic-ratelimit-requests-remaining": "3999",
    }


def model_list(ids: tuple[str, ...]) -> Json:
    """Return the models in Anthropic's list shape."""
    data = [
        {"type": "model", "id": name, "display_name": f"{name} (scripted)", "created_at": "2026-01-01T00:00:00Z"}
        for name in ids
    ]
    return {"data": data, "has_more": False, "first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None}


MESSAGES: Final = Format(
    read=read, document=document, events=events, failure=failure, midstream=midstream, headers=headers
)


def _message(answer: Answer, stamp: Stamp) -> Json:
    return {"id": f"msg_{stamp.id}", "type": "message", "role": "assistant", "model": answer.model}


def _stop(answer: Answer) -> Json:
    return {"stop_reason": answer.stop_reason, "stop_sequence": answer.stop_sequence}


def _usage(usage: Usage) -> Json:
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {"ephemeral_5m_input_tokens": usage.cache_write, "ephemeral_1h_input_tokens": 0},
        "output_tokens": usage.output,
        "service_tier": "standard",
    }


def _verdicts(answer: Answer) -> Json:
    verdict = {"type": "evaluated", "outcome": answer.safeguards}
    tool_uses = {f"toolu_{call.id}": verdict for call in answer.tools}
    return {"type": "dangerous_tool_use", "status": {"type": "available", "tool_uses": tool_uses}}


def _event(kind: str, **values: Any) -> bytes:
    return sse({"type": kind, **values}, event=kind)


def _chunk(kind: str, **values: Any) -> Chunk:
    return Chunk(_event(kind, **values))
