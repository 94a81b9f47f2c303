"""A request of plain Messages as one of OpenAI's Responses, with nothing kept by the server."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from claude_gateway_proxy.translation.codec.blocks import (
    arguments_of,
    blocks,
    document_text,
    messages_of,
    names_in,
    source_url,
    text_of,
    tools_of,
)
from claude_gateway_proxy.translation.codec.names import Names, upstream_id
from claude_gateway_proxy.translation.codec.options import asked_of, choice_of, effort_of, schema_of
from claude_gateway_proxy.translation.codec.schema import for_openai
from claude_gateway_proxy.translation.codec.thoughts import read

Json = dict[str, Any]

_SAME: Final = ("stream", "temperature", "top_p")
_LEAST_OUTPUT: Final = 16
"""OpenAI refuses a lower ``max_output_tokens``; Claude Code probes with 1."""


def responses_request(request: Mapping[str, Any]) -> Json:
    """The fields of a response, all but the model."""
    names = names_in(request)
    found: Json = {key: request[key] for key in _SAME if key in request}
    found |= {"store": False, "input": [item for turn in messages_of(request) for item in _items(*turn, names)]}
    system = "\n\n".join(filter(None, map(text_of, blocks(request.get("system")))))
    if system:
        found["instructions"] = system
    if isinstance(request.get("max_tokens"), int):
        found["max_output_tokens"] = max(_LEAST_OUTPUT, request["max_tokens"])
    tools = [_tool(tool, names) for tool in tools_of(request)]
    if tools:
        found["tools"] = tools
        if "parallel_tool_calls" in request:
            found["parallel_tool_calls"] = request["parallel_tool_calls"]
        word, one = choice_of(request, names)
        choice = word if one is None else {"type": "function", "name": one}
        if choice is not None:
            found["tool_choice"] = choice
    found |= _reasoning(request)
    schema = schema_of(request)
    if schema is not None:
        found["text"] = {"format": {"type": "json_schema", **schema}}
    return found


def _reasoning(request: Mapping[str, Any]) -> Json:
    asked = asked_of(request, model="")
    effort = effort_of(request)
    found: Json = {} if effort is None else {"effort": effort}
    if asked.thinks:
        found |= {"summary": "auto"} if asked.shows_thinking else {}
        # Nothing is stored there, so that the reasoning itself must come here and go back.
        return {**({"reasoning": found} if found else {}), "include": ["reasoning.encrypted_content"]}
    return {"reasoning": found} if found else {}


def _tool(tool: Json, names: Names) -> Json:
    # Responses would take it for strict where nothing is said.
    found: Json = {"type": "function", "name": names.to_upstream(str(tool.get("name"))), "strict": False}
    if isinstance(tool.get("description"), str):
        found["description"] = tool["description"]
    return {**found, "parameters": for_openai(tool.get("input_schema"))}


def _items(role: str, turn: list[Json], names: Names) -> Iterator[Json]:
    """The items of one turn, in its order; what a user says in a row is one message."""
    parts: list[Json] = []
    for block in turn:
        if block.get("type") in ("tool_use", "tool_result", "thinking"):
            yield from _message(role, parts)
            parts = []
            yield from _own_item(block, names)
        else:
            parts += _parts(block, said=role == "assistant")
    yield from _message(role, parts)


def _message(role: str, parts: list[Json]) -> Iterator[Json]:
    if parts:
        yield {"type": "message", "role": role, "content": parts}


def _own_item(block: Json, names: Names) -> Iterator[Json]:
    kind = block["type"]
    if kind == "thinking":
        thought = read(block.get("signature"))
        yield from thought.items if thought is not None else ()
    elif kind == "tool_use":
        call = {"call_id": upstream_id(block.get("id")), "name": names.to_upstream(str(block.get("name")))}
        yield {"type": "function_call", **call, "arguments": arguments_of(block)}
    else:
        parts = [part for inner in blocks(block.get("content")) for part in _parts(inner, said=False)]
        only_text = all(part["type"] == "input_text" for part in parts)
        output = "\n".join(part["text"] for part in parts) if only_text else parts
        yield {"type": "function_call_output", "call_id": upstream_id(block.get("tool_use_id")), "output": output}


def _parts(block: Json, *, said: bool) -> list[Json]:
    kind = block.get("type")
    text = text_of(block) if kind == "text" else document_text(block) if kind == "document" else None
    if text:
        return [{"type": "output_text" if said else "input_text", "text": text}]
    url = source_url(block)
    if url is None or said:
        return []
    if kind == "image":
        return [{"type": "input_image", "image_url": url, "detail": "auto"}]
    if kind == "document" and url.startswith("data:"):
        return [{"type": "input_file", "filename": str(block.get("title") or "document.pdf"), "file_data": url}]
    return [{"type": "input_file", "file_url": url}] if kind == "document" else []
