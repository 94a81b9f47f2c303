"""The processes under measurement: an upstream on one core, gateway and LiteLLM worker on the other."""

import os
import shutil
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psutil
from tests.support.processes.child import Process, python
from tests.support.processes.waiting import until

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import Bundle
from claude_gateway.contract.policy import Egress
from claude_gateway.names import API_VERSION, BUNDLE_DIR, LABEL_CREDENTIAL
from claude_gateway.plan.decide import decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.world import Settings

KEY: Final = "cgw_bench_bench_bench_bench"
ANTHROPIC: Final = "bench-anthropic"
OPENAI: Final = "bench-openai"
TRANSLATED: Final = "bench-litellm"
"""The model of the same server that is reached through LiteLLM."""
PACED: Final = "bench-paced"
"""The model that streams 50 events a second on the OpenAI wire."""
PACED_CLAUDE: Final = "bench-paced-claude"
"""The same on the Anthropic wire."""
_CORES: Final = sorted(psutil.Process().cpu_affinity() or range(psutil.cpu_count() or 1))
GATEWAY_CORES: Final = _CORES[:1]
LOAD_CORES: Final = _CORES[1:2] or _CORES[:1]


def pin(process: Process, cores: list[int]) -> Process:
    """Keep a process on these cores."""
    psutil.Process(process.pid).cpu_affinity(cores)
    return process


def route(name: str, *, model: str, base_url: str, models: Iterable[str], **more: Any) -> dict[str, Any]:
    """A ModelRoute with one keyless target; ``more`` are further fields of the target."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelRoute",
        "metadata": {"name": name},
        "spec": {"models": list(models), "targets": [{"model": model, "baseURL": base_url, **more}]},
    }


def manifests(upstream: int, *, extra_routes: int = 0) -> list[dict[str, Any]]:
    """One route to each wire, one client, and ``extra_routes`` that only take up room."""
    base = f"http://127.0.0.1:{upstream}"
    secret = {"name": "bench", "labels": {LABEL_CREDENTIAL: "true"}}
    objects: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": secret, "stringData": {"key": KEY}},
        {
            "apiVersion": API_VERSION,
            "kind": "GatewayClient",
            "metadata": {"name": "bench"},
            "spec": {"keys": [{"secretRef": {"name": "bench"}}]},
        },
        route("anthropic", model="anthropic/bench", base_url=base, models=[ANTHROPIC]),
        route("openai", model="hosted_vllm/bench", base_url=f"{base}/v1", models=[OPENAI]),
        route("litellm", model="hosted_vllm/bench", base_url=f"{base}/v1", models=[TRANSLATED], via="LiteLLM"),
        route("paced", model="hosted_vllm/paced", base_url=f"{base}/v1", models=[PACED]),
        route("paced-claude", model="anthropic/paced", base_url=base, models=[PACED_CLAUDE]),
    ]
    for number in range(extra_routes):
        name = f"extra-{number}"
        objects.append(route(name, model=f"anthropic/{name}", base_url=base, models=[name, f"{name}-*"]))
    return objects


def bundle(objects: Iterable[Mapping[str, Any]]) -> Bundle:
    """Decide on the objects; loopback is allowed, since everything here is on it."""
    plan = decide(read(objects, Settings(egress=Egress(loopback=True))), datetime.now(UTC))
    if plan.problems:
        raise SystemExit(f"bench: the objects have problems: {plan.problems}")
    return plan.bundle


class Stack:
    """An upstream, a gateway and a LiteLLM worker; a context manager that ends them and removes their files."""

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        shared = Path("/dev/shm")
        self.run_dir = Path(tempfile.mkdtemp(prefix="cgw-bench-", dir=shared if os.access(shared, os.W_OK) else None))
        self._stack.callback(shutil.rmtree, self.run_dir, ignore_errors=True)
        upstream = self._start("tests.bench.upstream", LOAD_CORES)
        self.upstream = int(upstream.listening().rpartition(":")[2])
        self.objects = manifests(self.upstream)
        folder.write(self.run_dir / BUNDLE_DIR, bundle(self.objects))
        self.litellm = self._start("claude_gateway_proxy.litellm", GATEWAY_CORES)
        self.gateway = self._start("claude_gateway_proxy.gateway", GATEWAY_CORES)
        self.port = int(self.gateway.listening().rpartition(":")[2])
        wait_ready(self.port)
        # Until then it takes most of the core that it shares with the gateway.
        until(lambda: self.litellm.lines("litellm_loaded"), what="the worker to load LiteLLM")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def _start(self, module: str, cores: list[int]) -> Process:
        return self._stack.enter_context(pin(Process(python(module), environment=environment(self.run_dir)), cores))

    def memory(self, process: Process) -> float:
        """Resident memory of a process in MiB."""
        return float(psutil.Process(process.pid).memory_info().rss) / 2**20


def environment(run_dir: Path) -> dict[str, str]:
    """Settings of the processes."""
    return {
        "CLAUDE_GATEWAY_RUN_DIR": str(run_dir),
        "CLAUDE_GATEWAY_LISTEN": "127.0.0.1:0",
        "CLAUDE_GATEWAY_SOURCE_DIR": str(run_dir / "source"),
        "CLAUDE_GATEWAY_METRICS_LISTEN": "127.0.0.1:0",
    }


def wait_ready(port: int) -> float:
    """Wait until ``/readyz`` says 200; return the moment (``time.perf_counter``)."""

    def ask() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError):
            return False

    until(ask, what="the gateway to be ready")
    return time.perf_counter()
