"""``python -m claude_gateway_proxy.litellm``: the process that translates between formats."""

import asyncio
import logging
import os
import resource
import sys
import warnings

from pydantic import ValidationError

from claude_gateway_proxy.litellm import environment
from claude_gateway_proxy.litellm.server import serve
from claude_gateway_proxy.litellm.settings import Settings
from claude_gateway_runtime import logs
from claude_gateway_runtime.logs import emit


def main() -> int:
    """Run until a signal; 0 after a clean end, 1 if the worker cannot start, 2 for wrong settings."""
    environment.reduce(os.environ)
    try:
        settings = Settings()
    except ValidationError as error:
        for each in error.errors(include_input=False, include_context=False, include_url=False):
            name = "_".join(str(part) for part in each["loc"]).upper()
            print(f"CLAUDE_GATEWAY_{name}: {each['msg']}", file=sys.stderr)
        return 2
    logs.configure(settings.log_level)
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    # Pydantic's quote the values that they are about, which may be content.
    warnings.simplefilter("ignore")
    # A stream takes two descriptors; shells and container runtimes often give 1,024.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # While a thread builds a table, the event loop gets its turn within half a millisecond instead of five.
    sys.setswitchinterval(0.0005)
    try:
        # asyncio's own event loop, not uvloop: the egress guard sees its connections.
        asyncio.run(serve(settings))
    except OSError as error:
        emit(logging.getLogger(__name__), "start_failed", level=logging.ERROR, error=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
