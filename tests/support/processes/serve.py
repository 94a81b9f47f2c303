"""``claude-gateway serve`` as people run it: real processes, files that are edited."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
from tests.support.builders import objects as builders
from tests.support.processes.child import Process
from tests.support.processes.waiting import until

LONG: Final = 60.0
"""Seconds to wait for all processes: the machine may be busy with other tests."""


@dataclass(slots=True)
class Serve:
    """A running ``serve`` with JSON lines, and its folders."""

    process: Process
    folder: Path
    memory: Path

    def events(self, event: str) -> list[dict[str, Any]]:
        return self.process.lines(event)

    def wait_for(self, event: str, *, count: int = 1) -> dict[str, Any]:
        """Wait for the event of this number, and return it. Raises AssertionError when ``serve`` ends before."""

        def found() -> list[dict[str, Any]]:
            lines = self.events(event)
            if len(lines) < count and self.process.returncode is not None:
                raise AssertionError(f"serve ended with {self.process.returncode}:\n{self.process.output}")
            return lines[count - 1 :]

        return until(found, timeout=LONG, what=f"{event} number {count}")[0]

    @property
    def url(self) -> str:
        return str(self.wait_for("ready")["gateway"])

    def processes(self) -> dict[str, psutil.Process]:
        """The children by module."""
        children = psutil.Process(self.process.pid).children()
        return {
            next(part for part in child.cmdline() if part.startswith("claude_gateway_")): child for child in children
        }

    def ask(self, model: str = "claude-sonnet-5-5", *, key: str = builders.CLIENT_KEY) -> httpx.Response:
        body = {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": "hello there"}]}
        headers = {"authorization": f"Bearer {key}", "anthropic-version": "2023-06-01"}
        return httpx.post(f"{self.url}/v1/messages", json=body, headers=headers, timeout=LONG)


Starter = Callable[..., Serve]


def command(*arguments: str | Path) -> list[str]:
    """The argument list of a ``claude-gateway`` command."""
    return [sys.executable, "-m", "claude_gateway.cli", *map(str, arguments)]
