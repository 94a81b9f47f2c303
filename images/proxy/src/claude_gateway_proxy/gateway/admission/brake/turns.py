"""What is new in a conversation: the tool calls of its model, and what its user said, in any format.

Only the newest items of a conversation are decoded, and only the parts that are compared: an item costs time by its
length, and is stored as a few digests. Items that are not valid in a format are skipped, because the upstream rejects
them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import msgspec

from claude_gateway.contract.target import Format
from claude_gateway_proxy.gateway.body.document import Body

NEWEST: Final = 64
"""The most items of a conversation read at a time: more than a turn has, and enough of an old one to see a cycle."""

_FIELDS: Final = {Format.MESSAGES: "messages", Format.CHAT: "messages", Format.RESPONSES: "input"}
_LONGEST: Final = 1024 * 1024
"""The most bytes of an item that is read; repeated tool calls are shorter."""
_START: Final = 256
"""The number of first bytes that identify a line of conversation."""
_REMINDER: Final = "<system-reminder>"
"""The beginning of text that Claude Code itself writes into a user's turn."""
_NAME: Final = 64
_CALLS: Final = frozenset({"tool_use", "function_call", "custom_tool_call", "local_shell_call"})
_TEXTS: Final = frozenset({"text", "input_text"})


class _Block(msgspec.Struct):
    type: str | None = None
    text: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw()


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: msgspec.Raw = msgspec.Raw()


class _ToolCall(msgspec.Struct):
    function: _Function | None = None
    custom: _Block | None = None


class _Item(msgspec.Struct):
    """A message of Messages or Chat Completions, or an item of Responses."""

    role: str | None = None
    type: str | None = None
    name: str | None = None
    content: str | list[_Block] | None = None
    tool_calls: list[_ToolCall] | None = None
    arguments: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()
    action: msgspec.Raw = msgspec.Raw()


@dataclass(frozen=True, slots=True)
class Called:
    """The model called a tool; ``digest`` stands for the tool and its input, however the JSON is written."""

    digest: bytes
    name: str


@dataclass(frozen=True, slots=True)
class Said:
    """A person, or a program in place of a person, wrote a text."""

    digest: bytes


Turn = Called | Said

_SPLIT: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ITEM: Final = msgspec.json.Decoder(_Item)


def conversation(body: Body, format_: Format) -> bytes:
    """Return the JSON text of a request's conversation; empty if it is not a list."""
    text = body.value(_FIELDS.get(format_, ""))
    return text if text is not None and text.startswith(b"[") else b""


def start_of(text: bytes) -> bytes:
    """Return the beginning of a conversation, which stays the same while it grows."""
    return text[:_START].partition(b"}")[0]


def split(text: bytes) -> Sequence[msgspec.Raw]:
    """Return the items of a conversation, undecoded; empty if it cannot be read."""
    try:
        return _SPLIT.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()


def turns(items: Sequence[msgspec.Raw]) -> Iterator[Turn]:
    """Yield the events in the items, in order; if there are too many items, only those of the newest."""
    for text in items[-NEWEST:]:
        if len(text) > _LONGEST:
            continue
        try:
            item = _ITEM.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        yield from _turns(item)


def _turns(item: _Item) -> Iterator[Turn]:
    blocks = item.content if isinstance(item.content, list) else ()
    if item.role == "user":
        texts = [item.content] if isinstance(item.content, str) else [each.text for each in blocks if _is_text(each)]
        said = [text for text in texts if text and not text.lstrip().startswith(_REMINDER)]
        if said:
            yield Said(_digest(*said))
        return
    if item.type in _CALLS:
        yield _called(item.name or item.type, item.arguments or item.input or item.action)
    for block in blocks:
        if block.type in _CALLS:
            yield _called(block.name, block.input)
    for call in item.tool_calls or ():
        if call.function is not None:
            yield _called(call.function.name, call.function.arguments)
        elif call.custom is not None:
            yield _called(call.custom.name, call.custom.input)


def _is_text(block: _Block) -> bool:
    return block.type in _TEXTS


def _called(name: str | None, given: msgspec.Raw) -> Called:
    name = (name or "")[:_NAME]
    return Called(_digest(name, _canonical(bytes(given))), name)


def _canonical(text: bytes) -> bytes:
    """Return the input of a call in one canonical form; in OpenAI's formats it is JSON in a string."""
    try:
        value = msgspec.json.decode(text)
        if isinstance(value, str):
            value = msgspec.json.decode(value)
        return msgspec.json.encode(_plain(value), order="sorted")
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return text


def _plain(value: Any) -> Any:
    """Remove the model's description of a command: its wording varies and has no effect."""
    if isinstance(value, dict) and "command" in value and "description" in value:
        return {name: inner for name, inner in value.items() if name != "description"}
    return value


def _digest(*parts: str | bytes) -> bytes:
    digest = blake2b(digest_size=8)
    for part in parts:
        digest.update(part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    return digest.digest()
