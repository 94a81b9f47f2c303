"""The routing table of Kopf: which events ring the doorbell, how it logs in, how healthy we are, how it ends.

Only ``on.event``: such handlers write nothing to objects (no finalizer, no annotation) and need no index. An event that
is lost or whose handler fails costs nothing, because every look is at everything.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

import kopf

from claude_gateway.api.kinds import KINDS
from claude_gateway.names import GROUP, VERSION

_BACKOFFS: Final = (1.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0)


class Forever:
    """Pauses between attempts that never end: with a limited number one forbidden namespace would end the operator."""

    def __iter__(self) -> Iterator[float]:
        """Begin with the first pause."""
        yield from _BACKOFFS
        while True:
            yield _BACKOFFS[-1]


class Sieve:
    """Lets through what users changed: an event with the generation that was seen is about our own status."""

    def __init__(self) -> None:
        """Nothing was seen."""
        self._generations: dict[str, object] = {}

    def news(self, kind: str | None, body: Mapping[str, Any]) -> bool:
        """Whether an event is news; ``kind`` is None for an object that was there at the start of a watch."""
        metadata = body.get("metadata", {})
        uid, generation = metadata.get("uid", ""), metadata.get("generation")
        if kind == "DELETED":
            self._generations.pop(uid, None)
            return True
        known = self._generations.get(uid)
        self._generations[uid] = generation
        return bool(known != generation)


def registry(
    *, ring: Callable[[], None], age: Callable[[], float], oldest: float, close: Callable[[], Awaitable[None]]
) -> kopf.OperatorRegistry:
    """Build the table.

    ``age`` gives the seconds since the last completed look, ``oldest`` is how many may be; ``close`` ends all that runs
    beside Kopf.
    """
    table = kopf.OperatorRegistry()
    sieve = Sieve()

    async def changed(*, type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002 - Kopf's name
        if sieve.news(type, body):
            ring()

    async def healthy(**_: Any) -> float:
        seconds = age()
        if seconds > oldest:
            # Anything else makes Kopf wait a minute for another attempt, with the request open.
            raise kopf.PermanentError(f"no look was completed for {seconds:.0f} seconds")
        return round(seconds, 1)

    async def ended(**_: Any) -> None:
        await close()

    for kind in KINDS:
        kopf.on.event(GROUP, VERSION, kind.plural, registry=table, id=f"changed-{kind.plural}")(changed)
    kopf.on.probe(registry=table, id="seconds_since_last_look")(healthy)
    kopf.on.cleanup(registry=table, id="close")(ended)
    kopf.on.login(registry=table, id="service-account")(_login)
    return table


def settings() -> kopf.OperatorSettings:
    """Give Kopf's own settings."""
    chosen = kopf.OperatorSettings()
    # Scanning needs rights on CRDs and namespaces; without them it retries and delivers nothing.
    chosen.scanning.disabled = True
    chosen.posting.enabled = False
    chosen.networking.error_backoffs = Forever()
    chosen.networking.connect_timeout = 10.0
    chosen.networking.request_timeout = 60.0
    chosen.watching.chunk_size = 500
    chosen.watching.server_timeout = 290
    # One worker an object; each holds its memory until it is idle for so long.
    chosen.queueing.idle_timeout = 0.2
    chosen.process.ultimate_exiting_timeout = 20.0
    return chosen


def _login(**options: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**options) or kopf.login_with_kubeconfig(**options)
