"""Answers with a status of success that are no answers: a web page, and an error in place of an answer."""

import re
from typing import TYPE_CHECKING, Final

from claude_gateway_proxy.gateway.lanes.lane import Response
from claude_gateway_proxy.gateway.upstream.http.answer import Pipe, value_of
from claude_gateway_proxy.translation.decoding import decode
from claude_gateway_proxy.translation.reports import reported

if TYPE_CHECKING:
    from claude_gateway_runtime.asgi import Headers

_HEAD: Final = 256
"""Bytes in which an answer shows what it is."""

_ERROR: Final = re.compile(rb'\{\s*+(?:"error"\s*+:\s*+[{"]|"type"\s*+:\s*+"error")')
"""How an error of a vendor begins; no answer begins like this."""


def is_page(head: bytes) -> bool:
    """Return whether an answer is a web page, such as that of a login; no format's answers begin like one."""
    return head[:_HEAD].lstrip()[:1] == b"<"


def may_be_error(head: bytes) -> bool:
    """Return whether an answer begins like an error."""
    return _ERROR.match(head[:_HEAD].lstrip()) is not None


def restated(response: Response, body: bytes) -> Response | None:
    """Return an error as an answer with the status that the error stands for; None if ``body`` is none."""
    document = decode(body)
    error = reported(document) if isinstance(document, dict) else None
    return None if error is None else _Restated(response, error.status, body)


class _Restated:
    """An answer that is complete, with another status."""

    __slots__ = ("_body", "content_length", "headers", "status")
    pipe: Final[Pipe | None] = None

    def __init__(self, response: Response, status: int, body: bytes) -> None:
        self.status = status
        self.headers: Headers = response.headers
        self.content_length: int | None = len(body)
        self._body = body

    def header(self, name: bytes) -> str:
        """Return the value of a header, whose name is in lower case; empty if it is absent."""
        return value_of(self.headers, name)

    async def read(self) -> bytes:
        """Return the body, then nothing."""
        body, self._body = self._body, b""
        return body

    def close(self) -> None:
        """Do nothing: the body was read."""
