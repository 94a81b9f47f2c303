"""Puts the client's name of the model into answers, whatever name the target uses.

All lanes use this module. An answer that has the right name already keeps its bytes and its ``read``.
"""

import msgspec

from claude_gateway_proxy.gateway.answer import Answer, Read
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.wire.answer_names import UNNAMED, LateName, Renaming, renamed


def named(answer: Answer, call: Call) -> Answer:
    """Return an answer in which the model has the client's name for it; a compressed one stays as it is."""
    if not answer.plain or call.format in UNNAMED or answer.target.verbatim:
        return answer
    if not answer.events and not answer.complete and LateName.is_in(call.format, answer.head):
        late = LateName(call.named)
        read = _Renamed(answer.read, late).read
        return msgspec.structs.replace(answer, head=late.feed(answer.head), read=read, pipe=None, added=None)
    if not answer.events:
        head = renamed(answer.head, call.named)
        added = len(head) - len(answer.head)
        return answer if head is answer.head else msgspec.structs.replace(answer, head=head, added=added)
    renaming = Renaming(call.format, call.named)
    head = renaming.feed(answer.head)
    if renaming.done:
        return answer if head == answer.head else msgspec.structs.replace(answer, head=head)
    return msgspec.structs.replace(answer, head=head, read=_Renamed(answer.read, renaming).read, pipe=None)


class _Renamed:
    """Reads the rest of a stream whose names are to be replaced."""

    __slots__ = ("_renaming", "_upstream")

    def __init__(self, upstream: Read, renaming: Renaming | LateName) -> None:
        self._upstream = upstream
        self._renaming = renaming

    async def read(self) -> bytes:
        """Return the next bytes, and none at the end."""
        if self._renaming.done:
            return await self._upstream()
        while chunk := await self._upstream():
            if passed := self._renaming.feed(chunk):
                return passed
        return self._renaming.rest()
