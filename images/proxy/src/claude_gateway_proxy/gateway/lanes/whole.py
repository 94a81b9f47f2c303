"""Answers that the gateway has whole before anybody reads them."""

from typing import Final

from claude_gateway_proxy.gateway.upstream.http.answer import Pipe, value_of
from claude_gateway_runtime.asgi import Headers

_JSON: Final = (b"content-type", b"application/json")


class Whole:
    """An answer that is complete, or an error."""

    __slots__ = ("_body", "content_length", "headers", "status")
    pipe: Final[Pipe | None] = None

    def __init__(self, body: bytes, *, status: int, headers: Headers) -> None:
        self.status = status
        self.content_length: int | None = len(body)
        self.headers: Headers = headers
        self._body = body

    def header(self, name: bytes) -> str:
        """Return the value of a header, whose name is in lower case; empty if it is absent."""
        return value_of(self.headers, name)

    async def read(self) -> bytes:
        """Return the body, then nothing."""
        body, self._body = self._body, b""
        return body

    def close(self) -> None:
        """Do nothing: the upstream's answer was read to its end."""


def json_answer(body: bytes, *, status: int = 200, headers: Headers = ()) -> Whole:
    """Return an answer with a JSON body; ``headers`` are those besides its type."""
    return Whole(body, status=status, headers=[_JSON, *headers])
