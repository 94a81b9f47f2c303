"""``python -m claude_gateway_operator``: runs until SIGTERM or SIGINT."""

import asyncio
import logging
import sys
from typing import TYPE_CHECKING, Any, Final

import kopf

from claude_gateway.garbage import collect_rarely
from claude_gateway.plan.status.stored_status import Release
from claude_gateway.release_names import status_manager
from claude_gateway_operator import handlers, kubeconfig, metrics, object_watch
from claude_gateway_operator.allotter import Allotter
from claude_gateway_operator.bootstrap import Bootstrap
from claude_gateway_operator.claude_code import ClaudeCode
from claude_gateway_operator.doorbell import Doorbell
from claude_gateway_operator.gather import Gatherer
from claude_gateway_operator.loop import Loop
from claude_gateway_operator.object_watch import Known
from claude_gateway_operator.owner import Owner
from claude_gateway_operator.reconcile import Reconciler
from claude_gateway_operator.reports import Reports
from claude_gateway_operator.served import until_served
from claude_gateway_operator.settings import Settings
from claude_gateway_operator.status_writer import StatusWriter
from claude_gateway_operator.store import Store
from claude_gateway_runtime import logs
from claude_gateway_runtime.kube import Kube
from claude_gateway_runtime.settings import host_and_port, join_host_port, load

if TYPE_CHECKING:
    from collections.abc import Coroutine

QUIET: Final = {
    # Kopf logs every event that it delivers and every probe that it answers.
    "kopf": logging.WARNING,
    # Kopf logs an error with a URL for each retry of each watch, although it recovers by itself. Our own watches and
    # reconciliations report it once, in a few fixed words.
    "kopf._cogs.clients": logging.CRITICAL,
    # Kopf logs a failed probe twice, as an error of an activity and of its server; our event is `unhealthy`.
    "kopf.activities.probe": logging.CRITICAL,
    "aiohttp.server": logging.CRITICAL,
    # aiohttp logs a line for each probe and scrape.
    "aiohttp.access": logging.WARNING,
}

_log: Final = logging.getLogger("claude_gateway_operator")


class Operator:
    """Everything that runs beside Kopf: the loop, the watches, the long polls, the status writer, the metrics."""

    def __init__(self, connection: Kube, settings: Settings, owner: Owner) -> None:
        """Create the components without starting them; needs a running event loop."""
        self._kube = connection
        self._settings = settings
        self._metrics = metrics.Metrics()
        self._known = Known()
        self.bell = Doorbell()
        self._reports = Reports(port=settings.agent_port, ring=self.bell.ring)
        self._status_writer = StatusWriter(
            connection,
            manager=status_manager(settings.namespace, settings.release),
            ring=self.bell.ring,
            wrote=self._metrics.wrote,
        )
        self._allotter = Allotter(connection, settings, owner, reports=self._reports, ring=self.bell.ring)
        self._reports.spent = self._allotter.notify
        reconciler = Reconciler(
            connection=connection,
            settings=settings,
            gatherer=Gatherer(connection, settings),
            store=Store(connection, settings, owner, self._known),
            reports=self._reports,
            status_writer=self._status_writer,
            bootstrap=Bootstrap(connection, settings, owner),
            claude_code=ClaudeCode(connection, settings, owner),
            allotter=self._allotter,
            metrics=self._metrics,
        )
        self._loop = Loop(reconciler, bell=self.bell, resync=settings.resync_seconds, failed=self._metrics.failed)
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, stop: asyncio.Event | None = None) -> None:
        """Run until a signal or ``stop``. Components should never end: if one does, stop and raise its exception."""
        stop = stop or asyncio.Event()
        server = await metrics.serve(self._metrics, *host_and_port(self._settings.metrics_listen))
        works: list[Coroutine[Any, Any, None]] = [
            self._loop.run(),
            self._status_writer.run(),
            self._allotter.run(),
            *(
                object_watch.follow(self._kube, subject, ring=self.bell.ring, known=self._known)
                for subject in object_watch.subjects(self._settings)
            ),
        ]
        self._tasks = [asyncio.create_task(work) for work in works]
        for task in self._tasks:
            task.add_done_callback(lambda _: stop.set())
        table = handlers.registry(
            release=Release(self._settings.namespace, self._settings.release),
            ring=self.bell.ring,
            age=self._loop.age,
            oldest=self._settings.unhealthy_after_seconds,
            close=self._close,
        )
        host, port = host_and_port(self._settings.health_listen)
        # Kopf takes a URL. Without a host, it listens on this machine alone, where no kubelet reaches it.
        shown = join_host_port(host or "0.0.0.0", port)  # noqa: S104 - an empty host is every address
        try:
            await kopf.operator(
                registry=table,
                settings=handlers.settings(),
                clusterwide=self._settings.clusterwide,
                namespaces=() if self._settings.clusterwide else self._settings.namespaces,
                standalone=True,
                liveness_endpoint=f"http://{shown}/healthz",
                stop_flag=stop,
            )
        finally:
            await self._close()
            await server.cleanup()
        for task in self._tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _close(self) -> None:
        """Stop everything; a running reconciliation completes first."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._reports.close()


async def serve(settings: Settings) -> None:
    """Run the operator until a signal ends it. Raises OSError if it cannot listen."""
    async with Kube(await kubeconfig.access()) as connection:
        owner = await until_served(connection, settings)
        logs.emit(
            _log,
            "started",
            release=settings.release,
            namespaces="all" if settings.all_namespaces else settings.namespaces,
            selector=settings.namespace_selector or None,
            owned=owner.uid is not None,
        )
        await Operator(connection, settings, owner).run()
    logs.emit(_log, "stopped")


def main() -> int:
    """Read the settings and run; returns 2 for invalid settings, 1 for an unexpected end, otherwise 0."""
    logs.configure("info")
    settings = load(Settings, log=_log)
    if settings is None:
        return 2
    logs.configure(settings.log_level, quiet={} if settings.log_level == "debug" else QUIET)
    collect_rarely()
    try:
        asyncio.run(serve(settings))
    except Exception as error:
        logs.unexpected(_log, "failed", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
