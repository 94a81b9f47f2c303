"""A real model server: llama.cpp's with a small model, as ``make setup-llama-server`` builds it."""

import json
import signal
import urllib.request
from types import TracebackType
from typing import Final, Self

from tests.support.processes.child import Process
from tests.support.processes.ports import free_port
from tests.support.processes.waiting import until
from tools import local_model

CONTEXT: Final = 4096
"""Tokens of a slot: small, so that a prompt can be too long."""
SLOTS: Final = 2
_LOADED: Final = 120.0
"""Seconds that loading the model may take on a busy machine."""


class LlamaServer:
    """A running server; a context manager. ``url`` stays the same when it is started again."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: Process | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None:
            self._process.stop()

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until the model is loaded. Raises AssertionError if it ends before."""
        arguments = local_model.arguments(host="127.0.0.1", port=self._port, context=CONTEXT, slots=SLOTS)
        self._process = process = Process(arguments, environment=local_model.environment())

        def ready() -> bool:
            assert process.returncode is None, f"it ended with {process.returncode}:\n{process.output}"
            return local_model.is_ready(self.url)

        if wait:
            until(ready, timeout=_LOADED, what="the model to be loaded")

    def kill(self) -> None:
        """End it at once, in the middle of what it does."""
        assert self._process is not None
        self._process.send(signal.SIGKILL)
        self._process.stop()

    def busy(self) -> int:
        """Return how many slots work on an answer."""
        with urllib.request.urlopen(f"{self.url}/slots", timeout=30) as answer:
            return sum(slot["is_processing"] for slot in json.loads(answer.read()))
