"""``make bench-clients``: 10,000 clients in one release on a real API server, into docs/benchmarks.md.

Measured are the bundle, the memory of the operator and of a pod, and the way of a new key to a gateway that accepts it,
in some minutes. Needs etcd and kube-apiserver (``KUBEBUILDER_ASSETS``). They and this process share one core; the
operator and the pod's processes share the other one. Exits 1 when a goal is missed.
"""

import base64
import os
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Self

import psutil
from tests.bench.bench_operator import filled, peak, quiet, spent
from tests.bench.load import percentile
from tests.bench.report import Row, table, write_clients
from tests.bench.stack import GATEWAY_CORES, LOAD_CORES, environment, pin
from tests.support.builders.objects import Manifest, route, target
from tests.support.builders.people import key, name, person
from tests.support.kube.apiserver import ApiServer
from tests.support.kube.cluster import Cluster
from tests.support.processes.child import Process, python
from tests.support.processes.fakeagent import own_address
from tests.support.processes.operator import ACCOUNT, Operator
from tests.support.processes.ports import free_port
from tests.support.processes.waiting import until

from claude_gateway.names import Kind
from claude_gateway.release_names import bundle_name

CLIENTS: Final = 10_000
_EDITS: Final = 20
_PATIENCE: Final = 900.0
OBJECT_BYTES: Final = 2**20
"""What etcd takes as one object."""
MEBIBYTES: Final = 512.0
"""The chart's limit of the operator's memory."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Bytes of the bundle's two objects, MiB of the processes, seconds of passes and of edits."""

    public: int
    secret: int
    operator: float
    pod: Mapping[str, float]
    passes: list[float]
    live: list[float]
    programmed: list[float]


class Pod:
    """The processes of one pod, which follow the API server as in a cluster."""

    def __init__(self, cluster: Cluster, home: Path, port: int) -> None:
        """The operator's account reads the bundle here: what the agent's own may is tested elsewhere."""
        self.address, self.port = own_address(), port
        (home / "token").write_text(cluster.api.token(cluster.home, ACCOUNT))
        self._environment = {
            **environment(home),
            "CLAUDE_GATEWAY_METRICS_LISTEN": f"{self.address}:{self.port}",
            "CLAUDE_GATEWAY_SOURCE": "kubernetes",
            "CLAUDE_GATEWAY_NAMESPACE": cluster.home,
            "CLAUDE_GATEWAY_BUNDLE_NAME": bundle_name(cluster.release),
            "CLAUDE_GATEWAY_TOKEN_FILE": str(home / "token"),
            "CLAUDE_GATEWAY_CA_FILE": str(cluster.api.home / "certs" / "apiserver.crt"),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(cluster.api.port),
        }

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._running = {
            name: self._stack.enter_context(
                pin(Process(python(f"claude_gateway_proxy.{name}"), environment=self._environment), GATEWAY_CORES)
            )
            for name in ("litellm", "agent", "gateway")
        }
        self._url = f"http://{self._running['gateway'].listening()}/v1/models"
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def accepts(self, key: str) -> bool:
        """Whether the gateway knows a key."""
        request = urllib.request.Request(self._url, headers={"authorization": f"Bearer {key}"})
        try:
            with urllib.request.urlopen(request, timeout=30):
                return True
        except (urllib.error.URLError, ConnectionError):
            return False

    def memory(self) -> dict[str, float]:
        """Resident memory of the processes in MiB."""
        return {name: psutil.Process(child.pid).memory_info().rss / 2**20 for name, child in self._running.items()}


