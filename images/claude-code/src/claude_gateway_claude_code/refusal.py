"""What an error of Anthropic's is for the caller: its status, when to try again, whether the login is at fault."""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from claude_gateway_claude_code import failures
from claude_gateway_claude_code.failures import AnsweredFailure
from claude_gateway_runtime.envelope import ANTHROPIC_TYPES
from claude_gateway_runtime.failure import Failure

_LIMITS: Final = "anthropic-ratelimit-unified-"
"""The headers with the limits of a subscription: its windows, how much of each is used, and when it starts again."""
_RESET: Final = f"{_LIMITS}reset"
_SOON: Final = 60
"""Seconds for which a client should wait by itself."""
_LONGEST: Final = 30 * 24 * 3600
_LOGIN: Final = re.compile(r"\b(?:oauth|token|credential|revoked|authenticat)", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\d{1,11}(?:\.\d{1,6})?")
_STATUSES: Final = {kind: status for status, kind in ANTHROPIC_TYPES.items() if status != 408}


class _Error(msgspec.Struct):
    message: str = ""
    type: str = ""


class _Envelope(msgspec.Struct):
    error: _Error


def failure_of(status: int, headers: Mapping[str, str], body: bytes, *, now: float | None = None) -> Failure:
    """Return what an answer of Anthropic's other than 200 is for the caller; ``now`` is Unix time."""
    return _failure(status, headers, _read(body), now=time.time() if now is None else now)


def failure_of_event(data: bytes, headers: Mapping[str, str], *, now: float | None = None) -> Failure:
    """Return what an error event in the middle of a stream is; of anything else, that the answer broke off.

    ``headers`` are those of the stream.
    """
    error = _read(data)
    if not error.type:
        return failures.broken_off()
    status = _STATUSES.get(error.type, 502)
    return _failure(status, headers, error, now=time.time() if now is None else now)


def _failure(status: int, headers: Mapping[str, str], error: _Error, *, now: float) -> Failure:
    message = error.message or f"Anthropic answered with status {status}"
    if status == 401 or (status == 403 and _LOGIN.search(message)):
        return failures.login_rejected(message)
    if status == 429:
        return _limited(message, headers, now=now)
    if not 400 <= status < 600:
        status = 502
    return AnsweredFailure(
        status=status,
        message=message,
        type=error.type,
        retry=None if status >= 500 else False,
        retry_after=headers.get("retry-after"),
        request_id=headers.get("request-id"),
    )


def _limited(message: str, headers: Mapping[str, str], *, now: float) -> Failure:
    """A rate limit: of the subscription, which says when its window starts again, or of the moment."""
    limits = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items() if _is_limit(name)]
    after = _seconds(headers.get("retry-after"))
    reset = _seconds(headers.get(_RESET))
    if reset is not None and reset > now:
        after = max(after or 0, reset - now)
        message = f"{message} (the limit resets at {datetime.fromtimestamp(reset, UTC):%Y-%m-%d %H:%M} UTC)"
    return AnsweredFailure(
        status=429,
        message=message,
        retry=None if after is None else after <= _SOON,
        retry_after=None if after is None else str(max(1, round(min(after, _LONGEST)))),
        request_id=headers.get("request-id"),
        more=limits,
    )


def _is_limit(name: str) -> bool:
    return name.lower().startswith(_LIMITS)


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and _NUMBER.fullmatch(text.strip()) else None


def _read(body: bytes) -> _Error:
    try:
        return msgspec.json.decode(body, type=_Envelope).error
    except (msgspec.DecodeError, RecursionError):
        return _Error()
