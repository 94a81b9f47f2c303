"""The events of an answer in the Messages format, and their two encodings: server-sent events and a whole message."""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from claude_gateway_proxy.translation.arguments import arguments as object_of

StopReason = Literal["end_turn", "max_tokens", "refusal", "stop_sequence", "tool_use"]


class Usage(msgspec.Struct, frozen=True):
    """Token counts; what was read from or written to a cache is not part of ``input_tokens``."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0


class TextBlock(msgspec.Struct, tag_field="type", tag="text"):
    """A block of text."""

    text: str = ""


class ThinkingBlock(msgspec.Struct, tag_field="type", tag="thinking"):
    """A block of reasoning; the signature carries it through the client."""

    thinking: str = ""
    signature: str = ""


class ToolUseBlock(msgspec.Struct, tag_field="type", tag="tool_use"):
    """A call of a tool."""

    id: str
    name: str
    input: dict[str, Any]


Block = TextBlock | ThinkingBlock | ToolUseBlock


class TextDelta(msgspec.Struct, frozen=True, tag_field="type", tag="text_delta", gc=False):
    """A piece of text."""

    text: str


class ThinkingDelta(msgspec.Struct, frozen=True, tag_field="type", tag="thinking_delta", gc=False):
    """A piece of reasoning."""

    thinking: str


class SignatureDelta(msgspec.Struct, frozen=True, tag_field="type", tag="signature_delta", gc=False):
    """The signature of a thinking block."""

    signature: str


class InputDelta(msgspec.Struct, frozen=True, tag_field="type", tag="input_json_delta", gc=False):
    """A piece of a call's arguments, as JSON text."""

    partial_json: str


Delta = TextDelta | ThinkingDelta | SignatureDelta | InputDelta


class Message(msgspec.Struct, kw_only=True):
    """A message, with its fields in Anthropic's order; ``message_start`` has one without content."""

    id: str
    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    model: str
    content: list[Block] = []
    stop_reason: StopReason | None = None
    stop_sequence: str | None = None
    usage: Usage = Usage()


class MessageStart(msgspec.Struct, frozen=True, tag_field="type", tag="message_start"):
    """The first event of every answer."""

    message: Message


class BlockStart(msgspec.Struct, frozen=True, tag_field="type", tag="content_block_start"):
    """The beginning of a block."""

    index: int
    content_block: Block


class BlockDelta(msgspec.Struct, frozen=True, tag_field="type", tag="content_block_delta"):
    """A piece of the open block."""

    index: int
    delta: Delta


class BlockStop(msgspec.Struct, frozen=True, tag_field="type", tag="content_block_stop"):
    """The end of the open block."""

    index: int


class Stop(msgspec.Struct, frozen=True):
    """Why an answer ended."""

    stop_reason: StopReason
    stop_sequence: str | None = None


class MessageDelta(msgspec.Struct, frozen=True, tag_field="type", tag="message_delta"):
    """The reason for the end, and the final counts."""

    delta: Stop
    usage: Usage


class MessageStop(msgspec.Struct, frozen=True, tag_field="type", tag="message_stop"):
    """The last event of every answer."""


Event = MessageStart | BlockStart | BlockDelta | BlockStop | MessageDelta | MessageStop

_ENCODER = msgspec.json.Encoder()
_PREFIXES = {
    kind: f"event: {kind.__struct_config__.tag}\ndata: ".encode()
    for kind in (MessageStart, BlockStart, BlockDelta, BlockStop, MessageDelta, MessageStop)
}

_TEXT_DELTA = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":%d,"delta":{"type":"text_delta","text":%s}}\n\n'
)


def encoded(event: Event) -> bytes:
    """Return one event as a server-sent event."""
    return b"%s%s\n\n" % (_PREFIXES[type(event)], _ENCODER.encode(event))


def encoded_text(index: int, text: str) -> bytes:
    """Return a piece of text as the server-sent event that ``encoded`` makes of it, for the many of a stream."""
    return _TEXT_DELTA % (index, _ENCODER.encode(text))


def assembled(events: Iterable[Event]) -> Message:
    """Return the message that the events of a whole answer add up to."""
    message = Message(id="", model="")
    blocks: list[Block] = []
    arguments = ""
    for event in events:
        match event:
            case MessageStart():
                message = event.message
            case BlockStart():
                blocks.append(msgspec.structs.replace(event.content_block))
            case BlockDelta(delta=InputDelta(partial_json=text)):
                arguments += text
            case BlockDelta(delta=delta):
                _extend(blocks[-1], delta)
            case BlockStop() if arguments:
                blocks[-1] = msgspec.structs.replace(blocks[-1], input=object_of(arguments))
                arguments = ""
            case MessageDelta(delta=stop, usage=usage):
                message = msgspec.structs.replace(
                    message,
                    content=blocks,
                    stop_reason=stop.stop_reason,
                    stop_sequence=stop.stop_sequence,
                    usage=usage,
                )
    return message


def _extend(block: Block, delta: Delta) -> None:
    match block, delta:
        case TextBlock(), TextDelta(text=text):
            block.text += text
        case ThinkingBlock(), ThinkingDelta(thinking=thinking):
            block.thinking += thinking
        case ThinkingBlock(), SignatureDelta(signature=signature):
            block.signature += signature