def rows() -> list[Row]:
    """The lines of the table."""
    found = measure()
    clients = f"{CLIENTS:,} clients"
    size = f"≤ {OBJECT_BYTES / 1e6:.2f} MB each"
    pod = ", ".join(f"{name} {mebibytes:.0f} MiB" for name, mebibytes in found.pod.items())
    return [
        Row(
            what=f"Bundle of {clients}: ConfigMap and Secret",
            goal=size,
            measured=f"{found.public / 1e6:.2f} MB, {found.secret / 1e6:.2f} MB",
            met=max(found.public, found.secret) <= OBJECT_BYTES,
        ),
        Row(
            what=f"Operator: memory at its worst, {clients}, all statuses written once",
            goal=f"≤ {MEBIBYTES:.0f} MiB",
            measured=f"{found.operator:.0f} MiB",
            met=found.operator <= MEBIBYTES,
        ),
        Row(f"Pod: resident memory after {_EDITS} edits, {clients}", "", pod),
        Row(f"Operator: one full pass (list, decide, write), {clients}", "", _spread(found.passes)),
        Row(f"New key of one client: applied to accepted by the gateway, {clients}", "", _spread(found.live)),
        Row(f"New key of one client: applied to Programmed, {clients}", "", _spread(found.programmed)),
    ]


def measure() -> Measured:
    """Let an operator and a pod take over everything, then replace the key of one client after the other."""
    with tempfile.TemporaryDirectory(prefix="cgw-") as home, ApiServer(Path(home)) as api:
        to = target("anthropic/*", credential=None, baseURL="https://api.example.com")
        cluster = filled(api, [route("claude", models=["claude-*"], targets=[to]), *map(person, range(CLIENTS))])
        run_dir = Path(home) / "run"
        run_dir.mkdir()
        port = free_port()
        operator = Operator(api, cluster.home, AGENT_PORT=str(port)).install()
        with Pod(cluster, run_dir, port) as pod, operator:
            cluster.pods(pod)
            process = psutil.Process(operator.pid)
            process.cpu_affinity(GATEWAY_CORES)
            until(partial(pod.accepts, key(0)), timeout=_PATIENCE, what="the first key to be accepted")
            until(partial(quiet, operator, CLIENTS), timeout=_PATIENCE, what="all statuses")
            passes, live, programmed = [], [], []
            for number in range(_EDITS):
                before = spent(operator)
                began = time.perf_counter()
                cluster.put(person(number, edit=1))
                until(partial(pod.accepts, key(number, edit=1)), timeout=_PATIENCE, what="the new key")
                live.append(time.perf_counter() - began)
                until(partial(_is_programmed, cluster, number), timeout=_PATIENCE, what="Programmed")
                programmed.append(time.perf_counter() - began)
                after = spent(operator)
                passes.append((after[0] - before[0]) / max(1, after[1] - before[1]))
            return Measured(
                public=_size(cluster.config()),
                secret=_size(cluster.secret()),
                operator=peak(process),
                pod=pod.memory(),
                passes=passes,
                live=live,
                programmed=programmed,
            )


def _is_programmed(cluster: Cluster, number: int) -> bool:
    found = cluster.status(Kind.GATEWAY_CLIENT, name(number)).get("conditions", ())
    return any(
        (each["type"], each["status"], each.get("observedGeneration")) == ("Programmed", "True", 2) for each in found
    )


def _size(manifest: Manifest | None) -> int:
    """Bytes of an object's entries, as etcd has them."""
    found = manifest or {}
    encoded = {**(found.get("binaryData") or {}), **(found.get("data") or {} if found.get("kind") == "Secret" else {})}
    plain = {} if found.get("kind") == "Secret" else found.get("data") or {}
    return sum(len(base64.b64decode(text)) for text in encoded.values()) + sum(len(text) for text in plain.values())


def _spread(seconds: list[float]) -> str:
    return f"p50 {percentile(seconds, 0.5):.2f} s, p95 {percentile(seconds, 0.95):.2f} s"


def main() -> int:
    """Measure, print, and write the clients' part of the page, with the arguments as a note for its readers."""
    psutil.Process(os.getpid()).cpu_affinity(LOAD_CORES)
    began = time.monotonic()
    measured = rows()
    print(table(measured))
    write_clients(measured, minutes=(time.monotonic() - began) / 60, note=" ".join(sys.argv[1:]))
    return int(any(row.met is False for row in measured))


if __name__ == "__main__":
    sys.exit(main())
