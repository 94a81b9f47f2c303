"""How the codec lane translates an upstream's answer: as bytes for the caller, piece by piece or whole."""

from collections.abc import Iterable
from typing import Protocol

from claude_gateway_proxy.translation.documents import Document
from claude_gateway_runtime.failure import Failure


class Translator(Protocol):
    """Translates one answer into the caller's format. Every method may raise BadAnswer.

    The documents are those of the upstream's stream, or the single one of a whole answer, whatever was requested.
    ``ended`` after the upstream reported that its answer is complete, so that later documents are ignored.
    """

    @property
    def ended(self) -> bool: ...

    def document(self, document: Document) -> bytes:
        """Translate one document; return its events for the caller's stream, often none."""
        ...

    def end(self) -> bytes:
        """Handle the end of the upstream's answer; return the end of the caller's stream. Called once."""
        ...

    def whole(self, documents: Iterable[Document]) -> bytes:
        """Translate all documents of an answer at once, in place of the other two; return the caller's one document."""
        ...

    def failed(self, failure: Failure) -> bytes | None:
        """Return the end of a stream that fails; None for the error event of the caller's format."""
        ...
