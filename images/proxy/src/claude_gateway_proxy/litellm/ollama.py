"""Ollama's own format, one JSON document per line: LiteLLM treats half an answer, or an error, as complete.

Source: github.com/ollama/ollama, docs/api.md; errors in the middle of a stream are lines of their own.
"""

from typing import Final

from claude_gateway_proxy.translation.bad_answer import Broken
from claude_gateway_proxy.translation.decoding import MALFORMED, decode
from claude_gateway_proxy.translation.framing import escaped
from claude_gateway_proxy.translation.reports import reported

PATHS: Final = ("/api/chat", "/api/generate")


class Stream:
    """Reads one stream; LiteLLM gets whole lines of it, and never an error."""

    def __init__(self) -> None:
        """Begin before the first line."""
        self._rest: list[bytes] = []
        self._is_done = False

    def feed(self, piece: bytes) -> bytes:
        """Return what LiteLLM may read of a piece. Raises BadAnswer."""
        lines, mark, rest = piece.rpartition(b"\n")
        if not mark:
            self._rest.append(piece)
            return b""
        found = b"".join([*self._rest, lines, mark])
        self._rest = [rest]
        return self._checked(found)

    def end(self) -> bytes:
        """Return what is left at the end. Raises BadAnswer where the answer has none."""
        left = self._checked(b"".join(self._rest))
        if not self._is_done:
            raise Broken("the upstream ended its answer before its end")
        return left

    def _checked(self, lines: bytes) -> bytes:
        for line in lines.split(b"\n"):
            if line.strip():
                self._is_done = _is_done(line) or self._is_done
        return escaped(lines)


def whole(content: bytes) -> bytes:
    """Return a whole answer. Raises BadAnswer where it is an error, or not complete."""
    if not _is_done(content):
        raise Broken("the upstream ended its answer before its end")
    return content


def _is_done(line: bytes) -> bool:
    """Return whether a document is the last one of an answer. Raises BadAnswer for one that is an error."""
    document = decode(line)
    if document is MALFORMED or not isinstance(document, dict):
        raise Broken("the upstream's answer is not JSON, or is cut off")
    error = reported(document)
    if error is not None:
        raise error
    return document.get("done") is True
