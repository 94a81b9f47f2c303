"""``python -m claude_gateway_claude_code``: Claude Code as a model backend."""

import asyncio
import logging
import sys
import warnings
from pathlib import Path
from typing import Final

from claude_gateway_claude_code.server import Process, Unusable
from claude_gateway_claude_code.settings import Settings, find_cli
from claude_gateway_runtime import descriptors, logs
from claude_gateway_runtime.logs import emit
from claude_gateway_runtime.settings import load

_QUIET: Final = {"uvicorn.error": logging.CRITICAL}
_log: Final = logging.getLogger("claude_gateway_claude_code")


def main() -> int:
    """Run until a signal; 0 after a clean end, 1 if the backend cannot start, 2 for wrong settings."""
    logs.configure("info")
    settings = load(Settings, log=_log)
    if settings is None:
        return 2
    logs.configure(settings.log_level, quiet=_QUIET)
    # Warnings of libraries quote values, which may be content.
    warnings.simplefilter("ignore")
    descriptors.raise_limit()
    cli = find_cli(settings.cli)
    if cli is None:
        error = "no Claude Code CLI: install claude-agent-sdk, or name the binary in CLAUDE_GATEWAY_CLI"
        emit(_log, "start_failed", level=logging.ERROR, error=error)
        return 1
    try:
        asyncio.run(_serve(settings, cli))
    except (OSError, Unusable) as error:
        emit(_log, "start_failed", level=logging.ERROR, error=str(error))
        return 1
    return 0


async def _serve(settings: Settings, cli: Path) -> None:
    await Process(settings, cli).run()


if __name__ == "__main__":
    sys.exit(main())
