"""An upstream's answer that has begun: its head, and how to read the rest."""

from collections.abc import Awaitable, Callable

import msgspec

from claude_gateway.contract.target import Target
from claude_gateway_proxy.gateway.lanes.lane import Response
from claude_gateway_proxy.gateway.upstream.http.answer import Pipe
from claude_gateway_proxy.masking import NOTHING, Mask
from claude_gateway_runtime.asgi import Headers

Read = Callable[[], Awaitable[bytes]]
"""Returns the next bytes of an answer, empty at its end."""


class Answer(msgspec.Struct, frozen=True):
    """A target's answer. ``head`` is the part of the body that was read already, ``complete`` if it is all of it.

    ``headers`` are the upstream's and ``read`` returns the rest of the body; on a Claude wire both are as Messages
    have them, whatever frames they came in. ``streamed``: the client gets it piece by piece. ``events``: it consists of
    server-sent events. ``plain``: it is not compressed, so that the gateway can read it. ``mask`` knows the keys that
    the request was sent with. ``pipe`` is set if it passes the bytes of ``read`` on unchanged. ``added`` is by how many
    bytes a whole answer is longer than the upstream's, None if that is known only at its end. ``hides_counts``: the
    client did not request the token counts that the stream ends with.
    """

    target: Target
    response: Response
    headers: Headers
    read: Read
    head: bytes
    complete: bool
    streamed: bool
    events: bool
    plain: bool
    mask: Mask = NOTHING
    pipe: Pipe | None = None
    added: int | None = 0
    hides_counts: bool = False
