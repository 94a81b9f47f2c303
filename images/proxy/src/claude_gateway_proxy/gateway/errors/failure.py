"""One failure, and how it looks on each wire: status, headers and body.

Claude Code decides by status and ``x-should-retry`` whether it tries again: a refused key without ``x-should-retry:
false`` keeps it busy for three minutes.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from claude_gateway.contract.policy import Wire
from claude_gateway_runtime.envelope import anthropic_error, openai_error

Headers = list[tuple[bytes, bytes]]

_AWS_TYPES: Final = {
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    405: "UnknownOperationException",
    408: "ModelTimeoutException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
    504: "ModelTimeoutException",
    529: "ServiceUnavailableException",
}


@dataclass(eq=False, kw_only=True)
class Failure(Exception):  # noqa: N818 - an answer like any other, raised
    """An answer that is not the one asked for.

    ``type`` is Anthropic's ``error.type`` and ``code`` OpenAI's ``error.code``; ``retry`` becomes ``x-should-retry``,
    ``retry_after`` (seconds) and ``allow`` the headers of these names. ``close``: the connection cannot be used any
    more. Nothing in it is secret.
    """

    status: int
    type: str
    message: str
    code: str | None = None
    retry: bool | None = None
    retry_after: float | None = None
    allow: str | None = None
    close: bool = False

    def __str__(self) -> str:
        return f"{self.status} {self.type}: {self.message}"


def envelope(failure: Failure, *, shape: Wire, request_id: str) -> bytes:
    """The JSON body of a failure in the caller's format; also the data of an error event within a stream."""
    if shape is Wire.BEDROCK:
        return msgspec.json.encode({"message": failure.message})
    if shape is Wire.OPENAI:
        return openai_error(status=failure.status, message=failure.message, code=failure.code)
    return anthropic_error(type=failure.type, message=failure.message, request_id=request_id)


def shape_headers(shape: Wire, status: int) -> Headers:
    """The headers that belong to the envelope of a wire."""
    if shape is not Wire.BEDROCK:
        return []
    kind = _AWS_TYPES.get(status, "InternalServerException" if status >= 500 else "ValidationException")
    return [(b"x-amzn-errortype", kind.encode())]


def render(failure: Failure, *, shape: Wire, request_id: str) -> tuple[int, Headers, bytes]:
    """Status, headers and body of a failure; every header that an answer needs is there."""
    body = envelope(failure, shape=shape, request_id=request_id)
    ident = request_id.encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"request-id", ident),
        (b"x-request-id", ident),
        *shape_headers(shape, failure.status),
    ]
    if failure.retry is not None:
        headers.append((b"x-should-retry", b"true" if failure.retry else b"false"))
    if failure.retry_after is not None:
        headers.append((b"retry-after", b"%d" % max(1, round(failure.retry_after))))
    if failure.allow is not None:
        headers.append((b"allow", failure.allow.encode()))
    if failure.close:
        headers.append((b"connection", b"close"))
    return failure.status, headers, body
