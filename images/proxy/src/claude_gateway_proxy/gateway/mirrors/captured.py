"""An answer, captured as it is sent: passed on or discarded, with the facts that a comparison needs."""

import time
from collections.abc import Callable
from typing import Final

from claude_gateway.contract.target import Format
from claude_gateway_proxy.gateway.mirrors.tool_names import ToolNames
from claude_gateway_runtime.asgi import Message, Send

ANSWER_LIMIT: Final = 16 * 1024 * 1024
"""The most bytes of a candidate's answer that are read; a longer one is cut off."""


class TooLong(Exception):  # noqa: N818 - the answer's fault, not an error of ours
    """A candidate's answer is longer than the limit."""


class CapturedAnswer:
    """An ASGI ``send`` that records the tools that an answer calls, and when it was complete."""

    def __init__(self, format: Format, send: Send | None = None, *, begun: Callable[[], None] | None = None) -> None:
        """Pass the answer on to ``send`` (None discards it); ``begun`` is called after its head was sent."""
        self._format = format
        self._send = send
        self._begun = begun
        self._size = 0
        self._tools: ToolNames | None = None
        self.status = 0
        self.ended_at: float | None = None

    @property
    def tools(self) -> frozenset[str] | None:
        """The names of the called tools; None if the answer failed, broke off or was too large to be read."""
        whole = self.status == 200 and self.ended_at is not None and self._tools is not None and self._tools.ended
        return self._tools.names if whole and self._tools is not None else None

    @property
    def failed(self) -> bool:
        """Whether the answer is an error or incomplete."""
        return self.status != 200 or self.ended_at is None or self._tools is None or not self._tools.ended

    async def send(self, message: Message) -> None:
        """Send the next message. Raises TooLong if a candidate's answer exceeds the limit."""
        if self._send is not None:
            await self._send(message)
        if message["type"] == "http.response.start":
            self.status = message["status"]
            kind = next((value for name, value in message["headers"] if name == b"content-type"), b"")
            self._tools = ToolNames(self._format, events=kind.startswith(b"text/event-stream"))
            if self._begun is not None:
                self._begun()
            return
        body = message.get("body", b"")
        self._size += len(body)
        if self._send is None and self._size > ANSWER_LIMIT:
            raise TooLong
        if self._tools is not None:
            self._tools.feed(body)
            if not message.get("more_body", False):
                self._tools.end()
                self.ended_at = time.monotonic()
