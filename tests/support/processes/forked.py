"""A gateway that is started and killed dozens of times in one run folder, as the container of a pod is.

Each life is a process of its own, forked from one that has the modules: importing them takes most of a start.
"""

import json
import multiprocessing
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.support.processes.waiting import until

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import Bundle
from claude_gateway.names import BUNDLE_DIR

_MODULE: Final = "claude_gateway_proxy.gateway.__main__"
_CONTEXT: Final = multiprocessing.get_context("forkserver")


class Life:
    """One process, from its start until it is killed."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        self._process = _CONTEXT.Process(target=_run, args=(dict(environment), str(log)))
        self._process.start()
        self.url = f"http://{until(self._address, what='a gateway that listens')}"

    def kill(self) -> None:
        """Kill it, with SIGKILL."""
        self._process.kill()
        self._process.join()

    def close(self) -> None:
        """End it with SIGTERM, unless it has ended."""
        self._process.terminate()
        self._process.join()
        self._process.close()

    def _address(self) -> str:
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        found = [json.loads(line) for line in lines if line.startswith("{")]
        assert self._process.is_alive(), lines
        return next((str(line["address"]) for line in found if line["event"] == "listening"), "")


class ForkedGateway:
    """A context manager; settings are given without their prefix (``max_body_bytes=2048``)."""

    def __init__(self, bundle: Bundle, **settings: object) -> None:
        # Not pytest's folder: the path of a Unix socket may have 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="cgw-"))
        (self.folder / BUNDLE_DIR).mkdir(mode=0o700)
        folder.write(self.folder / BUNDLE_DIR, bundle)
        given = {"run_dir": self.folder, "listen": "127.0.0.1:0", **settings}
        self._environment = {f"CLAUDE_GATEWAY_{name.upper()}": str(value) for name, value in given.items()}
        self._lives = 0
        _CONTEXT.set_forkserver_preload([_MODULE])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        shutil.rmtree(self.folder)

    @contextmanager
    def life(self) -> Iterator[Life]:
        """Start it, and end it with the block."""
        self._lives += 1
        life = Life(self._environment, self.folder / f"{self._lives}.log")
        try:
            yield life
        finally:
            life.close()


def _run(environment: Mapping[str, str], log: str) -> None:
    """The child: the gateway's own main function, with its output in a file."""
    os.environ.update(environment)
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(fd, sys.stdout.fileno())
    os.dup2(fd, sys.stderr.fileno())
    sys.exit(sys.modules[_MODULE].main())
