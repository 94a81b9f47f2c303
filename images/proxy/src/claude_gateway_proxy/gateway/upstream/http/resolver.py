"""Names to addresses: those that the egress rule allows, remembered for some seconds, one lookup per name at a time."""

import asyncio
import socket
from typing import Final, cast

from aiohappyeyeballs import AddrInfoType

from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.egress import refused

_SECONDS: Final = 10.0
_NAMES: Final = 1024
"""Names that are remembered; a bundle seldom has more."""


class AddressRefused(OSError):  # noqa: N818 - named as what happened
    """The egress rule allows none of the addresses of a host."""


class Resolver:
    """Looks names up. ``egress`` None is for the environment's proxies, which may be anywhere."""

    def __init__(self, egress: Egress | None) -> None:
        self._egress = egress
        self._known: dict[tuple[str, int], tuple[float, list[AddrInfoType]]] = {}
        self._running: dict[tuple[str, int], asyncio.Task[list[AddrInfoType]]] = {}

    async def resolve(self, host: str, port: int) -> list[AddrInfoType]:
        """Return the allowed addresses. Raises AddressRefused where there is none, gaierror for an unknown name."""
        key, loop = (host, port), asyncio.get_running_loop()
        known = self._known.get(key)
        if known is not None and known[0] > loop.time():
            return known[1]
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = loop.create_task(self._look_up(host, port))
            task.add_done_callback(lambda _: self._running.pop(key, None))
        # One caller that gives up does not end the lookup of the others.
        return await asyncio.shield(task)

    async def _look_up(self, host: str, port: int) -> list[AddrInfoType]:
        loop = asyncio.get_running_loop()
        # A literal address is valid on a machine without an address of its family too.
        flags = 0 if ":" in host or host.replace(".", "").isdigit() else socket.AI_ADDRCONFIG
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
        allowed = [each for each in found if self._egress is None or not refused(str(each[4][0]), self._egress, host)]
        if found and not allowed:
            raise AddressRefused(f"{host} resolves to addresses that may not be called")
        while len(self._known) >= _NAMES:
            del self._known[next(iter(self._known))]
        addresses = cast("list[AddrInfoType]", allowed)
        self._known[host, port] = (loop.time() + _SECONDS, addresses)
        return addresses
