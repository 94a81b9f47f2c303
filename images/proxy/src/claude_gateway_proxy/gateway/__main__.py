"""``python -m claude_gateway_proxy.gateway``: the process that clients talk to."""

import asyncio
import gc
import logging
import resource
import sys

import prometheus_client
import uvloop
from pydantic import ValidationError

from claude_gateway_proxy.gateway.server import Process
from claude_gateway_proxy.gateway.settings import Settings
from claude_gateway_proxy.gateway.telemetry.journal import Journal
from claude_gateway_runtime import logs
from claude_gateway_runtime.logs import emit


def main() -> int:
    """Run until a signal; 0 after a clean end, 1 if the gateway cannot start, 2 for wrong settings."""
    try:
        settings = Settings()
    except ValidationError as error:
        for each in error.errors(include_input=False, include_context=False, include_url=False):
            name = "_".join(str(part) for part in each["loc"]).upper()
            print(f"CLAUDE_GATEWAY_{name}: {each['msg']}", file=sys.stderr)
        return 2
    journal = Journal(sys.stdout.fileno())
    logs.configure(settings.log_level, stream=journal)
    # What uvicorn has to say (odd requests, streams that we cut on purpose) is in the lines of the requests.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    _tune()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, journal))
    except OSError as error:
        emit(logging.getLogger(__name__), "start_failed", level=logging.ERROR, error=str(error))
        return 1
    finally:
        journal.close()
    return 0


async def _serve(settings: Settings, journal: Journal) -> None:
    await Process(settings, journal=journal).run()


def _tune() -> None:
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
    # A stream takes two descriptors; shells and container runtimes often give 1,024.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # While a thread builds a snapshot, the event loop gets its turn within half a millisecond instead of five.
    sys.setswitchinterval(0.0005)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
