"""The JSON bodies of errors as Anthropic, OpenAI and AWS define them, and Anthropic's error types by status."""

from enum import Enum
from typing import Final

import msgspec

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
"""``error.type`` of each status that has a type of its own (Anthropic API reference, errors)."""

_OPENAI_TYPES: Final = {408: "timeout", 429: "rate_limit_error", 504: "timeout"}


class Envelope(Enum):
    """The API whose error format an error uses."""

    ANTHROPIC = "anthropic"
    OPENAI = "openai"
    AWS = "aws"


def anthropic_type(status: int) -> str:
    """Return Anthropic's ``error.type`` for a status."""
    return ANTHROPIC_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")


def anthropic_error(*, kind: str, message: str, request_id: str | None) -> bytes:
    """An error in Anthropic's envelope, with ``kind`` as its type and the id of the request where it is known."""
    body = {"type": "error", "error": {"type": kind, "message": message}}
    return msgspec.json.encode(body if request_id is None else {**body, "request_id": request_id})


def openai_error(*, status: int, message: str, code: str | None) -> bytes:
    """Return an error as OpenAI's API writes it."""
    kind = _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": None, "code": code}})


def aws_error(*, message: str) -> bytes:
    """An error in AWS's envelope, which has its type in a header."""
    return msgspec.json.encode({"message": message})
