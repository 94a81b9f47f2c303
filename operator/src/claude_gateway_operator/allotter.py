"""Divides budgets between the proxy pods, more often than the operator reconciles, in a ConfigMap that agents watch."""

import asyncio
import contextlib
import gzip
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from claude_gateway.contract import allotment
from claude_gateway.contract.allotment import ALLOTMENT_JSON, Allotments
from claude_gateway.contract.budget import Budget, Spending, read_window
from claude_gateway.contract.bundle import COMPRESS_ABOVE
from claude_gateway.plan.budgets.division import PodUse, divide, pod_use, written
from claude_gateway.release_names import allotment_name
from claude_gateway_operator.owner import Owner
from claude_gateway_operator.reports import Endpoint, Reports
from claude_gateway_operator.settings import Settings
from claude_gateway_runtime import kube
from claude_gateway_runtime.kube import Kube, KubeError
from claude_gateway_runtime.logs import emit

if TYPE_CHECKING:
    from claude_gateway.contract.report import ProcessReport

PAUSE_SECONDS: Final = 0.5
"""The shortest time between two divisions; reports that arrive in the meantime are handled together."""
RETRY_SECONDS: Final = 5.0
AGAIN_SECONDS: Final = 30.0
"""The longest time between two divisions: the end of a window causes no report."""
HELD_SECONDS: Final = 3000.0
"""How long a window is kept that is over by this clock and by those of all pods.

Less than the hour for which pods keep what they spent: a pod that forgot its spend must not get a lease again.
"""
_THRESHOLDS: Final = (75, 95, 100)

_log: Final = logging.getLogger(__name__)


class Ended:
    """Remembers when each window was seen to be over, by a monotonic clock, since the time of day may jump."""

    def __init__(self) -> None:
        """Start without any window."""
        self._since: dict[str, float] = {}

    def forgotten(self, keys: Iterable[str], *, reported: Collection[str], unix: float, clock: float) -> frozenset[str]:
        """Return the windows that have been over for long enough; those that a pod still reports do not count."""
        found = {key: read_window(key) for key in keys if key not in reported}
        over = [key for key, each in found.items() if each is None or each.ends_at <= unix]
        self._since = {key: self._since.get(key, clock) for key in over}
        return frozenset(key for key, since in self._since.items() if clock - since >= HELD_SECONDS)


class Allotter:
    """Divides the budgets of the last reconciliation between its pods.

    ``spending`` is what was spent of each budget, for the statuses; empty before the first division.
    """

    def __init__(
        self, connection: Kube, settings: Settings, owner: Owner, *, reports: Reports, ring: Callable[[], None]
    ) -> None:
        """Prepare without reading anything yet; ``ring`` asks for a reconciliation where a status should change."""
        self.spending: Mapping[str, Spending] = {}
        self._kube = connection
        self._owner = owner
        self._name = allotment_name(settings.release)
        self._url = kube.path("configmaps", settings.namespace, self._name, api="v1")
        self._reports = reports
        self._ring = ring
        self._news = asyncio.Event()
        self._began = False
        self._budgets: Sequence[Budget] = ()
        self._pods: Sequence[Endpoint] = ()
        self._known: Mapping[str, Spending] = {}
        self._written: Allotments | None = None
        self._last: dict[str, ProcessReport] = {}
        self._ended = Ended()

    def update(self, budgets: Iterable[Budget], pods: Iterable[Endpoint], known: Mapping[str, Spending]) -> None:
        """Set the budgets and pods to divide between; ``known`` is what statuses say was spent."""
        self._budgets, self._pods, self._known = tuple(budgets), tuple(pods), known
        self._began = True
        self._news.set()

    def notify(self) -> None:
        """Divide again, because a pod reports something new about budgets."""
        self._news.set()

    async def run(self) -> None:
        """Divide after each new report and from time to time, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), AGAIN_SECONDS)
            self._news.clear()
            if self._began:
                try:
                    await self._divide(time.time())
                except KubeError as error:
                    emit(_log, "allotment_not_written", level=logging.WARNING, error=str(error))
                    self._news.set()
                    await asyncio.sleep(RETRY_SECONDS)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _divide(self, now: float) -> None:
        before = self._written
        if before is None:
            before = self._written = await self._read()
        uses = self._uses(before)
        forgotten = self._ended.forgotten(
            {key for keys in written(before).values() for key in keys},
            reported={key for pod in uses if pod.there for _, key in pod.uses},
            unix=now,
            clock=time.monotonic(),
        )
        division = divide(self._budgets, uses, before, now=now, known=self._known, forgotten=forgotten)
        if division.allotments != before:
            await self._write(division.allotments)
            self._written = division.allotments
        self._last = {name: report for name, report in self._last.items() if name in division.allotments.leases}
        changed = any(_step(each, division.spending) != _step(each, self.spending) for each in self._budgets)
        self.spending = division.spending
        if changed:
            self._ring()

    def _uses(self, before: Allotments) -> list[PodUse]:
        """Return the last report of each pod, including pods that are gone since they got their lease."""
        states = list(self._reports.states(self._pods))
        for state in states:
            if state.report is not None and state.report.gateway is not None:
                self._last[state.name] = state.report.gateway
        there = {state.name for state in states}
        gone = [name for name in before.leases if name not in there and name in self._last]
        return [
            *(pod_use(name, self._last.get(name)) for name in sorted(there)),
            *(pod_use(name, self._last[name], there=False) for name in gone),
        ]

    async def _read(self) -> Allotments:
        found = await self._kube.get(self._url)
        entries = {} if found is None else kube.entries(found)
        data = entries.get(ALLOTMENT_JSON)
        if data is None and f"{ALLOTMENT_JSON}.gz" in entries:
            data = gzip.decompress(entries[f"{ALLOTMENT_JSON}.gz"])
        return (None if data is None else allotment.read(data)) or Allotments()

    async def _write(self, allotments: Allotments) -> None:
        data = allotments.model_dump_json(by_alias=True).encode()
        parts: dict[str, object] = {"data": {ALLOTMENT_JSON: data.decode()}, "binaryData": {}}
        if len(data) > COMPRESS_ABOVE:
            packed = gzip.compress(data, mtime=0)
            parts = {"data": {}, "binaryData": kube.encoded({f"{ALLOTMENT_JSON}.gz": packed})}
        metadata = self._owner.metadata(self._name)
        await self._kube.apply(self._url, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **parts})


def _step(budget: Budget, spending: Mapping[str, Spending]) -> object:
    """Return what a status must show at once: the window, and the thresholds that were passed in it."""
    found = spending.get(budget.name)
    if found is None:
        return None
    return found.window, sum(found.spent * 100 >= budget.amount * threshold for threshold in _THRESHOLDS)
