"""The components that count limits, budgets and sessions in this process and admit requests."""

import logging
import time
from collections.abc import Callable
from typing import Final

from claude_gateway.names import BUNDLE_DIR, SPEND_JSON
from claude_gateway_proxy.gateway.admission.admission import Admission
from claude_gateway_proxy.gateway.admission.brake.brake import Brake
from claude_gateway_proxy.gateway.admission.budgets import Budgets
from claude_gateway_proxy.gateway.admission.counters.memory import MemoryCounters
from claude_gateway_proxy.gateway.admission.counters.server import Server
from claude_gateway_proxy.gateway.admission.counters.used import SharedUsed
from claude_gateway_proxy.gateway.admission.counters.valkey import ValkeyCounters
from claude_gateway_proxy.gateway.admission.limits import RateLimits
from claude_gateway_proxy.gateway.admission.queue import Patience
from claude_gateway_proxy.gateway.admission.shares import Shares
from claude_gateway_proxy.gateway.admission.spend_tracker import SpendTracker
from claude_gateway_proxy.gateway.costs.usage import Find, Used
from claude_gateway_proxy.gateway.settings import Settings
from claude_gateway_proxy.gateway.telemetry.record import Record
from claude_gateway_runtime.logs import emit

_log: Final = logging.getLogger(__name__)


class Counting:
    """The components of admission that live as long as the process; created once at start.

    ``valkey`` counts for all pods, and ``shared`` what callers use; both are None where each pod counts alone.
    """

    def __init__(self, settings: Settings) -> None:
        """Wire the components; nothing runs yet, and no connection is opened."""
        alone = MemoryCounters()
        self.valkey: Final = _valkey(settings)
        self._used = Used(time.time)
        self.shared: Final = (
            None if self.valkey is None else SharedUsed(self.valkey, alone=self._used, prefix=settings.valkey_prefix)
        )
        self._shares = Shares(settings.run_dir / BUNDLE_DIR if settings.leases else None)
        path = settings.spend_file or settings.run_dir / SPEND_JSON
        self.tracker: Final = SpendTracker(alone=alone, store=self.valkey, shares=self._shares, path=path)
        self.brake: Final = Brake(time.monotonic)
        self.budgets: Final = Budgets(self.tracker)
        limits = RateLimits(pods=self._processes, required=settings.when_valkey_unavailable == "reject")
        self.admission: Final = Admission(
            [self.brake, limits, self.budgets],
            targets=limits,
            counters=self.valkey,
            alone=alone,
            patience=Patience(seconds=settings.queue_seconds, requests=settings.max_queued_per_client),
        )

    @property
    def find(self) -> Find:
        """Return what finds the usage of a caller: at all pods, where they count together."""
        return self._used.find if self.shared is None else self.shared.find

    def note_used(self, record: Record) -> None:
        """Add a request that has ended to what its caller used."""
        self._used.note(record)
        if self.shared is not None:
            self.shared.note(record)

    def _processes(self) -> int:
        """Return how many processes count limits separately."""
        return self._shares.current().pods if self.valkey is None else 1


def _valkey(settings: Settings) -> ValkeyCounters | None:
    if settings.valkey_address is None:
        return None
    server = Server(
        settings.valkey_address,
        tls=settings.valkey_tls,
        ca_file=settings.valkey_ca_file,
        username=settings.valkey_username,
        password_file=settings.valkey_password_file,
    )
    return ValkeyCounters(server, prefix=settings.valkey_prefix, changed=_reporter(settings.when_valkey_unavailable))


def _reporter(policy: str) -> Callable[[str | None], None]:
    """Return what logs that Valkey stops to answer, or answers again; ``policy``: what happens to requests then."""

    def changed(error: str | None) -> None:
        if error is None:
            emit(_log, "valkey_available")
        else:
            emit(_log, "valkey_unavailable", level=logging.WARNING, error=error, limited_requests=policy)

    return changed
