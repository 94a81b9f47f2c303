"""Errors of Anthropic's in the middle of an answer, as OpenAI's formats have them."""

from typing import Any, Final

_STATUSES: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "timeout_error": 504,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "overloaded_error": 529,
}
"""Anthropic's types of errors. Source: its API reference, errors."""

_CHAT_TYPES: Final = {429: "rate_limit_error", 504: "timeout"}
_CODES: Final = {429: "rate_limit_exceeded", 529: "server_is_overloaded"}


def status_of(kind: str) -> int:
    """Return the HTTP status that an error of one of Anthropic's types stands for."""
    return _STATUSES.get(kind, 500)


def chat_error(kind: str, message: str) -> dict[str, Any]:
    """Return the ``error`` object of Chat Completions for one of Anthropic's types."""
    status = status_of(kind)
    found = _CHAT_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"message": message, "type": found, "param": None, "code": _code(status, message)}


def responses_error(kind: str, message: str) -> dict[str, Any]:
    """Return the ``error`` of a response that failed, for one of Anthropic's types."""
    status = status_of(kind)
    code = _code(status, message) or ("server_error" if status >= 500 else "invalid_prompt")
    return {"code": code, "message": message}


def _code(status: int, message: str) -> str | None:
    if message.startswith("prompt is too long"):
        return "context_length_exceeded"
    return _CODES.get(status)
