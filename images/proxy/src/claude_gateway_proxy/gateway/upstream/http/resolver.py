"""Resolves names to the addresses that the egress rule allows: cached for some seconds, one lookup per name at a time.

While the name service does not answer, the last known addresses of a name are used for up to an hour: they are nearly
always still right, and without them every upstream would be down with the name service.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, cast

from aiohappyeyeballs import AddrInfoType

from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.egress import refused
from claude_gateway_runtime.bounded_dict import BoundedDict

LOOKUP_SECONDS: Final = 10.0
"""The longest first lookup of a name; the system's own timeout is much longer."""

_SECONDS: Final = 10.0
_LAST_SECONDS: Final = 3600.0
_SOON_SECONDS: Final = 1.0
"""How long a lookup may take before the last known addresses are used."""
_NAMES: Final = 1024
"""The most cached names; a bundle rarely has more."""
_THREADS: Final = 32
"""The most concurrent lookups. They have their own threads: unresolvable names would block the loop's few, and with
them the lookups of other upstreams."""

Lookup = Callable[..., Sequence[Any]]


class AddressRefused(OSError):  # noqa: N818 - named as what happened
    """The egress rule allows none of the addresses of a host."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Addresses of a name, current until ``fresh``, usable as a fallback until ``last`` (loop time)."""

    addresses: list[AddrInfoType]
    fresh: float
    last: float


class Resolver:
    """Resolves names. ``egress`` None is for the environment's proxies, which may be anywhere.

    ``lookup`` is the system's by default.
    """

    def __init__(self, egress: Egress | None, *, lookup: Lookup = socket.getaddrinfo) -> None:
        self._egress = egress
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="lookup")
        self._known: BoundedDict[tuple[str, int], _Known] = BoundedDict(_NAMES)
        self._running: dict[tuple[str, int], asyncio.Task[list[AddrInfoType]]] = {}

    async def resolve(self, host: str, port: int) -> list[AddrInfoType]:
        """Return the allowed addresses. Raises AddressRefused if there are none, gaierror for an unknown name."""
        key, loop = (host, port), asyncio.get_running_loop()
        known = self._known.get(key)
        if known is not None and known.fresh > loop.time():
            return known.addresses
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = loop.create_task(self._look_up(host, port))
            task.add_done_callback(lambda _: self._running.pop(key, None))
        usable = known is not None and known.last > loop.time()
        try:
            async with asyncio.timeout(_SOON_SECONDS if usable else LOOKUP_SECONDS):
                # A caller that is cancelled does not end the lookup of the others.
                return await asyncio.shield(task)
        except TimeoutError:
            if known is not None and usable:
                return self._again(key, known)
            raise socket.gaierror(socket.EAI_AGAIN, "the name service does not answer") from None
        except socket.gaierror as error:
            if known is not None and usable and error.errno == socket.EAI_AGAIN:
                return self._again(key, known)
            raise

    def _again(self, key: tuple[str, int], known: _Known) -> list[AddrInfoType]:
        """Use the last known addresses, for some seconds without a lookup."""
        now = asyncio.get_running_loop().time()
        if self._known.get(key) is known:
            self._known[key] = _Known(known.addresses, fresh=min(now + _SECONDS, known.last), last=known.last)
        return known.addresses

    async def _look_up(self, host: str, port: int) -> list[AddrInfoType]:
        loop = asyncio.get_running_loop()
        # A literal address is also valid on a machine without an address of its family.
        flags = 0 if ":" in host or host.replace(".", "").isdigit() else socket.AI_ADDRCONFIG
        found = await loop.run_in_executor(
            self._threads, lambda: self._lookup(host, port, type=socket.SOCK_STREAM, flags=flags)
        )
        allowed = [each for each in found if self._egress is None or not refused(str(each[4][0]), self._egress, host)]
        if found and not allowed:
            self._known.pop((host, port), None)
            raise AddressRefused(f"{host} resolves to addresses that may not be called")
        addresses = cast("list[AddrInfoType]", allowed)
        now = loop.time()
        self._known[host, port] = _Known(addresses, fresh=now + _SECONDS, last=now + _LAST_SECONDS)
        return addresses
