"""The outcome of a request, decided in one place from who failed, how, and with which status."""

from enum import Enum
from typing import Final

from claude_gateway_proxy.gateway.telemetry.record import Outcome, UpstreamError

_TIMEOUTS: Final = frozenset({UpstreamError.FIRST_TOKEN, UpstreamError.STALLED})
_NOT_LET_IN: Final = frozenset({401, 429, 503, 529})
_NOT_SUPPORTED: Final = 501
_OF_LOAD: Final = frozenset({408, 429})


class By(Enum):
    """Who made a request fail."""

    CLIENT = "the client left"
    GATEWAY = "the gateway rejected it, or tried no target"
    UPSTREAM = "a target was tried and failed"
    REPLY = "a target answered with an error of its own, which the client gets"
    JUDGE = "a request of the gateway's own got no answer"
    BUG = "the gateway has a bug"


def outcome(by: By, *, status: int = 0, kind: UpstreamError | None = None) -> Outcome:
    """The outcome of a request that failed.

    ``status`` is the answer's, for GATEWAY, REPLY and JUDGE. ``kind`` is for UPSTREAM: None where the target blames the
    request.
    """
    match by:
        case By.CLIENT:
            return "cancelled"
        case By.BUG:
            return "internal_error"
        case By.UPSTREAM:
            if kind in _TIMEOUTS:
                return "timeout"
            return "client_error" if kind is None else "upstream_error"
        case By.REPLY:
            # An operation that an upstream does not support (501) fails for every request of this kind.
            blamed = status == _NOT_SUPPORTED or (status < 500 and status not in _OF_LOAD)
            return "client_error" if blamed else "upstream_error"
        case By.JUDGE:
            return "timeout" if status == 504 else "upstream_error"
        case By.GATEWAY:
            if status in _NOT_LET_IN:
                return "refused"
            if status < 500 or status == _NOT_SUPPORTED:
                return "client_error"
            return "timeout" if status == 504 else "upstream_error"
