"""An answer of Chat Completions as events of Messages, whole or chunk by chunk."""

from collections.abc import Iterator, Mapping
from typing import Any

from claude_gateway_proxy.translation.bad_answer import Broken
from claude_gateway_proxy.translation.chat.calls import Arguments, Begin
from claude_gateway_proxy.translation.chat.chunks import Chunks, Piece
from claude_gateway_proxy.translation.messages.events import Event
from claude_gateway_proxy.translation.messages.writer import Writer
from claude_gateway_proxy.translation.think_tags import ThinkTags


class ChatReader:
    """Reads the chunks of one chat completion."""

    def __init__(self, writer: Writer) -> None:
        """Write to ``writer``."""
        self._writer = writer
        self._chunks = Chunks(writer.tools)
        self._tags = ThinkTags()

    def chunk(self, chunk: Mapping[str, Any]) -> Iterator[Event]:
        """Read a chunk, or a whole completion. Raises Broken if the upstream reports a failure."""
        text = self._chunks.text(chunk)
        if text is not None:
            for kind, said in self._tags.read(text):
                yield from self._said(kind, said)
            return
        for piece in self._chunks.read(chunk):
            yield from self._written(piece)
        if self._chunks.usage is not None:
            self._writer.usage = self._chunks.usage

    def continued(self, chunk: Mapping[str, Any]) -> str | None:
        """Read a chunk that only continues the block of text that is open, and return its text.

        None for any other chunk, which is still to be read by ``chunk``.
        """
        return self._chunks.text(chunk) if self._writer.is_within_text and self._tags.is_text else None

    def end(self) -> Iterator[Event]:
        """End the answer. Raises Broken if it has no end."""
        left = list(self._chunks.end())
        for piece in left:
            yield from self._written(piece)
        for kind, text in self._tags.rest():
            yield from self._said(kind, text)
        if self._chunks.has_media and self._writer.index < 0:
            raise Broken("the upstream answered with nothing but an image or sound, which Messages cannot hold")
        self._writer.stop_sequence = self._chunks.stop_sequence
        yield from self._writer.finish(self._chunks.reason)

    def _written(self, piece: Piece) -> Iterator[Event]:
        if isinstance(piece, Begin):
            for kind, text in self._tags.rest():
                yield from self._said(kind, text)
            yield from self._writer.call(piece.key, ident=piece.ident, name=piece.name, signature=piece.signature)
        elif isinstance(piece, Arguments):
            yield from self._writer.arguments(piece.key, piece.text)
        elif piece.kind == "thinking":
            self._tags.reasoned()
            yield from self._writer.thinking(piece.text)
        else:
            for kind, text in self._tags.read(piece.text):
                yield from self._said(kind, text)

    def _said(self, kind: str, text: str) -> Iterator[Event]:
        return self._writer.thinking(text) if kind == "thinking" else self._writer.text(text)
