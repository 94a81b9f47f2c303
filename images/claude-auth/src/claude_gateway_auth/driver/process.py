"""The end of a CLI process."""

import asyncio
import os
import signal
from contextlib import suppress
from typing import Final

_GRACE_SECONDS: Final = 5.0


async def ended(process: asyncio.subprocess.Process) -> None:
    """End a process and its children: first with SIGTERM, then with SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _GRACE_SECONDS)
