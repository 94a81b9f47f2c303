"""What the exchange knows of a lane: how to send a request to a target, and who judges tool calls there."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from claude_gateway.contract.policy import Target, Wire
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.upstream.http.answer import HttpAnswer
from claude_gateway_proxy.gateway.upstream.session import Upstreams
from claude_gateway_proxy.masking import Mask


@dataclass(frozen=True, slots=True)
class Sending:
    """A request that is ready to be sent: awaiting ``response`` sends it and returns the head of the answer.

    ``response`` raises AddressRefused, IdentityError, or Unreachable, OSError or ValueError where
    no answer came. ``wire`` is the wire that the answer comes in. ``mask`` knows the keys that the request is sent
    with, once ``response`` was awaited.
    """

    response: Awaitable[HttpAnswer]
    wire: Wire
    mask: Mask


class Lane(Protocol):
    """A way to reach targets. The exchange holds one object per lane for the life of the process."""

    @property
    def name(self) -> str:
        """The name by which a candidate asks for this lane; also the field ``lane`` of the log line."""
        ...

    @property
    def supports_safeguards(self) -> bool:
        """Whether what is behind this lane judges tool calls itself; if not, the route's judge is asked."""
        ...

    def open(self, call: Call, target: Target, *, upstreams: Upstreams) -> Sending:
        """Prepare the request for one target; nothing is sent yet.

        ``upstreams`` are the connections that the request may use; the exchange keeps them open until its answer
        ended. Raises Failure for a request that no target behind this lane can take.
        """
        ...

    async def close(self) -> None:
        """Close every connection of the lane's own."""
        ...
