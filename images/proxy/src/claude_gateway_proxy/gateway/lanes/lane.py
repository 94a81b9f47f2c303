"""The protocol of a lane: how to send a request to a target, and whether tool calls are judged there."""

from collections.abc import Awaitable
from typing import Protocol

import msgspec

from claude_gateway.contract.target import Target, Wire
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.upstream.http.answer import Pipe
from claude_gateway_proxy.gateway.upstream.session import Upstreams
from claude_gateway_proxy.masking import Mask
from claude_gateway_runtime.asgi import Headers


class Response(Protocol):
    """The head of an answer, and how to read the rest: an upstream's own, or a lane's translation.

    Names of ``headers`` are in lower case. ``content_length`` is None if it is not known before the end.
    """

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def content_length(self) -> int | None: ...
    @property
    def pipe(self) -> Pipe | None:
        """Passes on each piece, in place of ``read``; None if only ``read`` returns it."""
        ...

    def header(self, name: bytes) -> str:
        """Return the value of a header, whose name is in lower case; empty if it is absent."""
        ...

    async def read(self) -> bytes:
        """Return the next bytes, empty at the end. Raises OSError if the answer breaks off."""
        ...

    def close(self) -> None:
        """Close the answer, whether read or not, and so end the upstream's work."""
        ...


class Sending(msgspec.Struct, frozen=True):
    """A request that is ready to be sent: awaiting ``response`` sends it and returns the head of the answer.

    ``response`` raises AddressRefused, IdentityError, or Unreachable, OSError or ValueError if no answer came.
    ``wire`` is the wire that the answer comes in. ``mask`` knows the keys that the request is sent with, once
    ``response`` was awaited. ``hides_counts``: the request is for the token counts of a stream too, which the client
    did not request.
    """

    response: Awaitable[Response]
    wire: Wire
    mask: Mask
    hides_counts: bool = False


class Lane(Protocol):
    """A way to reach targets. The exchange has one object per lane for the life of the process."""

    @property
    def name(self) -> str:
        """The name by which a candidate selects this lane; also the field ``lane`` of the log line."""
        ...

    @property
    def supports_safeguards(self) -> bool:
        """Whether the targets of this lane judge tool calls themselves; if not, the route's judge does."""
        ...

    def open(self, call: Call, target: Target, *, upstreams: Upstreams) -> Sending:
        """Prepare the request for one target; nothing is sent yet.

        ``upstreams`` are the connections that the request may use; the exchange keeps them open until its answer
        ended. Raises Failure for a request that no target of this lane can take.
        """
        ...

    async def close(self) -> None:
        """Close every connection of the lane's own."""
        ...
