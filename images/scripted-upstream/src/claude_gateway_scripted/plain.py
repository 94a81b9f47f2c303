"""Answers encoded beforehand, for use under load: what is measured is the gateway, not this server."""

from collections.abc import Mapping
from dataclasses import dataclass

from claude_gateway_scripted.answer import Answer, Usage, words
from claude_gateway_scripted.formats import Chunk, Format, Stamp, encode
from claude_gateway_scripted.prompt import Prompt


@dataclass(frozen=True, slots=True)
class Plain:
    """One format's answer as bytes, whole and as a stream."""

    document: bytes
    chunks: tuple[Chunk, ...]


def encode_all(formats: Mapping[str, Format], *, count: int) -> dict[str, Plain]:
    """Encode an answer of so many words in each format."""
    usage = Usage(input=11, output=count)
    stamp = Stamp(id="0" * 24, created=1767225600)
    answer = Answer(
        model="scripted",
        text=words(count),
        thinking=None,
        tools=(),
        stop_reason="end_turn",
        stop_sequence=None,
        usage=usage,
    )
    prompt = Prompt(model="scripted", stream=True, usage_in_stream=True)
    return {
        path: Plain(document=encode(wire.document(answer, stamp)), chunks=tuple(wire.events(answer, prompt, stamp)))
        for path, wire in formats.items()
    }


def streams(body: bytes) -> bool:
    """Tell from the bytes whether a request asks for a stream; inside a JSON text the quotes would be escaped."""
    return b'"stream":true' in body or b'"stream": true' in body
