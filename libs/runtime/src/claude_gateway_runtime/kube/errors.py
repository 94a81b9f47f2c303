"""Why a request to the API server failed, by what the caller can do about it.

Messages hold the method, the path, the status and what the API server says about it, never an object.
"""

import json
from collections.abc import Mapping
from typing import Final

import aiohttp

_RETRYABLE: Final = frozenset((401, 408, 429))
"""401: the token may just have been replaced."""
_LONGEST: Final = 300
"""The most characters kept of the API server's message: longer messages quote the object."""


class KubeError(Exception):
    """A request failed."""


class Retryable(KubeError):  # noqa: N818 - names what to do
    """The API server cannot be reached, is busy, or gives a temporary answer."""


class Conflict(Retryable):
    """The object changed since it was read."""


class Unreachable(Retryable):
    """The API server sent no complete response."""


class Expired(Retryable):
    """A watch or a paged list cannot continue: its version is too old."""


class Forbidden(KubeError):  # noqa: N818
    """The account has no right to do this."""


class NotFound(KubeError):  # noqa: N818
    """The object or its kind does not exist."""


class Refused(KubeError):  # noqa: N818
    """The API server rejects this request, now and later."""


def failure(what: str, *, status: int, reason: str) -> KubeError:
    """Return the error for an HTTP status; ``reason`` is what the API server says."""
    message = f"{what}: {status} {reason}".rstrip()
    if status == 403:
        return Forbidden(message)
    if status == 404:
        return NotFound(message)
    if status == 410:
        return Expired(message)
    if status == 409:
        return Conflict(message)
    return Retryable(message) if status in _RETRYABLE or status >= 500 else Refused(message)


def unreachable(what: str, error: Exception) -> Unreachable:
    """Return the error for a connection that failed.

    Only the operating system's message is kept: an HTTP parser's message quotes the response.
    """
    words = str(error) if isinstance(error, OSError) and not isinstance(error, TimeoutError) else ""
    return Unreachable(f"{what}: the API server cannot be reached: {words or type(error).__name__}")


async def refusal(response: aiohttp.ClientResponse, what: str) -> KubeError:
    """Return the error for a response with an error status."""
    try:
        said = reason_of(json.loads(await response.read()))
    except (ValueError, TimeoutError, OSError, aiohttp.ClientError):
        said = ""
    return failure(what, status=response.status, reason=said or response.reason or "")


def reason_of(status: object) -> str:
    """Return the message of a ``Status`` object, truncated; empty if it has none."""
    if not isinstance(status, Mapping):
        return ""
    return str(status.get("message") or status.get("reason") or "").strip()[:_LONGEST]
