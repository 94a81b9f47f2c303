"""Kopf's handlers: events that ring the doorbell, login, liveness probe, shutdown.

Only ``on.event`` is used: such handlers write nothing to objects (no finalizer, no annotation) and need no index. A
lost event or a failed handler does no harm, because every reconciliation covers everything.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

import kopf

from claude_gateway.api.kinds import KINDS
from claude_gateway.names import GROUP, VERSION
from claude_gateway.plan.status.stored_status import Release, read_status
from claude_gateway_runtime.kube import REQUEST_SECONDS
from claude_gateway_runtime.logs import emit

_log: Final = logging.getLogger(__name__)
_BACKOFFS: Final = (1.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 20.0)


class Forever:
    """An endless series of pauses: with a finite one, Kopf would end because of one forbidden namespace."""

    def __iter__(self) -> Iterator[float]:
        """Yield growing pauses, then the last one forever."""
        yield from _BACKOFFS
        while True:
            yield _BACKOFFS[-1]


class Sieve:
    """Filters out events about our own status writes: they change neither the generation nor another release's entry.

    The entries of other releases count, because the summary of a status is computed from all of them.
    """

    def __init__(self, release: Release) -> None:
        """Start without any known object."""
        self._release = release
        self._known: dict[str, object] = {}

    def news(self, kind: str | None, body: Mapping[str, Any]) -> bool:
        """Return whether an event is a change; ``kind`` is None for objects listed at the start of a watch."""
        metadata = body.get("metadata", {})
        uid = metadata.get("uid", "")
        if kind == "DELETED":
            self._known.pop(uid, None)
            return True
        now = (metadata.get("generation"), hash(read_status(body).others(self._release)))
        before = self._known.get(uid)
        self._known[uid] = now
        return before != now


def registry(
    *,
    release: Release,
    ring: Callable[[], None],
    age: Callable[[], float],
    oldest: float,
    close: Callable[[], Awaitable[None]],
) -> kopf.OperatorRegistry:
    """Build the table.

    ``release`` is the one that this operator serves. ``age`` returns the seconds since the last completed
    reconciliation, ``oldest`` is their maximum for a healthy operator; ``close`` stops everything that runs beside
    Kopf.
    """
    table = kopf.OperatorRegistry()
    sieve = Sieve(release)

    async def changed(*, type: str | None, body: kopf.Body, **_: Any) -> None:  # noqa: A002 - Kopf's name
        if sieve.news(type, body):
            ring()

    async def healthy(**_: Any) -> float:
        seconds = age()
        if seconds > oldest:
            emit(_log, "unhealthy", level=logging.WARNING, seconds_since_last_reconcile=round(seconds))
            # With any other exception Kopf retries after a minute and keeps the request open.
            raise kopf.PermanentError(f"no reconciliation was completed for {seconds:.0f} seconds")
        return round(seconds, 1)

    async def ended(**_: Any) -> None:
        await close()

    for kind in KINDS:
        kopf.on.event(GROUP, VERSION, kind.plural, registry=table, id=f"changed-{kind.plural}")(changed)
    kopf.on.probe(registry=table, id="seconds_since_last_reconcile")(healthy)
    kopf.on.cleanup(registry=table, id="close")(ended)
    kopf.on.login(registry=table, id="service-account")(_login)
    return table


def settings() -> kopf.OperatorSettings:
    """Return the settings for Kopf."""
    chosen = kopf.OperatorSettings()
    # Scanning needs rights on CRDs and namespaces; without them Kopf retries forever and delivers no events.
    chosen.scanning.disabled = True
    chosen.posting.enabled = False
    chosen.networking.error_backoffs = Forever()
    chosen.networking.connect_timeout = 10.0
    chosen.networking.request_timeout = REQUEST_SECONDS
    chosen.watching.chunk_size = 500
    chosen.watching.server_timeout = 290
    # Kopf runs one worker per object, which holds its memory until it was idle for this long.
    chosen.queueing.idle_timeout = 0.2
    chosen.process.ultimate_exiting_timeout = 20.0
    return chosen


def _login(**options: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_with_service_account(**options) or kopf.login_with_kubeconfig(**options)
