"""``python -m claude_gateway_proxy.agent``: runs until SIGTERM or SIGINT, then ends at once."""

import asyncio
import logging
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from aiohttp import web
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from claude_gateway.names import BUNDLE_DIR, GATEWAY_SOCKET, LITELLM_SOCKET
from claude_gateway_proxy.agent.apiserver import Cluster
from claude_gateway_proxy.agent.app import Pages
from claude_gateway_proxy.agent.keeper import Keeper
from claude_gateway_proxy.agent.kubernetes import KubernetesSource, ReportToken
from claude_gateway_proxy.agent.processes import Process
from claude_gateway_proxy.agent.settings import Settings
from claude_gateway_proxy.agent.source import FolderSource, Source
from claude_gateway_proxy.agent.status import Monitor
from claude_gateway_runtime import logs

_log: Final = logging.getLogger("claude_gateway_proxy.agent")


async def serve(settings: Settings) -> None:
    """Run the agent until a signal ends it.

    Raises OSError if it cannot listen, has no run directory or does not find its namespace.
    """
    loop = asyncio.get_running_loop()
    # Two threads are plenty: one reads the source, one writes the run directory.
    loop.set_default_executor(ThreadPoolExecutor(max_workers=2))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    gateway = Process("gateway", settings.run_dir / GATEWAY_SOCKET)
    litellm = Process("litellm", settings.run_dir / LITELLM_SOCKET)
    keeper = Keeper(settings.run_dir / BUNDLE_DIR, changed=lambda: monitor.nudge(keeper.kept))
    monitor = Monitor(gateway=gateway, litellm=litellm, kept=keeper.kept)
    source, report_token = _source(settings)
    pages = Pages(keeper=keeper, monitor=monitor, processes=(gateway, litellm), report_token=report_token)
    runner = web.AppRunner(pages.app(), access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    work: list[asyncio.Task[object]] = []
    try:
        await _listen(runner, settings)
        work = [asyncio.create_task(part) for part in (keeper.run(source), monitor.run(), stop.wait())]
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


def _source(settings: Settings) -> tuple[Source, ReportToken | None]:
    """The source, and what protects ``/status`` where others than this machine reach it. Raises OSError."""
    if settings.source_dir is not None and settings.source == "folder":
        return FolderSource(settings.source_dir), None
    cluster = Cluster(url=settings.apiserver_url, token_file=settings.token_file, ca_file=settings.ca_file)
    namespace = settings.namespace or settings.namespace_file.read_text(encoding="utf-8").strip()
    source = KubernetesSource(cluster, namespace=namespace, name=settings.bundle_name or "")
    return source, source.report_token


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    host, port = settings.metrics_address
    await web.TCPSite(runner, host or None, port).start()
    bound = runner.addresses[0]
    shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
    logs.emit(_log, "listening", address=f"{shown}:{bound[1]}")


def main() -> int:
    """Read the settings and run; 2 for unusable settings, 1 for what the machine refuses."""
    logs.configure("info")
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            logs.emit(_log, "setting_refused", level=logging.ERROR, setting=_variable(problem), error=problem["msg"])
        return 2
    logs.configure(settings.log_level)
    try:
        asyncio.run(serve(settings))
    except OSError as error:
        logs.emit(_log, "start_failed", level=logging.ERROR, error=str(error))
        return 1
    return 0


def _variable(problem: ErrorDetails) -> str | None:
    """The environment variable that a problem is about; None if it is about several together."""
    if not problem["loc"]:
        return None
    field = str(problem["loc"][0])
    return f"CLAUDE_GATEWAY_{field}".upper() if field in Settings.model_fields else field


if __name__ == "__main__":
    sys.exit(main())
