"""One failure, and how it looks on each wire: status, headers and body.

Claude Code decides by status and ``x-should-retry`` whether it tries again: a refused key without ``x-should-retry:
false`` keeps it busy for three minutes.
"""

from dataclasses import dataclass
from typing import Final

import msgspec

from claude_gateway.contract.policy import Wire

Headers = list[tuple[bytes, bytes]]

ANTHROPIC_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    501: "not_supported_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""``error.type`` by status where there is a word of its own."""

_OPENAI_TYPES: Final = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    408: "timeout",
    413: "invalid_request_error",
    415: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout",
}
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


def anthropic_type(status: int) -> str:
    """Anthropic's ``error.type`` for a status."""
    return ANTHROPIC_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")


def envelope(failure: Failure, *, shape: Wire, request_id: str) -> bytes:
    """The JSON body of a failure in the caller's format; also the data of an error event within a stream."""
    if shape is Wire.BEDROCK:
        return msgspec.json.encode({"message": failure.message})
    if shape is Wire.OPENAI:
        kind = _OPENAI_TYPES.get(failure.status, "server_error" if failure.status >= 500 else "invalid_request_error")
        error = {"message": failure.message, "type": kind, "param": None, "code": failure.code}
        return msgspec.json.encode({"error": error})
    told = {"type": failure.type, "message": failure.message}
    return msgspec.json.encode({"type": "error", "error": told, "request_id": request_id})


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
