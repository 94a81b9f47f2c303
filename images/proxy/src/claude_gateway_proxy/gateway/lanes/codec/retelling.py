"""How the codec lane reads an upstream's answer: as bytes for the caller, event by event or whole."""

from typing import Any, Protocol

from claude_gateway_proxy.translation.framing import ServerEvent


class Retelling(Protocol):
    """Retells one answer in the caller's format, as the bytes that the caller gets.

    Every method may raise BadAnswer. ``ended`` once the upstream said that its answer is complete, so that nothing
    after it matters; the bytes returned until then are a complete stream.
    """

    @property
    def ended(self) -> bool: ...

    def event(self, event: ServerEvent) -> bytes:
        """Take one event of the upstream's stream; return what the caller gets of it, often nothing."""
        ...

    def end(self) -> bytes:
        """Take the end of the upstream's stream; return the end of the caller's."""
        ...

    def whole(self, document: Any) -> bytes:
        """Take a whole answer; return the caller's, as one document."""
        ...

    def streamed(self, document: Any) -> bytes:
        """Take a whole answer where a stream was asked for; return it as a complete stream."""
        ...
