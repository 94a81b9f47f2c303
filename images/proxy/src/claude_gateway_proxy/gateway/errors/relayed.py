"""An upstream's own error on its way to the caller: unchanged if the caller can read it.

Claude Code matches the wording of errors and repairs its request by it, so that an error in the caller's own envelope
is not touched. Any other one (a load balancer's page, an OpenAI-like server behind the Anthropic wire) is put into the
envelope, with its status, its wording and its headers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from claude_gateway.contract.target import Wire
from claude_gateway_proxy.gateway.errors.render import envelope, shape_headers
from claude_gateway_proxy.masking import NOTHING, Mask
from claude_gateway_proxy.translation.words import words_of
from claude_gateway_runtime.envelope import ANTHROPIC_TYPES, anthropic_type
from claude_gateway_runtime.failure import Failure

_MESSAGE_LIMIT: Final = 16 * 1024
"""The most characters of an upstream's message that are put into another envelope."""

_READ_LIMIT: Final = 64 * 1024
_LOGGED: Final = 300
"""The most characters of an error message in the log."""

_OF_THE_BODY: Final = frozenset({b"content-type", b"content-length", b"content-encoding", b"x-amzn-errortype"})
_TYPES: Final = frozenset(ANTHROPIC_TYPES.values()) | {"api_error"}
_OF_ANY_STATUS: Final = "invalid_request_error"


@dataclass(frozen=True, slots=True)
class Relayed:
    """An upstream's error that goes to the caller with its status and headers."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


def relayed(upstream: Relayed, *, shape: Wire, route: str, request_id: str) -> Relayed:
    """Return the error in the caller's envelope; ``upstream`` itself if it is already in it."""
    found = _object(upstream.body)
    if found is not None and upstream.body.lstrip()[:1] == b"{" and _fits(found, upstream.headers, shape):
        return upstream
    failure = Failure(
        status=upstream.status,
        type=_type(found, upstream.status),
        code="upstream_error",
        message=_message(upstream.body)
        or f"the upstream of the route '{route}' answered with status {upstream.status} and no message",
    )
    kept = [(name, value) for name, value in upstream.headers if name.lower() not in _OF_THE_BODY]
    headers = [*kept, (b"content-type", b"application/json"), *shape_headers(shape, upstream.status)]
    return replace(upstream, headers=headers, body=envelope(failure, shape=shape, request_id=request_id))


def words(body: bytes, *, mask: Mask = NOTHING) -> str:
    """Return the message of an upstream's error on one line, for the log, without the keys of ``mask``."""
    text = _message(body) or body[:_MESSAGE_LIMIT].decode("utf-8", "replace")
    # Keys are masked first, because a cut could leave half of one.
    return " ".join(mask.text(text)[:_LOGGED].split())


def _object(body: bytes) -> Mapping[str, Any] | None:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(found, list) and len(found) == 1:
        found = found[0]  # Google's streams
    return found if isinstance(found, dict) else None


def _fits(found: Mapping[str, Any], headers: Sequence[tuple[bytes, bytes]], shape: Wire) -> bool:
    if shape is Wire.BEDROCK:
        return any(name.lower() == b"x-amzn-errortype" for name, _ in headers)
    if shape is Wire.OPENAI:
        return "error" in found and found.get("type") != "error"
    return found.get("type") == "error" and isinstance(found.get("error"), dict)


def _type(found: Mapping[str, Any] | None, status: int) -> str:
    """Return the upstream's error type if it is one of Anthropic's; the status says more than other vendors' types.

    Servers of OpenAI's format have ``invalid_request_error`` in errors of any status.
    """
    error = found.get("error") if found is not None else None
    own = error.get("type") if isinstance(error, dict) else None
    if not isinstance(own, str) or own not in _TYPES or (own == _OF_ANY_STATUS and status in ANTHROPIC_TYPES):
        return anthropic_type(status)
    return own


def _message(body: bytes) -> str | None:
    """Return the upstream's message from the place where its vendor puts it; empty for a web page."""
    found = words_of(body[:_READ_LIMIT].decode("utf-8", "replace"))
    return None if found is None else found[:_MESSAGE_LIMIT]
