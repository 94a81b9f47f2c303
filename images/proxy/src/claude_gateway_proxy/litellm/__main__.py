"""``python -m claude_gateway_proxy.litellm``: the process that translates between formats."""

import asyncio
import logging
import os
import sys
import warnings
from typing import Final

from claude_gateway_proxy.litellm import environment
from claude_gateway_proxy.litellm.server import serve
from claude_gateway_proxy.litellm.settings import Settings
from claude_gateway_runtime import descriptors, logs
from claude_gateway_runtime.logs import emit
from claude_gateway_runtime.settings import load

_QUIET: Final = {"uvicorn.error": logging.CRITICAL}

_log: Final = logging.getLogger(__name__)


def main() -> int:
    """Run until a signal; returns 0 after a clean end, 1 if the worker cannot start, 2 for invalid settings."""
    environment.reduce(os.environ)
    environment.reach_near_hosts_directly()
    logs.configure("info")
    settings = load(Settings, log=_log)
    if settings is None:
        return 2
    logs.configure(settings.log_level, quiet=_QUIET)
    # Pydantic's warnings quote values, which may be content.
    warnings.simplefilter("ignore")
    descriptors.raise_limit()
    # While a thread builds a table, the event loop runs again after half a millisecond instead of five.
    sys.setswitchinterval(0.0005)
    try:
        # asyncio's own event loop, not uvloop: the egress guard sees its connections.
        asyncio.run(serve(settings))
    except OSError as error:
        emit(_log, "start_failed", level=logging.ERROR, error=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
