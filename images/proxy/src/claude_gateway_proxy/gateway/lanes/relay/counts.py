"""Streams of Chat Completions whose clients did not request their token counts: the gateway requests them for itself.

Without them a stream could only be estimated, and hidden reasoning would not be charged at all.
A server that refuses the parameter gets the request as the client sent it, for an hour without asking again.
"""

import re
import time
from collections.abc import Awaitable, Callable
from typing import Final

from claude_gateway.contract.target import Format, Target, Wire
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.lanes.lane import Response
from claude_gateway_proxy.gateway.lanes.relay.refusals import refusal
from claude_gateway_proxy.gateway.upstream.http.answer import HttpAnswer
from claude_gateway_proxy.gateway.wire.reframe import Changes
from claude_gateway_proxy.gateway.wire.stream_counts import FIELD, with_counts
from claude_gateway_proxy.translation.refused_fields import STATUSES
from claude_gateway_proxy.translation.repair import KEPT_SECONDS
from claude_gateway_runtime.bounded_dict import BoundedDict

_FORMATS: Final = frozenset({Format.CHAT, Format.COMPLETIONS})
_REFUSED: Final = re.compile(rb"stream_options|include_usage")
_TARGETS_MOST: Final = 10_000


class Counts:
    """Knows the targets that refused to be asked for counts; made once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Know of no target that refuses."""
        self._clock = clock
        self._until: BoundedDict[str, float] = BoundedDict(_TARGETS_MOST)

    def changes(self, call: Call, target: Target, *, wire: Wire) -> Changes:
        """Return the field that requests the counts of a stream; empty if there is none, or if the client sets it."""
        if call.format not in _FORMATS or not call.body.stream or wire is not Wire.OPENAI or target.verbatim:
            return {}
        if self._until and self._until.get(target.id, 0.0) > self._clock():
            return {}
        options = with_counts(call.body.value(FIELD))
        return {} if options is None else {FIELD: options}

    async def answered(
        self, response: Awaitable[Response], *, call: Call, target: Target, again: Callable[[], Awaitable[HttpAnswer]]
    ) -> Response:
        """Return the answer to a request for counts; where the target refuses them, that to the client's own request.

        Raises what awaiting the responses and reading the refusal raise.
        """
        found = await response
        if found.status not in STATUSES or found.header(b"content-encoding"):
            return found
        body, refused = await refusal(found)
        if not _REFUSED.search(body):
            return refused
        second = await again()
        if 200 <= second.status < 300:
            self._note(target)
            call.record.repairs.append((FIELD, "refused"))
        return second

    def _note(self, target: Target) -> None:
        self._until[target.id] = self._clock() + KEPT_SECONDS
