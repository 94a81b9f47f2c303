"""A gateway that is started and killed dozens of times in one run folder, as the container of a pod is."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.processes.forked import ForkedProcess

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import Bundle
from claude_gateway.names import BUNDLE_DIR


class Life:
    """One process, from its start until it is killed."""

    def __init__(self, process: ForkedProcess) -> None:
        self._process = process
        self.url = f"http://{process.listening()}"

    def kill(self) -> None:
        """Kill it, with SIGKILL."""
        self._process.send(signal.SIGKILL)
        self._process.wait()


class KilledGateway:
    """A context manager; settings are given without their prefix (``max_body_bytes=2048``)."""

    def __init__(self, bundle: Bundle, **settings: object) -> None:
        # Not pytest's folder: the path of a Unix socket may have 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="cgw-"))
        (self.folder / BUNDLE_DIR).mkdir(mode=0o700)
        folder.write(self.folder / BUNDLE_DIR, bundle)
        given = {"run_dir": self.folder, "listen": "127.0.0.1:0", **settings}
        self._environment = {f"CLAUDE_GATEWAY_{name.upper()}": str(value) for name, value in given.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        shutil.rmtree(self.folder)

    @contextmanager
    def life(self) -> Iterator[Life]:
        """Start it, and end it with the block."""
        with ForkedProcess("claude_gateway_proxy.gateway", environment=self._environment) as process:
            yield Life(process)
