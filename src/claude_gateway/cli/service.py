"""One run of ``serve``: plays the operator, and keeps the processes of one proxy running."""

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from claude_gateway.cli import addresses, children, desk, live, options, present, rundir, watch
from claude_gateway.cli.addresses import Address
from claude_gateway.cli.children import Certificate
from claude_gateway.cli.console import Console
from claude_gateway.cli.desk import Memory, Step
from claude_gateway.cli.errors import Exit, Trouble
from claude_gateway.cli.present import Served
from claude_gateway.cli.rundir import Serving
from claude_gateway.cli.supervisor import ChildFailedError, Supervisor
from claude_gateway.contract import folder
from claude_gateway.contract.bundle import Bundle, BundleError
from claude_gateway.contract.report import PodReport
from claude_gateway.plan.world import Settings

_SOURCE: Final = "source"
_RUN: Final = "run"
_LIVE_SECONDS: Final = 15.0

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for on the command line."""

    sources: tuple[Path, ...]
    env_file: Path | None
    listen: Address
    metrics: Address
    certificate: Certificate | None
    scripted: Address | None
    rules: Settings
    level: Level


class Service:
    """One ``serve`` from its start to its end."""

    def __init__(self, order: Order, console: Console) -> None:
        self._order = order
        self._console = console
        self._stop = asyncio.Event()
        self._signal: signal.Signals | None = None
        self._supervisor: Supervisor | None = None

    async def run(self) -> Exit:
        """Serve until a signal; gives the exit code. Raises Trouble if it cannot start."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Under nohup the terminal's end is not to be heard.
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._signalled, number)
        since = watch.stamp(self._order.sources, self._others)
        step = self._look(Memory())
        bundle = self._first_bundle(step)
        with rundir.private() as home:
            (home / _RUN).mkdir(mode=0o700)
            revision = folder.write(home / _SOURCE, bundle)
            self._supervisor = Supervisor(self._children(home), self)
            try:
                await self._serve(home, self._supervisor, step, revision=revision, since=since)
            except ChildFailedError as error:
                raise Trouble(str(error), fix="What it wrote above says why.") from None
            finally:
                await self._supervisor.stop()
        if self._signal is not None:
            self._console.say("stopped", event="stopped")
        return Exit.INTERRUPTED if self._signal is signal.SIGINT else Exit.OK

    async def _serve(
        self, home: Path, supervisor: Supervisor, step: Step, *, revision: str, since: watch.Stamp
    ) -> None:
        starting = asyncio.create_task(supervisor.start())
        if not await self._unless_stopped(starting):
            return
        found = starting.result()
        gateway = _url(found[children.GATEWAY])
        agent = _url(found[children.AGENT])
        rundir.announce(home, Serving(pid=os.getpid(), gateway=gateway, agent=agent))
        waiting = asyncio.create_task(live.until_live(agent, revision, seconds=_LIVE_SECONDS))
        if not await self._unless_stopped(waiting):
            return
        self._welcome(step, gateway=gateway, agent=agent, revision=revision)
        self._tell_if_not_live(waiting.result(), revision)
        await self._follow(home, step.memory, agent=agent, revision=revision, since=since)

    async def _follow(self, home: Path, memory: Memory, *, agent: str, revision: str, since: watch.Stamp) -> None:
        """Take every change of the files, until stopped."""
        async for _ in watch.changes(self._order.sources, self._others, since=since, stop=self._stop):
            started = time.monotonic()
            try:
                step = await asyncio.to_thread(self._look, memory)
            except Trouble as trouble:
                self._console.warn(f"{trouble.message}. {trouble.fix}", event="config_refused")
                continue
            memory = step.memory
            revision = await self._take(step, home, agent=agent, before=revision, started=started)

    async def _take(self, step: Step, home: Path, *, agent: str, before: str, started: float) -> str:
        """Make what a look gave the live configuration; gives the revision that is wanted now."""
        self._console.findings(step.decision.findings)
        for ref in step.kept:
            self._console.warn(f"{ref} goes on as it was before the edit", event="kept", object=str(ref))
        for path in step.kept_files:
            self._console.warn(f"what {path} held before goes on", event="kept", file=str(path))
        revision = await self._write(home, step.plan.bundle)
        if revision is None:
            self._console.warn(f"still live: revision {before[:8]}", event="config_kept", revision=before)
            return before
        if revision == before:
            self._console.say(f"no change: revision {before[:8]} stays live", event="config_same", revision=before)
            return before
        waiting = asyncio.create_task(live.until_live(agent, revision, seconds=_LIVE_SECONDS))
        if await self._unless_stopped(waiting) and self._tell_if_not_live(waiting.result(), revision):
            took = time.monotonic() - started
            self._console.say(
                f"config live: revision {revision[:8]} ({present.summary(step.plan.policy)}) in {took:.1f} s",
                event="config_live",
                revision=revision,
                seconds=round(took, 3),
            )
        return revision

    async def _write(self, home: Path, bundle: Bundle | None) -> str | None:
        if bundle is None:
            return None
        try:
            return await asyncio.to_thread(folder.write, home / _SOURCE, bundle)
        except (BundleError, OSError) as error:
            self._console.warn(f"the configuration cannot be written: {error}", event="config_refused")
            return None

    def _tell_if_not_live(self, report: PodReport | None, revision: str) -> bool:
        """Say so if a revision is not live; gives whether it is."""
        if report is not None and report.live == revision:
            return True
        refused = live.refusal(report, revision) if report else "the agent does not answer"
        why = refused or "gateway and litellm have not both loaded it yet"
        self._console.warn(f"revision {revision[:8]} is not live: {why}", event="config_not_live", revision=revision)
        return False

    def _welcome(self, step: Step, *, gateway: str, agent: str, revision: str) -> None:
        order = self._order
        self._console.findings(step.decision.findings)
        tls = order.certificate
        scripted = f"http://{order.scripted.local}" if order.scripted else None
        served = Served(
            url=gateway,
            tls_url=f"https://{tls.listen.local}" if tls else None,
            metrics=agent,
            revision=revision,
            policy=step.plan.policy,
            documents=step.decision.gathered.documents,
            sources=order.sources,
            scripted_url=scripted,
        )
        self._console.block(present.lines(served))
        if not order.listen.is_loopback and tls is None:
            self._console.warn(
                f"{order.listen} is open to the network without TLS: client keys pass in the clear; see --tls-cert",
                event="no_tls",
            )
        self._console.say(
            f"ready: {present.summary(step.plan.policy)}, revision {revision[:8]}",
            event="ready",
            gateway=gateway,
            metrics=agent,
            revision=revision,
        )

    def _first_bundle(self, step: Step) -> Bundle:
        """The bundle to start with. Raises Trouble if the files give none: there is nothing good to go on with."""
        unreadable = [finding for finding in step.decision.findings if finding.object is None]
        if unreadable:
            self._console.findings(unreadable)
            raise Trouble("nothing is served: a file cannot be read", fix="Mend it, and start again.")
        if not step.decision.gathered.files:
            where = ", ".join(map(str, self._order.sources))
            raise Trouble(f"no YAML files in {where}", fix="Name a folder with *.yaml or *.yml files with -f.")
        if step.plan.bundle is None:
            self._console.findings(step.decision.findings)
            raise Trouble("nothing is served: the configuration gives no bundle", fix="Mend what is named above.")
        return step.plan.bundle

    def _children(self, home: Path) -> Sequence[children.Child]:
        order = self._order
        proxy = children.children(
            run_dir=home / _RUN,
            source_dir=home / _SOURCE,
            listen=order.listen,
            metrics=order.metrics,
            certificate=order.certificate,
            level=order.level,
        )
        return (*proxy, children.scripted(order.scripted)) if order.scripted else proxy

    @property
    def _others(self) -> tuple[Path, ...]:
        return (self._order.env_file,) if self._order.env_file else ()

    def _look(self, memory: Memory) -> Step:
        order = self._order
        return desk.look(order.sources, options.variables(order.env_file), memory, rules=order.rules)

    async def _unless_stopped(self, task: asyncio.Task[object]) -> bool:
        """Wait for a task, or for the signal to stop, which cancels it; gives whether it is done."""
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if task.done():
            task.result()
            return True
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return False

    def _signalled(self, number: signal.Signals) -> None:
        if self._signal is not None and self._supervisor is not None:
            self._supervisor.kill()
            return
        self._signal = number
        self._console.say("stopping once running answers are complete; Ctrl-C again stops at once", event="stopping")
        self._stop.set()

    def line(self, child: str, text: str) -> None:
        """Pass on a child's line."""
        self._console.line(child, text)

    def died(self, child: str, how: str, wait: float) -> None:
        """Say that a child ended."""
        self._console.warn(f"{child} {how}; starting it again in {wait:g} s", event="child_died", child=child)

    def restarted(self, child: str, pid: int) -> None:
        """Say that a child is up again."""
        self._console.say(f"{child} runs again (pid {pid})", event="child_restarted", child=child, pid=pid)


def _url(address: str) -> str:
    return f"http://{addresses.parse(address).local}"
