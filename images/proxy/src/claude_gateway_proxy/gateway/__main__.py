"""``python -m claude_gateway_proxy.gateway``: the process that clients talk to."""

import asyncio
import gc
import logging
import sys
from typing import Final

import prometheus_client
import uvloop

from claude_gateway_proxy.gateway.server import Process
from claude_gateway_proxy.gateway.settings import Settings
from claude_gateway_proxy.gateway.telemetry.journal import Journal
from claude_gateway_runtime import descriptors, logs
from claude_gateway_runtime.logs import emit
from claude_gateway_runtime.settings import load

_QUIET: Final = {
    # The log lines of requests already cover what uvicorn reports (malformed requests, streams cut on purpose).
    "uvicorn.error": logging.CRITICAL,
}

_log: Final = logging.getLogger(__name__)


def main() -> int:
    """Run until a signal; returns 0 after a clean end, 1 if the gateway cannot start, 2 for invalid settings."""
    logs.configure("info")
    settings = load(Settings, log=_log)
    if settings is None:
        return 2
    journal = Journal(sys.stdout.fileno())
    logs.configure(settings.log_level, stream=journal, quiet=_QUIET)
    _tune()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, journal))
    except OSError as error:
        emit(_log, "start_failed", level=logging.ERROR, error=str(error))
        return 1
    finally:
        journal.close()
    return 0


async def _serve(settings: Settings, journal: Journal) -> None:
    await Process(settings, journal=journal).run()


def _tune() -> None:
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
    descriptors.raise_limit()
    # While a thread builds a snapshot, the event loop runs again after half a millisecond instead of five.
    sys.setswitchinterval(0.0005)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
