"""Failed attempts."""

from typing import Final

from claude_gateway.contract.login import Outcome
from claude_gateway_proxy.gateway.errors import Failure, Relayed
from claude_gateway_proxy.gateway.telemetry.record import UpstreamError
from claude_gateway_proxy.translation.limits import TooLong
from claude_gateway_proxy.unreachable import Obstacle

_ABSENT: Final = frozenset({404, 405, 501})
_BUSY: Final = frozenset({UpstreamError.RATE_LIMITED, UpstreamError.OVERLOADED})


class AttemptFailed(Exception):  # noqa: N818 - one attempt, not the request
    """A target did not answer the request. ``reply`` is the client's answer if this is the failure that it gets.

    ``kind`` is None if the request itself is at fault; ``retry`` says whether another target may succeed. ``obstacle``
    is why no answer came; ``said`` is the message of the upstream or the system, for the gateway's owner.
    ``verdict`` is what this says about the gateway's credential, if anything. ``too_long`` is set if the request is too
    long for the target: one with a larger window may answer it. ``retry_after`` is the upstream's ``retry-after`` in
    seconds.
    """

    def __init__(
        self,
        reply: Failure | Relayed,
        *,
        kind: UpstreamError | None,
        retry: bool,
        obstacle: Obstacle | None = None,
        said: str = "",
        verdict: Outcome | None = None,
        too_long: TooLong | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(kind)
        self.reply = reply
        self.kind = kind
        self.retry = retry
        self.obstacle = obstacle
        self.said = said
        self.verdict = verdict
        self.too_long = too_long
        self.retry_after = retry_after

    @property
    def lacks_operation(self) -> bool:
        """Whether the upstream reports that it does not support the operation, such as counting tokens."""
        return isinstance(self.reply, Relayed) and self.reply.status in _ABSENT

    @property
    def busy(self) -> bool:
        """Whether the target will probably answer in a while."""
        return self.kind in _BUSY
