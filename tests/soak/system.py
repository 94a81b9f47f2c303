"""``claude-gateway serve`` under the soak: its processes, what they take, and what they say."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.request import urlopen

import psutil
from prometheus_client.parser import text_string_to_metric_families
from tests.support.processes.waiting import until

from claude_gateway import metric_names

_LOUD: Final = frozenset({"warning", "error", "critical"})
_KEPT: Final = 200
"""Loud lines that are kept of each event, for the report."""
_START: Final = 120.0


class Log:
    """Everything that ``serve`` prints, counted; only loud lines are kept, so that hours take no room."""

    def __init__(self, stream: Any) -> None:
        self.events: Counter[str] = Counter()
        self.bytes = 0
        self.loud: dict[str, list[dict[str, Any]]] = {}
        self.ready: dict[str, Any] = {}
        self.live_seconds: list[float] = []
        self._thread = threading.Thread(target=self._read, args=(stream,), name="soak-log", daemon=True)
        self._thread.start()

    @property
    def lines(self) -> int:
        """How many lines were printed."""
        return sum(self.events.values())

    def _read(self, stream: Any) -> None:
        for raw in stream:
            self.bytes += len(raw)
            try:
                line = json.loads(raw)
            except ValueError:
                line = {"event": "no JSON", "level": "error", "text": raw.decode("utf-8", "replace")[:300]}
            event = str(line.get("event"))
            self.events[event] += 1
            if event == "ready":
                self.ready = line
            if event == "config_live":
                self.live_seconds.append(float(line["seconds"]))
            if line.get("level") in _LOUD and len(self.loud.setdefault(event, [])) < _KEPT:
                self.loud[event].append(line)


class Serve:
    """A running ``serve`` on a folder; a context manager that ends it, asked first."""

    def __init__(self, folder: Path) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="soak-", dir="/tmp")
        command = [sys.executable, "-m", "claude_gateway.cli", "serve", "-f", str(folder)]
        self._child = subprocess.Popen(
            [*command, "--listen", "127.0.0.1:0", "--log-format", "json"],
            env={**os.environ, "XDG_RUNTIME_DIR": self._home.name, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.log = Log(self._child.stdout)

    def __enter__(self) -> Self:
        until(lambda: self.log.ready or self._child.poll() is not None, timeout=_START, what="serve to be ready")
        if not self.log.ready:
            raise SystemExit(f"soak: serve did not start: {self.log.loud}")
        self.processes = self._found()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._child.terminate()
        try:
            self._child.wait(60)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._home.cleanup()

    @property
    def port(self) -> int:
        """The port for clients."""
        return int(self.log.ready["gateway"].rpartition(":")[2])

    @property
    def same(self) -> bool:
        """Whether all processes are those of the start."""
        return self._child.poll() is None and {name: found.pid for name, found in self._found().items()} == {
            name: found.pid for name, found in self.processes.items()
        }

    def sample(self) -> dict[str, dict[str, float]]:
        """Measure each process now: ``rss`` (bytes), ``descriptors``, ``threads``, ``cpu`` (seconds) and ``tasks``.

        ``rss`` is without mapped files: the kernel takes their pages back as it likes, which would hide a leak.
        """
        own = self._metrics()
        found = {}
        for name, process in self.processes.items():
            with process.oneshot():
                times, memory = process.cpu_times(), process.memory_info()
                found[name] = {
                    "rss": float(memory.rss - getattr(memory, "shared", 0)),
                    "descriptors": float(process.num_fds()),
                    "threads": float(process.num_threads()),
                    "cpu": times.user + times.system,
                    **own.get(name, {}),
                }
        return found

    def in_flight(self) -> float:
        """Return how many requests gateway and worker are answering."""
        return sum(values.get("in_flight", 0.0) for values in self._metrics().values())

    def until_applied(self, seen: Mapping[str, int], *, valid: bool, seconds: float) -> bool:
        """Wait until an edit is live, and its mistake reported; ``seen`` are the events before the edit."""
        wanted = ("config_live",) if valid else ("config_live", "problem")
        end = time.monotonic() + seconds
        while any(self.log.events[event] <= seen.get(event, 0) for event in wanted):
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def _metrics(self) -> dict[str, dict[str, float]]:
        with urlopen(f"{self.log.ready['metrics']}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        found: dict[str, dict[str, float]] = {}
        short = {metric_names.TASKS: "tasks", metric_names.IN_FLIGHT: "in_flight"}
        for family in text_string_to_metric_families(text):
            if family.name in short:
                for sample in family.samples:
                    found.setdefault(sample.labels["process"], {})[short[family.name]] = sample.value
        return found

    def _found(self) -> dict[str, psutil.Process]:
        own = psutil.Process(self._child.pid)
        found = {"serve": own}
        for child in own.children():
            module = next((part for part in child.cmdline() if part.startswith("claude_gateway_")), None)
            if module is not None:
                found[module.rpartition(".")[2]] = child
        return found
