"""What is live in the pod: polls its processes, stores the newest report, and wakes long polls when it changes."""

import asyncio
from typing import Final

from claude_gateway.contract.report import PodReport, ProcessReport
from claude_gateway_proxy.agent.keeper import Kept
from claude_gateway_proxy.agent.processes import Process

IDLE_SECONDS: Final = 1.0
"""Time between two polls while no change is expected."""
SWAP_SECONDS: Final = 0.05
"""The same while a new bundle is on its way into the processes."""
SWAP_ROUNDS: Final = 400
"""The number of quick polls after a change; after that, a process is polled at the usual pace again."""

News = tuple[object, ...]


def pod_report(*, kept: Kept, gateway: ProcessReport | None, litellm: ProcessReport | None) -> PodReport:
    """Return the report; ``live`` is the revision that both processes serve, if it is the same. Pure."""
    both = gateway is not None and litellm is not None and gateway.revision == litellm.revision
    return PodReport(
        wanted=kept.wanted,
        live=gateway.revision if gateway is not None and both else None,
        error=kept.error,
        gateway=gateway,
        litellm=litellm,
    )


def news(report: PodReport) -> News:
    """Return the parts of a report whose change wakes long polls: all except the requests in flight. Pure."""
    parts: list[object] = [report.live, report.wanted, report.error]
    for process in (report.gateway, report.litellm):
        if process is None:
            parts.append(None)
            continue
        parts += [process.refused, process.error, process.verdicts, process.ejections]
        parts += [process.budgets, process.drained]
    return tuple(parts)


class Monitor:
    """Has the pod's newest report; ``run`` keeps it up to date."""

    def __init__(self, *, gateway: Process, litellm: Process, kept: Kept) -> None:
        """No process is polled before ``run`` or ``ask``."""
        self.report = pod_report(kept=kept, gateway=None, litellm=None)
        self._processes = (gateway, litellm)
        self._kept = kept
        self._nudged = asyncio.Event()
        self._turned = asyncio.Event()

    def nudge(self, kept: Kept) -> None:
        """Handle a change of the keeper: poll the processes at once."""
        self._kept = kept
        self._nudged.set()

    async def run(self) -> None:
        """Poll the processes until cancelled: often during a swap, else once a second."""
        quick = SWAP_ROUNDS
        while True:
            if self._nudged.is_set():
                self._nudged.clear()
                quick = SWAP_ROUNDS
            await self.ask()
            swapping = quick > 0 and self.report.live != self._kept.revision
            quick -= 1
            try:
                await asyncio.wait_for(self._nudged.wait(), SWAP_SECONDS if swapping else IDLE_SECONDS)
            except TimeoutError:
                continue

    async def ask(self) -> PodReport:
        """Poll both processes now and return the report; wake long polls if it changed."""
        gateway, litellm = await asyncio.gather(*(process.report() for process in self._processes))
        report = pod_report(kept=self._kept, gateway=gateway, litellm=litellm)
        turned = news(report) != news(self.report)
        self.report = report
        if turned:
            self._turned.set()
            self._turned = asyncio.Event()
        return report

    async def wait(self, *, live: str | None, timeout_seconds: float) -> PodReport:
        """Return the report once a revision other than ``live`` is live or something changed, else at the timeout."""
        before = news(self.report)
        try:
            async with asyncio.timeout(timeout_seconds):
                while self.report.live == live and news(self.report) == before:
                    await self._turned.wait()
        except TimeoutError:
            pass
        return self.report
