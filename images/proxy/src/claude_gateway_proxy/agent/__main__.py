"""``python -m claude_gateway_proxy.agent``: runs until SIGTERM or SIGINT, then ends at once."""

import asyncio
import logging
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from aiohttp import web

from claude_gateway.names import BUNDLE_DIR, GATEWAY_SOCKET, LITELLM_SOCKET
from claude_gateway_proxy.agent.allotment import AllotmentKeeper
from claude_gateway_proxy.agent.app import Pages
from claude_gateway_proxy.agent.keeper import Keeper
from claude_gateway_proxy.agent.kubernetes import KubernetesSource, ReportToken
from claude_gateway_proxy.agent.processes import Process
from claude_gateway_proxy.agent.settings import Settings
from claude_gateway_proxy.agent.source import FolderSource, Source
from claude_gateway_proxy.agent.status import Monitor
from claude_gateway_runtime import logs
from claude_gateway_runtime.kube import Cluster
from claude_gateway_runtime.settings import host_and_port, join_host_port, load

_log: Final = logging.getLogger("claude_gateway_proxy.agent")


async def serve(settings: Settings) -> None:
    """Run the agent until a signal ends it.

    Raises OSError if it cannot listen, has no run directory or does not find its namespace.
    """
    loop = asyncio.get_running_loop()
    # Two threads are enough: one reads the source, one writes the run directory.
    loop.set_default_executor(ThreadPoolExecutor(max_workers=2))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    gateway = Process("gateway", settings.run_dir / GATEWAY_SOCKET)
    litellm = Process("litellm", settings.run_dir / LITELLM_SOCKET)
    keeper = Keeper(settings.run_dir / BUNDLE_DIR, changed=lambda: monitor.nudge(keeper.kept))
    monitor = Monitor(gateway=gateway, litellm=litellm, kept=keeper.kept)
    source, report_token, allotted = _source(settings)
    pages = Pages(keeper=keeper, monitor=monitor, processes=(gateway, litellm), report_token=report_token)
    runner = web.AppRunner(pages.app(), access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    work: list[asyncio.Task[object]] = []
    try:
        await _listen(runner, settings)
        parts = (keeper.run(source), monitor.run(), stop.wait(), *([] if allotted is None else [allotted.run()]))
        work = [asyncio.create_task(part) for part in parts]
        ended, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        for task in ended:
            task.result()
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await runner.cleanup()
        await gateway.close()
        await litellm.close()
    logs.emit(_log, "stopped")


def _source(settings: Settings) -> tuple[Source, ReportToken | None, AllotmentKeeper | None]:
    """Return the source, the token for ``/status`` if the network can reach it, and the keeper of the allotment.

    Raises OSError.
    """
    if settings.source_dir is not None and settings.source == "folder":
        return FolderSource(settings.source_dir), None, None
    cluster = Cluster(url=settings.apiserver_url, token_file=settings.token_file, ca_file=settings.ca_file)
    namespace = settings.namespace or settings.namespace_file.read_text(encoding="utf-8").strip()
    source = KubernetesSource(cluster, namespace=namespace, name=settings.bundle_name or "")
    if settings.allotment_name is None:
        return source, source.report_token, None
    allotted = AllotmentKeeper(
        cluster,
        namespace=namespace,
        name=settings.allotment_name,
        pod=settings.pod_name,
        folder=settings.run_dir / BUNDLE_DIR,
    )
    return source, source.report_token, allotted


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    host, port = host_and_port(settings.metrics_listen)
    await web.TCPSite(runner, host or None, port).start()
    logs.emit(_log, "listening", address=join_host_port(*runner.addresses[0][:2]))


def main() -> int:
    """Read the settings and run; returns 2 for invalid settings, 1 if it cannot start."""
    logs.configure("info")
    settings = load(Settings, log=_log)
    if settings is None:
        return 2
    logs.configure(settings.log_level)
    try:
        asyncio.run(serve(settings))
    except OSError as error:
        logs.emit(_log, "start_failed", level=logging.ERROR, error=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
