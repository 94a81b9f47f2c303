"""Errors that upstreams report with a status of success: in place of an answer, or in the middle of one."""

from collections.abc import Mapping
from typing import Any, Final

from claude_gateway_proxy.translation.bad_answer import Reported
from claude_gateway_proxy.translation.chat.parts import objects_of
from claude_gateway_proxy.translation.words import words_of

_NAMES: Final[dict[str, int]] = {
    **dict.fromkeys(("invalid_request_error", "badrequesterror", "invalid_argument", "invalid_parameter"), 400),
    **dict.fromkeys(("invalid_prompt", "context_length_exceeded", "failed_precondition", "bad_request"), 400),
    **dict.fromkeys(("authentication_error", "unauthenticated", "invalid_api_key", "unauthorized"), 401),
    **dict.fromkeys(("billing_error", "insufficient_balance", "payment_required"), 402),
    **dict.fromkeys(("permission_error", "permission_denied", "forbidden"), 403),
    **dict.fromkeys(("not_found_error", "not_found", "model_not_found", "notfounderror"), 404),
    **dict.fromkeys(("request_too_large", "payload_too_large"), 413),
    **dict.fromkeys(("rate_limit_error", "rate_limit_exceeded", "resource_exhausted", "insufficient_quota"), 429),
    **dict.fromkeys(("too_many_requests", "ratelimiterror", "rate_limited", "rate_limit_reached_error"), 429),
    **dict.fromkeys(("timeout_error", "deadline_exceeded", "timeout"), 504),
    **dict.fromkeys(("unavailable", "service_unavailable", "serviceunavailableerror"), 503),
    **dict.fromkeys(("overloaded_error", "overloaded", "engine_overloaded_error", "server_overloaded"), 529),
}
"""Types, codes and statuses of errors that vendors write as text."""

_NUMBERS: Final[dict[int, int]] = {
    # MiniMax
    1002: 429,
    1004: 401,
    1008: 402,
    1026: 400,
    1027: 400,
    1039: 429,
    1041: 429,
    2013: 400,
    2049: 401,
    2056: 429,
    # z.ai
    1000: 401,
    1001: 401,
    1003: 401,
    1113: 402,
    1210: 400,
    1211: 404,
    1213: 400,
    1214: 400,
    1261: 400,
    1301: 400,
    1302: 429,
    1303: 429,
    1304: 429,
    1305: 529,
    1308: 429,
    1312: 529,
}
"""Vendors' own numbers."""

_CODES: Final = ("code", "status_code", "statusCode", "status", "error_code", "errorCode")
_WORDS: Final = ("message", "Message", "msg", "detail", "error_msg", "errorMsg", "error_message", "errorMessage")
"""Where documents of vendors that have no name for an error hold its number and its words."""

_PARTS: Final = frozenset(
    {"message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta"}
    | {"message_stop", "ping", "response.output_text.delta", "response.function_call_arguments.delta"}
)
"""Types of the events that most of a stream consists of; no vendor reports an error with them."""

_NO_WORDS: Final = "the upstream reported an error without words"


def document_of(value: object) -> Mapping[str, Any] | None:
    """Return the object that a value is or that is alone in a list, as in errors of Google; None if there is none."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, dict) else None


def reported(document: Mapping[str, Any]) -> Reported | None:
    """Return the error in a document of an answer; None if it is part of an answer, or empty."""
    error = _error(document)
    if error is None:
        return None
    words = words_of(document if isinstance(error, str) else error) or words_of(document) or _NO_WORDS
    inner = {**document, "error": error} if isinstance(error, dict) and error is not document else document
    return Reported(words, status=status_of(inner), document=document)


def status_of(document: Mapping[str, Any]) -> int:
    """Return the HTTP status that an error document stands for, 500 if it does not say."""
    error = document.get("error")
    response = document.get("response")
    inner = response.get("error") if isinstance(response, dict) else None
    base = document.get("base_resp")
    for place in (error, inner, base, document):
        if not isinstance(place, dict):
            continue
        for key in (
            "code",
            "status_code",
            "statusCode",
            "status",
            "http_code",
            "error_code",
            "errorCode",
            "type",
            "reason",
        ):
            status = _status(place.get(key))
            if status is not None:
                return status
    text = words_of(document)
    return 529 if text is not None and "overloaded" in text.lower() else 500


def _status(value: object) -> int | None:
    if isinstance(value, str):
        text = value.strip().lower()
        if not (text.isascii() and text.isdigit() and len(text) < 8):
            return _NAMES.get(text.replace(" ", "_").replace("-", "_"))
        value = int(text)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return _NUMBERS.get(value, value if 400 <= value < 600 else None)


def _error(document: Mapping[str, Any]) -> object:
    """Return the error in a document; None if it has none."""
    error = document.get("error")
    if error and error is not True and says_something(error):
        return error
    base = document.get("base_resp")
    if isinstance(base, dict) and base.get("status_code") not in (0, None, "0"):
        return base
    choices = objects_of(document.get("choices"))
    inner = choices[0].get("error") if choices else None
    if inner and says_something(inner):
        return inner
    if document.get("choices") or document.get("output") or document.get("usage"):
        return None
    kind = document.get("type")
    if document.get("object") == "error" or kind in ("error", "response.error"):
        return document
    if isinstance(kind, str) and kind in _PARTS:
        return None
    return document if _is_refusal(document) else None


def _is_refusal(document: Mapping[str, Any]) -> bool:
    """Return whether a document without an answer is an error of a vendor that has no name for it."""
    if document.get("success") is False or document.get("error") is True or document.get("errors"):
        return True
    number = next(filter(None, (_number(document.get(key)) for key in _CODES)), 0)
    words = any(isinstance(document.get(key), str | list) and document.get(key) for key in _WORDS)
    return number >= 400 or (words and "id" not in document and "type" not in document)


def _number(code: object) -> int:
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) < 8:
        return int(code)
    return code if isinstance(code, int) else 0


def says_something(error: object) -> bool:
    """Return whether an ``error`` member says something: some servers send empty ones with every chunk."""
    if isinstance(error, dict):
        return any(value not in (None, "", 0, "0", False) for value in error.values())
    return isinstance(error, str | list) and bool(error)
