"""The worker's own failures."""

from dataclasses import dataclass
from typing import Final

from claude_gateway.names import HEADER_DETAIL, HEADER_OBSTACLE
from claude_gateway_proxy.unreachable import PHRASES, Obstacle, Unreachable
from claude_gateway_runtime.asgi import Headers
from claude_gateway_runtime.failure import Failure, row

UNREACHABLE: Final = "upstream_unreachable"
"""The code of a failure of the connection, not of the upstream."""

BROKEN: Final = "upstream_broken"
"""The code for an answer that is unreadable or incomplete."""


@row(400, retry=False)
def bad_request(message: str) -> str:
    """The request does not follow its format, or requests something that is not supported here."""
    return message


@row(404, retry=False)
def unknown_path(path: str) -> str:
    """Nothing is served under this path."""
    return f"nothing is served at '{path[:128]}'"


@row(500, "internal_error")
def internal() -> str:
    """A bug of this process or of LiteLLM; the log says where."""
    return "the request could not be translated"


@row(501, "not_supported", retry=False)
def cannot_count(provider: str) -> str:
    """The provider has no way to count tokens exactly, and an estimate would be wrong."""
    return f"tokens cannot be counted exactly for the provider '{provider}'"


@row(502, BROKEN)
def empty_answer() -> str:
    """The upstream ended its stream before the answer began."""
    return "the upstream ended its answer before it began"


@row(502, BROKEN)
def answer_refused(reason: str) -> str:
    """The upstream's answer is too large, or cannot be decompressed."""
    return reason


@row(502, BROKEN)
def broken(reason: str) -> str:
    """The upstream's answer is empty, incomplete or invalid."""
    return reason


@row(502, "upstream_redirected")
def redirected() -> str:
    """The upstream answered with a redirect."""
    return "the upstream answered with a redirect, which is not followed"


@row(503, "target_unknown")
def unknown_target(ident: str) -> str:
    """No revision that this process has loaded contains the target; the gateway may be ahead of it."""
    return f"the LiteLLM worker does not know the target '{ident[:256]}' yet"


@row(504, "upstream_timeout")
def timed_out() -> str:
    """The upstream did not answer in time."""
    return "the upstream took too long"


@dataclass(eq=False, kw_only=True)
class NotReached(Failure):
    """The upstream did not answer; the headers contain the reason for the gateway, which logs it."""

    obstacle: Obstacle
    detail: str

    def headers(self) -> Headers:
        """The headers of every failure, and the obstacle with its details."""
        detail = self.detail.encode("ascii", "replace").replace(b"\n", b" ").replace(b"\r", b" ")
        obstacle = self.obstacle.value.encode()
        return [*super().headers(), (HEADER_OBSTACLE.encode(), obstacle), (HEADER_DETAIL.encode(), detail)]


def address_refused() -> NotReached:
    """The egress rule rejects the address of the target's host."""
    return NotReached(
        status=502,
        code="upstream_address_refused",
        message="the target's host resolves to an address that is not allowed",
        obstacle=Obstacle.ADDRESS,
        detail="",
    )


def unreachable(why: Unreachable | None = None) -> NotReached:
    """There is no connection to the upstream, or (without a reason) it broke in the middle of an answer."""
    found = why or Unreachable(Obstacle.BROKEN)
    return NotReached(
        status=502,
        code=UNREACHABLE,
        message=f"the upstream gave no answer: {PHRASES[found.obstacle]}",
        obstacle=found.obstacle,
        detail=found.detail,
    )
