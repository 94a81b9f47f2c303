"""A request of plain Messages as one of Chat Completions."""

from collections.abc import Iterator
from typing import Final

from claude_gateway_proxy.translation.changes import PLACEHOLDER
from claude_gateway_proxy.translation.chat.capabilities import Capabilities
from claude_gateway_proxy.translation.chat.shapes import Call, ChatRequest, Function, Message, Part, Tool, ToolCall
from claude_gateway_proxy.translation.messages.options import (
    JsonAnswer,
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
from claude_gateway_proxy.translation.names import Names, signature_of
from claude_gateway_proxy.translation.thinking import Thought, read

_BUDGET_MOST: Final = 24_576
"""The budget that every model of Gemini's that has one accepts."""


def chat_request(request: Document, *, names: Names, capabilities: Capabilities) -> ChatRequest:
    """Return the fields of a chat completion, all but the model."""
    found: ChatRequest = {}
    if "stream" in request:
        found["stream"] = request["stream"]
    if "temperature" in request:
        found["temperature"] = request["temperature"]
    if "top_p" in request:
        found["top_p"] = request["top_p"]
    tools = [_tool(tool, names, capabilities) for tool in tools_of(request)]
    parallel = parallel_calls(request)
    if tools and parallel is not None:
        found["parallel_tool_calls"] = parallel
    found["messages"] = list(_messages(request, names, capabilities))
    if request.get("max_tokens"):
        found["max_tokens"] = request["max_tokens"]
    if request.get("stop_sequences"):
        found["stop"] = request["stop_sequences"]
    if capabilities.top_k and "top_k" in request:
        found["top_k"] = request["top_k"]
    if tools:
        found["tools"] = tools
        word, one = choice_of(request, names)
        if one is not None:
            found["tool_choice"] = {"type": "function", "function": {"name": one}}
        elif word is not None:
            found["tool_choice"] = word
    thinking = thinking_of(request)
    if capabilities.budget and thinking.budget is not None:
        found["thinking"] = {"type": "enabled", "budget_tokens": min(thinking.budget, _BUDGET_MOST)}
    elif thinking.effort is not None:
        found["reasoning_effort"] = thinking.effort
    elif capabilities.switch and thinking.off:
        found["thinking"] = {"type": "disabled"}
    answer = json_answer(request)
    if answer is not None:
        found["response_format"] = _format(answer)
    return found


def _format(answer: JsonAnswer) -> dict[str, object]:
    schema = {"name": answer.name, "schema": answer.schema, "strict": answer.strict}
    return {"type": "json_schema", "json_schema": schema}


def _tool(tool: Document, names: Names, capabilities: Capabilities) -> Tool:
    function: Function = {"name": names.to_upstream(str(tool.get("name")))}
    description = tool.get("description")
    if isinstance(description, str):
        function["description"] = description
    parameters = capabilities.schema(tool.get("input_schema"))
    if tool.get("strict") is True:
        parameters, function["strict"] = strict_schema(tool, parameters), True
    if parameters.get("properties") or capabilities.empty:
        function["parameters"] = parameters
    return {"type": "function", "function": function}


def _messages(request: Document, names: Names, capabilities: Capabilities) -> Iterator[Message]:
    system = "\n\n".join(filter(None, map(text_of, blocks(request.get("system")))))
    if system:
        yield {"role": "system", "content": system}
    for role, turn in messages_of(request):
        if len(turn) == 1 and turn[0].get("type") == "text" and (text := text_of(turn[0])):
            # Most turns of a long conversation between people and a model.
            yield {"role": "assistant" if role == "assistant" else "user", "content": text}
        elif role == "assistant":
            yield from _assistant(turn, names, capabilities)
        else:
            yield from _user(turn, capabilities)


def _assistant(turn: list[Document], names: Names, capabilities: Capabilities) -> Iterator[Message]:
    texts = [text for block in turn if block.get("type") == "text" and (text := text_of(block))]
    calls = [_call(block, names, capabilities) for block in turn if block.get("type") == "tool_use"]
    thoughts = [thought for block in turn if (thought := read(block.get("signature"))) is not None and thought.text]
    if not texts and not calls:
        return
    message: Message = {"role": "assistant", "content": "\n\n".join(texts) or None}
    if capabilities.reasoning and thoughts:
        message["reasoning_content"] = "\n".join(thought.text for thought in thoughts)
    elif capabilities.reasoned_calls and calls:
        # The model thought, and nobody kept it: a client without thinking, or another model before this one.
        message["reasoning_content"] = PLACEHOLDER
    if calls:
        message["tool_calls"] = calls
    details = _details(turn, thoughts, capabilities) if capabilities.details else []
    if details:
        message["reasoning_details"] = details
    yield message


def _details(turn: list[Document], thoughts: list[Thought], capabilities: Capabilities) -> list[dict[str, object]]:
    """Return the reasoning of a turn as OpenRouter has it: its text, and the signatures behind its calls."""
    details: list[dict[str, object]] = [{"type": "reasoning.text", "text": thought.text} for thought in thoughts]
    for block in turn:
        signature = signature_of(block.get("id")) if block.get("type") == "tool_use" else None
        if signature is not None:
            ident = capabilities.ident(block.get("id"))
            kind = {"type": "reasoning.encrypted", "format": "google-gemini-v1"}
            details.append({**kind, "id": ident, "data": signature})
    return [{**detail, "index": index} for index, detail in enumerate(details)]


def _call(block: Document, names: Names, capabilities: Capabilities) -> ToolCall:
    function: Call = {"name": names.to_upstream(str(block.get("name"))), "arguments": arguments_of(block)}
    call: ToolCall = {"id": capabilities.ident(block.get("id")), "type": "function", "function": function}
    signature = signature_of(block.get("id"))
    if capabilities.signatures and signature is not None:
        call["extra_content"] = {"google": {"thought_signature": signature}}
    return call


def _user(turn: list[Document], capabilities: Capabilities) -> Iterator[Message]:
    """Results first, each a message of its own; their images follow with the user's own words."""
    rest: list[Part] = []
    results: list[Message] = []
    for block in turn:
        if block.get("type") != "tool_result":
            rest += _parts(block, capabilities)
            continue
        ident = capabilities.ident(block.get("tool_use_id"))
        parts = [part for inner in blocks(block.get("content")) for part in _parts(inner, capabilities)]
        texts = [part["text"] for part in parts if part["type"] == "text"]
        media = [part for part in parts if part["type"] != "text"]
        if media:
            # Messages of tools accept text only.
            texts.append("(what it shows is in the next user message)")
            rest += [{"type": "text", "text": f"From the result of the tool call {ident}:"}, *media]
        results.append({"role": "tool", "tool_call_id": ident, "content": "\n".join(texts)})
    if rest and results and capabilities.results_last:
        results[-1]["content"] = _joined([*_as_parts(results[-1]["content"]), *rest])
        rest = []
    yield from results
    if rest:
        yield {"role": "user", "content": _joined(rest)}


def _joined(parts: list[Part]) -> str | list[Part]:
    """Return parts as one text if all of them are text."""
    texts = [part["text"] for part in parts if part["type"] == "text"]
    return "\n\n".join(texts) if len(texts) == len(parts) else parts


def _as_parts(content: str | list[Part] | None) -> list[Part]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content or []


def _parts(block: Document, capabilities: Capabilities) -> list[Part]:
    kind = block.get("type")
    if kind == "text":
        return [{"type": "text", "text": text}] if (text := text_of(block)) else []
    if kind == "image":
        url = source_url(block)
        return [{"type": "image_url", "image_url": {"url": url}}] if url else []
    if kind == "document":
        return _document(block, capabilities)
    return []


def _document(block: Document, capabilities: Capabilities) -> list[Part]:
    text, url = document_text(block), source_url(block)
    title = str(block.get("title") or "document.pdf")
    if text is not None:
        return [{"type": "text", "text": text}]
    if url is None:
        return []
    if not url.startswith("data:"):
        return [{"type": "text", "text": f"[document: {url}]"}]
    if not capabilities.files:
        return [{"type": "text", "text": f"[{title}: a document that this model cannot read]"}]
    return [{"type": "file", "file": {"filename": title, "file_data": url}}]
