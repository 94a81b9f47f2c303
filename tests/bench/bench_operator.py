"""``make bench-operator``: the operator on a real API server with 5,000 routes, into docs/benchmarks.md.

Measured are its passes, its memory and an edit's way into the bundle, in about three minutes. Needs etcd and
kube-apiserver (``KUBEBUILDER_ASSETS``). They, the pod and this process share one core; the operator has the other one.
The objects are those of ``bench_decide``. Exits 1 when a goal is missed.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import psutil
import yaml
from tests.bench import bench_decide
from tests.bench.load import percentile
from tests.bench.report import Row, table, write_operator
from tests.bench.stack import GATEWAY_CORES, LOAD_CORES
from tests.support.builders.objects import Manifest, route, target
from tests.support.kube.apiserver import ApiServer
from tests.support.kube.cluster import Cluster
from tests.support.processes.fakeagent import FakeAgent, serving
from tests.support.processes.operator import Operator, namespace
from tests.support.processes.waiting import until

from claude_gateway.names import Kind, Reason

_CRDS: Final = Path(__file__).resolve().parents[2] / "crds"
_EDITS: Final = 20
_PATIENCE: Final = 300.0
SECONDS: Final = 3.0
MEBIBYTES: Final = 250.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of single passes and edits, MiB at the worst moment."""

    passes: list[float]
    edits: list[float]
    peak: float


def rows() -> list[Row]:
    """The lines of the table."""
    measured = measure()
    worst = percentile(measured.passes, 0.95)
    routes = f"{bench_decide.ROUTES:,} routes"
    return [
        Row(
            what=f"Operator: one full pass (list, decide, write), {routes}",
            goal=f"p95 ≤ {SECONDS:.0f} s",
            measured=f"p50 {percentile(measured.passes, 0.5):.2f} s, p95 {worst:.2f} s",
            met=worst <= SECONDS,
        ),
        Row(
            what=f"Operator: memory at its worst, {routes}, all statuses written once",
            goal=f"≤ {MEBIBYTES:.0f} MiB",
            measured=f"{measured.peak:.0f} MiB",
            met=measured.peak <= MEBIBYTES,
        ),
        Row(
            what=f"Operator: edit to bundle, {routes}",
            goal="",
            measured=f"p50 {percentile(measured.edits, 0.5):.2f} s, p95 {percentile(measured.edits, 0.95):.2f} s",
        ),
    ]


def measure() -> Measured:
    """Wait until one operator has taken over everything, then edit one route after the other."""
    with tempfile.TemporaryDirectory(prefix="cgw-bench-") as home, ApiServer(Path(home)) as api, FakeAgent() as agent:
        cluster = filled(api, bench_decide.manifests())
        with Operator(api, cluster.home, AGENT_PORT=str(agent.port)).install() as operator:
            process = psutil.Process(operator.pid)
            process.cpu_affinity(GATEWAY_CORES)
            cluster.pods(agent)
            _settle(cluster, agent)
            until(partial(quiet, operator, bench_decide.ROUTES), timeout=_PATIENCE, what="all statuses")
            passes, edits = [], []
            for number in range(_EDITS):
                before = spent(operator)
                edits.append(_edit(cluster, number))
                _settle(cluster, agent, f"route-{number}")
                after = spent(operator)
                passes.append((after[0] - before[0]) / (after[1] - before[1]))
            return Measured(passes=passes, edits=edits, peak=peak(process))


def filled(api: ApiServer, manifests: Iterable[Manifest]) -> Cluster:
    """Return a namespace with these objects in it."""
    for file in sorted(_CRDS.glob("*.yaml")):
        document = yaml.safe_load(file.read_text())
        api.apply(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{document['metadata']['name']}", document)
    for kind in ("modelroutes", "claudecredentials", "gatewayclients", "budgets"):
        until(partial(api.serves, f"/apis/claudegateway.io/v1alpha1/{kind}"), what=kind)
    cluster = Cluster(api, namespace(api, "bench"))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(cluster.put, manifests))
    return cluster


def _edit(cluster: Cluster, number: int) -> float:
    """Change one route; returns the seconds until the bundle has it."""
    before = _version(cluster)
    began = time.perf_counter()
    cluster.put(_edited(number))
    until(lambda: _version(cluster) != before, timeout=_PATIENCE, what="the edit in the bundle")
    return time.perf_counter() - began


def _edited(number: int) -> Manifest:
    to = target(f"anthropic/edited-{number}", credential="c0")
    return route(f"route-{number}", models=[f"claude-model-{number}"], targets=[to])


def _settle(cluster: Cluster, agent: FakeAgent, name: str = "route-0") -> None:
    """Let the pod serve what is there, and wait until a route says so."""
    until(lambda: len(cluster.routes()) == bench_decide.ROUTES, timeout=_PATIENCE, what="all routes in the bundle")
    agent.report(serving(cluster.revision()))
    until(partial(_programmed, cluster, name), timeout=_PATIENCE, what=name)


def _programmed(cluster: Cluster, name: str) -> bool:
    return cluster.condition(Kind.MODEL_ROUTE, name, "Programmed") == ("True", Reason.PROGRAMMED)


def quiet(operator: Operator, objects: int) -> bool:
    """Whether the statuses of so many objects were written, and none for a second."""
    written = 'writes_total{result="ok",what="status"}'
    before = operator.metric(written)
    time.sleep(1)
    return before > objects and operator.metric(written) == before


def _version(cluster: Cluster) -> str:
    return str((cluster.config() or {}).get("metadata", {}).get("resourceVersion"))


def spent(operator: Operator) -> tuple[float, float]:
    """Seconds in passes so far, and their number."""
    return operator.metric("reconcile_duration_seconds_sum"), operator.metric("reconcile_duration_seconds_count")


def peak(process: psutil.Process) -> float:
    """The most memory that a process ever had, in MiB; only Linux remembers."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1]) / 2**10


def main() -> int:
    """Measure, print, and write the operator's part of the page."""
    psutil.Process(os.getpid()).cpu_affinity(LOAD_CORES)
    began = time.monotonic()
    measured = rows()
    print(table(measured))
    write_operator(measured, minutes=(time.monotonic() - began) / 60)
    return int(any(row.met is False for row in measured))


if __name__ == "__main__":
    sys.exit(main())
