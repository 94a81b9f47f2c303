"""Keeps the connections of the current egress rule, and those of earlier rules until their last request ends."""

import asyncio

from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.gateway.upstream.session import Upstreams


class UpstreamPool:
    """Lends ``Upstreams`` to requests; each lease must be released."""

    def __init__(self) -> None:
        self._egress: Egress | None = None
        self._current: Upstreams | None = None
        self._users: dict[Upstreams, int] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def lease(self, egress: Egress) -> Upstreams:
        """Return the connections under ``egress``; a new rule gets new ones."""
        current = self._current
        if current is None or (egress is not self._egress and egress != self._egress):
            self._retire(current)
            current = self._current = Upstreams(egress)
            self._users[current] = 0
        self._egress = egress
        self._users[current] += 1
        return current

    def release(self, upstreams: Upstreams) -> None:
        """End a lease."""
        self._users[upstreams] -= 1
        if upstreams is not self._current:
            self._retire(upstreams)

    async def close(self) -> None:
        """Close every connection, including those of running requests."""
        self._current = None
        for upstreams in tuple(self._users):
            await upstreams.close()
        if self._closing:
            await asyncio.gather(*self._closing)

    def _retire(self, upstreams: Upstreams | None) -> None:
        if upstreams is None or self._users[upstreams]:
            return
        del self._users[upstreams]
        task = asyncio.get_running_loop().create_task(upstreams.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
