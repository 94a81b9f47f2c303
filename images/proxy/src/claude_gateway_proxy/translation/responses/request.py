"""A request of plain Messages as one of OpenAI's Responses, with nothing kept by the server."""

from collections.abc import Iterator
from typing import Final

from claude_gateway_proxy.translation.messages.options import (
    choice_of,
    json_answer,
    parallel_calls,
    strict_schema,
    thinking_of,
)
from claude_gateway_proxy.translation.messages.reading import (
    arguments_of,
    blocks,
    document_text,
    messages_of,
    source_url,
    text_of,
    tools_of,
)
from claude_gateway_proxy.translation.messages.shapes import Document
from claude_gateway_proxy.translation.names import Names, upstream_id
from claude_gateway_proxy.translation.responses.shapes import Item, MessageItem, Part, ResponsesRequest, Tool
from claude_gateway_proxy.translation.schema.openai import for_openai
from claude_gateway_proxy.translation.thinking import read

_LEAST_OUTPUT: Final = 16
"""OpenAI rejects a lower ``max_output_tokens``; Claude Code probes with 1."""


def responses_request(request: Document, *, names: Names) -> ResponsesRequest:
    """Return the fields of a response, all but the model."""
    found: ResponsesRequest = {}
    if "stream" in request:
        found["stream"] = request["stream"]
    if "temperature" in request:
        found["temperature"] = request["temperature"]
    if "top_p" in request:
        found["top_p"] = request["top_p"]
    found["store"] = False
    found["input"] = [item for turn in messages_of(request) for item in _items(*turn, names)]
    system = "\n\n".join(filter(None, map(text_of, blocks(request.get("system")))))
    if system:
        found["instructions"] = system
    most = request.get("max_tokens")
    if isinstance(most, int):
        found["max_output_tokens"] = max(_LEAST_OUTPUT, most)
    found.update(_tools(request, names))
    found.update(_reasoning(request))
    answer = json_answer(request)
    if answer is not None:
        schema = {"name": answer.name, "schema": answer.schema, "strict": answer.strict}
        found["text"] = {"format": {"type": "json_schema", **schema}}
    return found


def _tools(request: Document, names: Names) -> ResponsesRequest:
    found: ResponsesRequest = {}
    tools = [_tool(tool, names) for tool in tools_of(request)]
    if not tools:
        return found
    found["tools"] = tools
    parallel = parallel_calls(request)
    if parallel is not None:
        found["parallel_tool_calls"] = parallel
    word, one = choice_of(request, names)
    if one is not None:
        found["tool_choice"] = {"type": "function", "name": one}
    elif word is not None:
        found["tool_choice"] = word
    return found


def _reasoning(request: Document) -> ResponsesRequest:
    thinking = thinking_of(request)
    reasoning: dict[str, str] = {} if thinking.effort is None else {"effort": thinking.effort}
    if thinking.wanted and thinking.shown:
        reasoning["summary"] = "auto"
    found: ResponsesRequest = {"reasoning": reasoning} if reasoning else {}
    if thinking.wanted:
        # The server stores nothing, so the reasoning itself must come here and go back.
        found["include"] = ["reasoning.encrypted_content"]
    return found


def _tool(tool: Document, names: Names) -> Tool:
    # Responses would treat it as strict by default.
    strict = tool.get("strict") is True
    found: Tool = {"type": "function", "name": names.to_upstream(str(tool.get("name"))), "strict": strict}
    description = tool.get("description")
    if isinstance(description, str):
        found["description"] = description
    parameters = for_openai(tool.get("input_schema"))
    found["parameters"] = strict_schema(tool, parameters) if strict else parameters
    return found


def _items(role: str, turn: list[Document], names: Names) -> Iterator[Item]:
    """The items of one turn, in its order; what a user says in a row is one message."""
    parts: list[Part] = []
    for block in turn:
        if block.get("type") in ("tool_use", "tool_result", "thinking"):
            yield from _message(role, parts)
            parts = []
            yield from _own_item(block, names)
        else:
            parts += _parts(block, said=role == "assistant")
    yield from _message(role, parts)


def _message(role: str, parts: list[Part]) -> Iterator[MessageItem]:
    if parts:
        yield {"type": "message", "role": role, "content": parts}


def _own_item(block: Document, names: Names) -> Iterator[Item]:
    kind = block["type"]
    if kind == "thinking":
        thought = read(block.get("signature"))
        yield from thought.items if thought is not None else ()
    elif kind == "tool_use":
        yield {
            "type": "function_call",
            "call_id": upstream_id(block.get("id")),
            "name": names.to_upstream(str(block.get("name"))),
            "arguments": arguments_of(block),
        }
    else:
        parts = [part for inner in blocks(block.get("content")) for part in _parts(inner, said=False)]
        texts = [part["text"] for part in parts if part["type"] == "input_text"]
        output = "\n".join(texts) if len(texts) == len(parts) else parts
        yield {"type": "function_call_output", "call_id": upstream_id(block.get("tool_use_id")), "output": output}


def _parts(block: Document, *, said: bool) -> list[Part]:
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
