"""LiteLLM's streams as server-sent events in the caller's format. Each event is a whole ``bytes`` object."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import msgspec

from claude_gateway.contract.target import Format
from claude_gateway_proxy.litellm import items
from claude_gateway_proxy.litellm.answer import chat, completion, new_id, output_item, plain, response
from claude_gateway_proxy.litellm.exceptions import of_event
from claude_gateway_proxy.litellm.targets import Target
from claude_gateway_proxy.translation.documents import Document

_DONE: Final = b"data: [DONE]\n\n"
_END: Final = b"\n\n"
_PRELUDE: Final = (
    b"event: message_start",
    b"event: ping",
    b"event: response.created",
    b"event: response.in_progress",
)


def is_prelude(event: bytes) -> bool:
    """Whether an event comes before anything that the model said, so that an error may still get its real status."""
    return event.startswith(_PRELUDE)


def events(
    chunks: AsyncIterator[Any], *, format: Format, wanted: Mapping[str, Any], target: Target
) -> AsyncIterator[bytes]:
    """Write what LiteLLM streams in OpenAI's formats; ``wanted`` are the fields of the request.

    Raises Failure where the stream reports an error, and whatever LiteLLM raises.
    """
    if format is Format.RESPONSES:
        return _responses(chunks, items.groups_of(wanted), target)
    usage = bool((wanted.get("stream_options") or {}).get("include_usage"))
    return _chunks(chunks, usage=usage, whole=format is Format.COMPLETIONS, target=target)


async def _responses(chunks: AsyncIterator[Any], groups: Mapping[str, str], target: Target) -> AsyncIterator[bytes]:
    ident = new_id("resp_")
    summaries = items.Summaries()
    number = 0
    async for chunk in chunks:
        data = plain(chunk)
        kind = str(getattr(data["type"], "value", data["type"]))
        if kind == "error":
            raise of_event(data, target=target)
        data = {key: value for key, value in data.items() if value is not None and not key.startswith("_")}
        if (before := summaries.beginning(kind, data)) is not None:
            yield _event(before["type"], {**before, "sequence_number": number})
            number += 1
        data |= {"type": kind, "sequence_number": number}
        if "response" in data:
            data["response"] = response(plain(data["response"]), ident=ident, groups=groups)
        if "item" in data:
            data["item"] = output_item(data["item"], groups)
        number += 1
        yield _event(kind, data)


async def _chunks(chunks: AsyncIterator[Any], *, usage: bool, whole: bool, target: Target) -> AsyncIterator[bytes]:
    """Chunks of Chat or, with ``whole``, of Completions; the counts go where the client expects them.

    A client that did not request usage gets it in the last chunk, where it does no harm, and not in a chunk without
    choices, on which simple clients fail.
    """
    last: Document | None = None
    async for chunk in chunks:
        raw = plain(chunk)
        if raw.get("error"):
            raise of_event(raw, target=target)
        document = completion(raw) if whole else chat(raw, whole=False)
        if not any(map(_says_something, document["choices"])):
            document["choices"] = []
        if usage:
            yield _chunk(document)
            continue
        counts = document.pop("usage", None)
        if last is not None and counts is not None:
            last["usage"] = counts
        if any(choice["finish_reason"] for choice in document["choices"]):
            if last is not None:
                yield _chunk(last)
            last = document
        elif document["choices"]:
            yield _chunk(document)
    if last is not None:
        yield _chunk(last)
    yield _DONE


def _says_something(choice: Document) -> bool:
    """LiteLLM puts an empty choice into the chunk that has the usage, where OpenAI has none."""
    return bool(choice["finish_reason"] or choice.get("delta") or choice.get("text"))


def _chunk(document: Document) -> bytes:
    return b"data: " + msgspec.json.encode(document) + _END


def _event(name: str, data: Document) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(data) + _END
