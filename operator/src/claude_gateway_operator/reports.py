"""Reports of the agents in the proxy pods: one long poll per pod, so that changes arrive at once."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from pydantic import ValidationError

from claude_gateway.contract.report import PodReport
from claude_gateway.plan.status.programmed import PodState
from claude_gateway_runtime.logs import emit

POLL_SECONDS: Final = 15.0
"""How long an agent holds a long poll before it answers without a change."""
FORGET_SECONDS: Final = 15.0
"""Silence after which a pod's last report expires. Until then it counts: a gateway keeps what it serves."""
CONNECT_SECONDS: Final = 1.5
"""Connect timeout for a pod. It is short because a reconciliation waits for the first answer of a new pod."""
_PAUSES: Final = (0.2, 0.5, 1.0, 2.0)
_LARGEST: Final = 8 << 20

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One proxy pod as listed in an EndpointSlice."""

    pod: str
    address: str
    ready: bool


def endpoints(slices: Iterable[Mapping[str, Any]]) -> list[Endpoint]:
    """Return each pod of EndpointSlices once; a pod with an IPv4 and an IPv6 address is listed with one of them."""
    found: dict[str, Endpoint] = {}
    for piece in slices:
        if piece.get("addressType") not in ("IPv4", "IPv6"):
            continue
        for entry in piece.get("endpoints") or ():
            address = next(iter(entry.get("addresses") or ()), None)
            if address is None:
                continue
            name = (entry.get("targetRef") or {}).get("name") or address
            # The Kubernetes API defines a missing condition as true.
            ready = (entry.get("conditions") or {}).get("ready") is not False
            host = f"[{address}]" if ":" in address else address
            found.setdefault(name, Endpoint(pod=name, address=host, ready=ready))
    return [found[name] for name in sorted(found)]


class _Poll:
    """The long poll to one agent."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.address = endpoint.address
        self.ready = endpoint.ready
        self.wake = asyncio.Event()
        self.report: PodReport | None = None
        self.asked = asyncio.Event()
        self.answered_at = time.monotonic()
        self.task: asyncio.Task[None] | None = None


class Reports:
    """Polls the agents of all pods; rings when a report changes."""

    def __init__(self, *, port: int, ring: Callable[[], None]) -> None:
        """Prepare without polling anything yet; needs a running event loop.

        ``spent`` may be set to a function that is called when a pod reports new spend, which does not ring the
        doorbell.
        """
        self.spent: Callable[[], None] = _nobody
        self._port = port
        self._ring = ring
        self._token = ""
        self._polls: dict[str, _Poll] = {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=POLL_SECONDS + 5.0, sock_connect=CONNECT_SECONDS),
        )

    def follow(self, pods: Iterable[Endpoint], token: str) -> None:
        """Poll exactly these pods from now on."""
        self._token = token
        wanted = {pod.pod: pod for pod in pods}
        for name, poll in list(self._polls.items()):
            if name not in wanted or wanted[name].address != poll.address:
                self._end(self._polls.pop(name))
        for name, pod in wanted.items():
            if name not in self._polls:
                self._polls[name] = poll = _Poll(pod)
                poll.task = asyncio.create_task(self._run(name, poll), name=f"reports of {name}")
            elif pod.ready and not self._polls[name].ready and self._polls[name].report is None:
                # It did not answer while it started. Until the next try it would count as silent.
                self._polls[name].asked.clear()
                self._polls[name].wake.set()
            self._polls[name].ready = pod.ready

    async def settle(self, seconds: float) -> None:
        """Wait up to ``seconds`` until every pod was polled once, and again after it became ready.

        Pods without a poll count as not answering.
        """
        waits = [asyncio.ensure_future(poll.asked.wait()) for poll in self._polls.values() if not poll.asked.is_set()]
        if waits:
            _, late = await asyncio.wait(waits, timeout=seconds)
            for wait in late:
                wait.cancel()

    def states(self, pods: Iterable[Endpoint]) -> Iterator[PodState]:
        """Yield the pods with their last reports."""
        for pod in pods:
            poll = self._polls.get(pod.pod)
            yield PodState(name=pod.pod, ready=pod.ready, report=None if poll is None else poll.report)

    async def close(self) -> None:
        """Stop all polls."""
        tasks = [poll.task for poll in self._polls.values() if poll.task is not None]
        for poll in self._polls.values():
            self._end(poll)
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._session.close()

    def _end(self, poll: _Poll) -> None:
        if poll.task is not None:
            poll.task.cancel()

    async def _run(self, name: str, poll: _Poll) -> None:
        failures = 0
        while True:
            report: PodReport | None
            try:
                report = await self._ask(poll)
                failures, poll.answered_at = 0, time.monotonic()
            except (TimeoutError, aiohttp.ClientError, OSError, ValidationError) as error:
                if failures == 0:
                    emit(_log, "agent_silent", pod=name, error=type(error).__name__)
                report = poll.report if time.monotonic() - poll.answered_at < FORGET_SECONDS else None
                failures += 1
            news, spent = _news(report) != _news(poll.report), _spent(report) != _spent(poll.report)
            poll.report = report
            if spent:
                self.spent()
            poll.asked.set()
            if news:
                self._ring()
            if failures:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(poll.wake.wait(), _PAUSES[min(failures, len(_PAUSES)) - 1])
            poll.wake.clear()

    async def _ask(self, poll: _Poll) -> PodReport:
        """Request a report: immediately the first time and after a failure, otherwise once it changes."""
        known = poll.report
        query = {} if known is None else {"revision": known.live or "", "timeout": f"{POLL_SECONDS:g}"}
        async with self._session.get(
            f"http://{poll.address}:{self._port}/status",
            params=query,
            headers={"authorization": f"Bearer {self._token}"},
            allow_redirects=False,
        ) as response:
            response.raise_for_status()
            return PodReport.model_validate_json(await response.content.read(_LARGEST))


def _news(report: PodReport | None) -> object:
    """Return the parts of a report whose change needs a reconciliation: all except the requests in flight."""
    if report is None:
        return None
    parts: list[object] = [report.wanted, report.live, report.error]
    for process in (report.gateway, report.litellm):
        if process is None:
            parts.append(None)
            continue
        parts += [process.revision or "", process.refused, process.error, process.verdicts, process.ejections]
    return parts


def _spent(report: PodReport | None) -> object:
    """Return the parts of a report that are about budgets; empty if the gateway did not report."""
    gateway = None if report is None else report.gateway
    return () if gateway is None else (gateway.budgets, gateway.drained)


def _nobody() -> None:
    """Do nothing."""
