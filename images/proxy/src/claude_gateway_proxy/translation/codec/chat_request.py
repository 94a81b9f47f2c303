"""A request of plain Messages as one of Chat Completions."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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
from claude_gateway_proxy.translation.codec.names import Names, short_id, signature_of, upstream_id
from claude_gateway_proxy.translation.codec.options import budget_of, choice_of, effort_of, schema_of
from claude_gateway_proxy.translation.codec.schema import for_gemini, for_openai
from claude_gateway_proxy.translation.codec.thoughts import read

Json = dict[str, Any]

_BUDGET_MOST: Final = 24_576
"""The budget that every model of Gemini's that takes one takes."""

_SAME: Final = ("stream", "temperature", "top_p", "parallel_tool_calls")


@dataclass(frozen=True, slots=True)
class Ability:
    """What a provider's Chat takes beyond what all of them do.

    ``signatures``: signatures of thoughts next to calls; ``reasoning``: the reasoning of earlier turns; ``files``:
    documents that are no text; ``top_k``: that parameter; ``empty``: tools whose schema has no properties;
    ``budget``: how many tokens to think for; ``named``: one tool as the choice. ``ident`` writes ids of calls.
    """

    schema: Callable[[Any], Json] = for_openai
    signatures: bool = False
    reasoning: bool = False
    files: bool = True
    top_k: bool = False
    empty: bool = True
    named: bool = True
    ident: Callable[[object], str] = upstream_id
    budget: bool = False


_GEMINI: Final = Ability(schema=for_gemini, signatures=True, top_k=True, empty=False, budget=True)
_SERVER: Final = Ability(reasoning=True, files=False, top_k=True)
_THINKER: Final = Ability(reasoning=True, files=False)
_PLAIN: Final = Ability()
_MISTRAL: Final = Ability(named=False, ident=short_id)
_ABILITIES: Final[Mapping[str, Ability]] = {
    "gemini": _GEMINI,
    "vertex_ai": _GEMINI,
    "hosted_vllm": _SERVER,
    "deepseek": _THINKER,
    "minimax": _THINKER,
    "mistral": _MISTRAL,
    "moonshot": _THINKER,
    "zai": _THINKER,
}


def chat_request(request: Mapping[str, Any], *, provider: str) -> Json:
    """The fields of a chat completion for one of LiteLLM's providers, all but the model."""
    ability = _ABILITIES.get(provider, _PLAIN)
    names = names_in(request)
    found: Json = {key: request[key] for key in _SAME if key in request}
    found["messages"] = list(_messages(request, names, ability))
    for mine, theirs in (("max_tokens", "max_tokens"), ("stop_sequences", "stop")):
        if request.get(mine):
            found[theirs] = request[mine]
    if ability.top_k and "top_k" in request:
        found["top_k"] = request["top_k"]
    tools = [_tool(tool, names, ability) for tool in tools_of(request)]
    if tools:
        found["tools"] = tools
        word, one = choice_of(request, names)
        choice: Any = word if one is None else {"type": "function", "function": {"name": one}}
        if one is not None and not ability.named:
            # LiteLLM drops the name; with that tool alone there is but one to call.
            choice, found["tools"] = "required", [tool for tool in tools if tool["function"]["name"] == one]
        if choice is not None:
            found["tool_choice"] = choice
    else:
        found.pop("parallel_tool_calls", None)
    effort, budget = effort_of(request), budget_of(request)
    if ability.budget and budget is not None:
        found["thinking"] = {"type": "enabled", "budget_tokens": min(budget, _BUDGET_MOST)}
    elif effort is not None:
        found["reasoning_effort"] = effort
    schema = schema_of(request)
    if schema is not None:
        found["response_format"] = {"type": "json_schema", "json_schema": schema}
    return found


def _tool(tool: Json, names: Names, ability: Ability) -> Json:
    function: Json = {"name": names.to_upstream(str(tool.get("name")))}
    if isinstance(tool.get("description"), str):
        function["description"] = tool["description"]
    parameters = ability.schema(tool.get("input_schema"))
    if parameters.get("properties") or ability.empty:
        function["parameters"] = parameters
    return {"type": "function", "function": function}


def _messages(request: Mapping[str, Any], names: Names, ability: Ability) -> Iterator[Json]:
    system = "\n\n".join(filter(None, map(text_of, blocks(request.get("system")))))
    if system:
        yield {"role": "system", "content": system}
    for role, turn in messages_of(request):
        if role == "assistant":
            yield from _assistant(turn, names, ability)
        else:
            yield from _user(turn, ability)


def _assistant(turn: list[Json], names: Names, ability: Ability) -> Iterator[Json]:
    texts = [text for block in turn if block.get("type") == "text" and (text := text_of(block))]
    calls = [_call(block, names, ability) for block in turn if block.get("type") == "tool_use"]
    thoughts = [thought for block in turn if (thought := read(block.get("signature"))) is not None and thought.text]
    if not texts and not calls:
        return
    message: Json = {"role": "assistant", "content": "\n\n".join(texts) or None}
    if ability.reasoning and thoughts:
        message["reasoning_content"] = "\n".join(thought.text for thought in thoughts)
    if calls:
        message["tool_calls"] = calls
    yield message


def _call(block: Json, names: Names, ability: Ability) -> Json:
    function = {"name": names.to_upstream(str(block.get("name"))), "arguments": arguments_of(block)}
    call: Json = {"id": ability.ident(block.get("id")), "type": "function", "function": function}
    signature = signature_of(block.get("id"))
    if ability.signatures and signature is not None:
        call["provider_specific_fields"] = {"thought_signature": signature}
    return call


def _user(turn: list[Json], ability: Ability) -> Iterator[Json]:
    """Results first, each a message of its own; their images follow with the user's own words."""
    rest: list[Json] = []
    for block in turn:
        if block.get("type") != "tool_result":
            rest += _parts(block, ability)
            continue
        ident = ability.ident(block.get("tool_use_id"))
        parts = [part for inner in blocks(block.get("content")) for part in _parts(inner, ability)]
        texts = [part["text"] for part in parts if part["type"] == "text"]
        media = [part for part in parts if part["type"] != "text"]
        if media:
            # Messages of tools take text only.
            texts.append("(what it shows is in the next user message)")
            rest += [{"type": "text", "text": f"From the result of the tool call {ident}:"}, *media]
        yield {"role": "tool", "tool_call_id": ident, "content": "\n".join(texts)}
    if rest:
        only_text = all(part["type"] == "text" for part in rest)
        yield {"role": "user", "content": "\n\n".join(part["text"] for part in rest) if only_text else rest}


def _parts(block: Json, ability: Ability) -> list[Json]:
    kind = block.get("type")
    if kind == "text":
        return [{"type": "text", "text": text}] if (text := text_of(block)) else []
    if kind == "image":
        url = source_url(block)
        return [{"type": "image_url", "image_url": {"url": url}}] if url else []
    if kind == "document":
        return _document(block, ability)
    return []


def _document(block: Json, ability: Ability) -> list[Json]:
    text, url = document_text(block), source_url(block)
    title = str(block.get("title") or "document.pdf")
    if text is not None:
        return [{"type": "text", "text": text}]
    if url is None:
        return []
    if not url.startswith("data:"):
        return [{"type": "text", "text": f"[document: {url}]"}]
    if not ability.files:
        return [{"type": "text", "text": f"[{title}: a document that this model cannot read]"}]
    return [{"type": "file", "file": {"filename": title, "file_data": url}}]
