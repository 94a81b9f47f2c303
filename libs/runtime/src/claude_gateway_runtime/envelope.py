"""Errors as Anthropic and OpenAI write them: types by status, and JSON bodies."""

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
"""``error.type`` by status where there is a word of its own."""

_OPENAI_TYPES: Final = {408: "timeout", 429: "rate_limit_error", 504: "timeout"}


def anthropic_type(status: int) -> str:
    """Anthropic's ``error.type`` for a status."""
    return ANTHROPIC_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")


def anthropic_error(*, type: str, message: str, request_id: str | None) -> bytes:  # noqa: A002 - the field's name
    """An error in Anthropic's envelope, with the id of the request where it is known."""
    told = {"type": "error", "error": {"type": type, "message": message}}
    return msgspec.json.encode(told if request_id is None else {**told, "request_id": request_id})


def openai_error(*, status: int, message: str, code: str | None) -> bytes:
    """An error in OpenAI's envelope."""
    kind = _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return msgspec.json.encode({"error": {"message": message, "type": kind, "param": None, "code": code}})
