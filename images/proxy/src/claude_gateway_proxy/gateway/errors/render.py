"""How a failure looks on each wire: status, headers and body."""

from typing import Final

from claude_gateway.contract.target import Wire
from claude_gateway_runtime.asgi import Headers
from claude_gateway_runtime.envelope import Envelope
from claude_gateway_runtime.failure import Failure

ENVELOPES: Final = {
    Wire.ANTHROPIC: Envelope.ANTHROPIC,
    Wire.VERTEX: Envelope.ANTHROPIC,
    Wire.BEDROCK: Envelope.AWS,
    Wire.OPENAI: Envelope.OPENAI,
}
"""The envelope of a wire's errors."""

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


def envelope(failure: Failure, *, shape: Wire, request_id: str) -> bytes:
    """The JSON body of a failure on a wire."""
    return failure.body(ENVELOPES[shape], request_id=request_id)


def shape_headers(shape: Wire, status: int) -> Headers:
    """The headers that belong to the envelope of a wire."""
    if shape is not Wire.BEDROCK:
        return []
    kind = _AWS_TYPES.get(status, "InternalServerException" if status >= 500 else "ValidationException")
    return [(b"x-amzn-errortype", kind.encode())]


def render(failure: Failure, *, shape: Wire, request_id: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of a failure; the headers are complete, and the caller may add to them."""
    body = envelope(failure, shape=shape, request_id=request_id)
    ident = request_id.encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"request-id", ident),
        (b"x-request-id", ident),
        *shape_headers(shape, failure.status),
        *failure.headers(),
    ]
    return failure.status, headers, body
