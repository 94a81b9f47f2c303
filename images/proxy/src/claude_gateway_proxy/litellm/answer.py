"""LiteLLM's answers in the form of the format's vendor: ids, usage, and none of LiteLLM's own fields."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import uuid4

from claude_gateway.contract.target import Format
from claude_gateway_proxy.litellm import items
from claude_gateway_proxy.litellm.exceptions import is_header_value
from claude_gateway_proxy.translation.documents import Document
from claude_gateway_proxy.translation.embeddings import encoded

_OWN: Final = frozenset(
    {"provider_specific_fields", "thinking_blocks", "_hidden_params", "_response_headers", "_response_ms"}
)
"""Fields that LiteLLM adds at several levels."""

_CHAT_USAGE: Final = ("prompt_tokens", "completion_tokens", "total_tokens")
_CHAT_DETAILS: Final = {
    "prompt_tokens_details": ("cached_tokens", "audio_tokens"),
    "completion_tokens_details": (
        "reasoning_tokens",
        "audio_tokens",
        "accepted_prediction_tokens",
        "rejected_prediction_tokens",
    ),
}
_RESPONSES_USAGE: Final = ("input_tokens", "output_tokens", "total_tokens")
_RESPONSES_DETAILS: Final = {
    "input_tokens_details": ("cached_tokens",),
    "output_tokens_details": ("reasoning_tokens",),
}
_EMPTY_MESSAGE: Final = ("annotations", "images", "tool_calls", "reasoning_items")
"""Lists of a chat message that mean nothing when they are empty."""


def document(answer: Any, *, format: Format, wanted: Document) -> Document:
    """A whole answer in one of OpenAI's formats, or a count of tokens, as the JSON document to send.

    ``wanted`` are the fields of the request.
    """
    match format:
        case Format.CHAT:
            return chat(plain(answer), whole=True)
        case Format.COMPLETIONS:
            return completion(plain(answer))
        case Format.RESPONSES:
            return response(plain(answer), ident=new_id("resp_"), groups=items.groups_of(wanted))
        case Format.EMBEDDINGS:
            return encoded(embeddings(plain(answer)), form=wanted.get("encoding_format"))
        case _:
            return dict(answer)


def plain(answer: Any) -> Document:
    """LiteLLM's object as a dictionary of our own."""
    return dict(answer) if isinstance(answer, Mapping) else dict(answer.model_dump(warnings=False))


def upstream_id(answer: Any) -> str | None:
    """The upstream's own id of the request, from the headers of its answer."""
    hidden = getattr(answer, "_hidden_params", None)
    found = hidden.get("additional_headers") if isinstance(hidden, Mapping) else None
    headers = found if isinstance(found, Mapping) else {}
    named = (headers.get(f"llm_provider-{name}") for name in ("request-id", "x-request-id"))
    return next((value for value in named if isinstance(value, str) and is_header_value(value)), None)


def new_id(prefix: str) -> str:
    """Return a new id in the vendors' form."""
    return f"{prefix}{uuid4().hex}"


def chat(answer: Document, *, whole: bool) -> Document:
    """A chat completion, or with ``whole`` unset a chunk of one."""
    document = _present(answer, drop=(*_OWN, "usage", "citations"))
    document["choices"] = [_choice(choice, whole=whole) for choice in answer.get("choices") or ()]
    usage = chat_usage(answer.get("usage"))
    if usage is not None:
        document["usage"] = usage
    return document


def completion(answer: Document) -> Document:
    """A text completion, or a chunk of one."""
    document = _present(answer, drop=(*_OWN, "usage"))
    document["id"] = "cmpl-" + str(answer.get("id")).removeprefix("chatcmpl-").removeprefix("cmpl-")
    document["choices"] = [
        {
            "index": choice.get("index") or 0,
            "text": choice.get("text") or "",
            "logprobs": choice.get("logprobs"),
            "finish_reason": choice.get("finish_reason"),
        }
        for choice in answer.get("choices") or ()
    ]
    usage = chat_usage(answer.get("usage"))
    if usage is not None:
        document["usage"] = usage
    return document


def embeddings(answer: Document) -> Document:
    """A list of embeddings."""
    usage = answer.get("usage") or {}
    return {
        "object": "list",
        "data": [_present(each) for each in answer.get("data") or ()],
        "model": answer.get("model"),
        "usage": {key: usage.get(key) or 0 for key in ("prompt_tokens", "total_tokens")},
    }


def response(answer: Document, *, ident: str, groups: Mapping[str, str]) -> Document:
    """A response of the Responses format, under an id of ours: LiteLLM's holds names of its own."""
    document = _without(answer, _OWN)
    document["id"] = ident
    document["output"] = [output_item(item, groups) for item in answer.get("output") or ()]
    document["usage"] = _usage(answer.get("usage"), _RESPONSES_USAGE, _RESPONSES_DETAILS)
    document["metadata"] = {}
    document["text"] = document.get("text") or {"format": {"type": "text"}}
    return document


def output_item(item: Any, groups: Mapping[str, str]) -> Document:
    """One item of a response's output; ``groups`` are those of the request's custom tools."""
    return items.regular(_pruned(plain(item)), groups)


def chat_usage(usage: Any) -> Document | None:
    """Return token counts as OpenAI writes them; None where there are none."""
    return _usage(usage, _CHAT_USAGE, _CHAT_DETAILS)


def _choice(choice: Document, *, whole: bool) -> Document:
    found = _present(choice, drop=_OWN)
    found.setdefault("finish_reason", None)
    part = "message" if whole else "delta"
    content = _present(choice.get(part) or {}, drop=_OWN)
    for name in _EMPTY_MESSAGE:
        if content.get(name) == []:
            del content[name]
    if whole:
        content.setdefault("content", None)
    if "tool_calls" in content:
        # Only the parts of a streamed call are numbered.
        dropped = {"index"} if whole else frozenset[str]()
        content["tool_calls"] = [_present(_pruned(each), drop=dropped) for each in content["tool_calls"]]
    found[part] = content
    return found


def _usage(usage: Any, names: Iterable[str], details: Mapping[str, Iterable[str]]) -> Document | None:
    counts = None if usage is None else plain(usage)
    if not counts or not any(counts.get(name) for name in names):
        return None
    found: Document = {name: counts.get(name) or 0 for name in names}
    for name, parts in details.items():
        known = counts.get(name)
        found[name] = {part: (known.get(part) if isinstance(known, Mapping) else None) or 0 for part in parts}
    return found


def _present(value: Document, *, drop: Iterable[str] = ()) -> Document:
    """Return a copy without nulls and without the named fields."""
    dropped = frozenset(drop)
    return {key: each for key, each in value.items() if each is not None and key not in dropped}


def _without(value: Document, names: frozenset[str]) -> Document:
    return {key: each for key, each in value.items() if key not in names}


def _pruned(value: Any) -> Any:
    """Without nulls and LiteLLM's fields at any depth; a call's arguments are a string, so they stay as they are."""
    if isinstance(value, Mapping):
        return {key: _pruned(each) for key, each in value.items() if each is not None and key not in _OWN}
    if isinstance(value, list | tuple):
        return [_pruned(each) for each in value]
    return value
