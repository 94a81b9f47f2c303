"""``make costs``: what routes, clients and pods cost, into docs/capacity.json, from which docs/capacity.md is made.

Each size is measured in a fresh process, in CPU time, so that a busy machine changes little. Names are random, as
those of real teams do not compress like ``route-1``, ``route-2``. With ``KUBEBUILDER_ASSETS`` (etcd, kube-apiserver)
the sizes of objects are read from a real API server as well; without, what the file has of them stays.
"""

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import psutil
from tests.bench.bench_operator import filled
from tests.bench.report import processor
from tests.bench.stack import environment
from tests.bench.startup import live
from tests.support.builders.objects import NOW, Manifest, client, credential, route, secret, target
from tests.support.kube.apiserver import ApiServer
from tests.support.processes.child import Process, python
from tests.support.processes.fakeagent import FakeAgent, serving
from tests.support.processes.operator import Operator
from tests.support.processes.waiting import until

from claude_gateway.contract import folder
from claude_gateway.contract.bundle import pack
from claude_gateway.names import GATEWAY_JSON
from claude_gateway.plan.decide import decide
from claude_gateway.plan.manifests import read
from claude_gateway.plan.world import Settings

INPUTS: Final = Path(__file__).resolve().parents[2] / "docs" / "capacity.json"
CREDENTIALS: Final = 50
FEW: Final = 100
ROUTES: Final = 10_000
CLIENTS: Final = 20_000
TOO_MANY: Final = 50_000
_SWAPS: Final = 3
_FEW_OBJECTS: Final = 40
_PROVIDERS: Final = ("anthropic", "openai", "gemini")


def manifests(routes: int, clients: int, *, edit: int = 0) -> list[Manifest]:
    """Return what an API server would list: routes of one name and two targets, and clients of one key each."""
    chance = random.Random(1)
    words = [f"{chance.getrandbits(40):010x}" for _ in range(routes + clients)]
    keys = {f"api{i}": f"sk-bench-{i:040}" for i in range(CREDENTIALS)}
    keys |= {f"key-{word}": f"cgw_{chance.getrandbits(256):064x}" for word in words[routes:]}
    found = [secret(values=keys)]
    found += [credential(f"c{i}", provider=_PROVIDERS[i % 3], key=f"api{i}") for i in range(CREDENTIALS)]
    found += [client(f"dev-{word}", keys=[f"key-{word}"], models=["claude-*"]) for word in words[routes:]]
    for number, word in enumerate(words[:routes]):
        own = number % CREDENTIALS
        model = f"{_PROVIDERS[own % 3]}/model-{word}"
        targets = [target(model, credential=f"c{own}", weight=weight) for weight in (1, 2 + edit)]
        found.append(route(f"route-{word}", models=[f"claude-{word}"], targets=targets))
    return found


def brain(routes: int, clients: int) -> dict[str, float]:
    """Measure one pass in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.costs", "brain", str(routes), str(clients)]
    found: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


def _brain(routes: int, clients: int) -> dict[str, float]:
    listed = manifests(routes, clients)
    began = time.process_time()
    plan = decide(read(listed, Settings(strict=False)), NOW)
    seconds = time.process_time() - began
    packed = pack(plan.bundle)
    policy = sum(len(value) for name, value in packed.config.items() if name.startswith(GATEWAY_JSON))
    return {
        "seconds": seconds,
        "mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
        "policy": policy,
        "unpacked": len(plan.bundle.gateway),
        "secrets": sum(map(len, packed.secrets.values())),
        "routes": len(plan.policy.routes),
        "clients": len(plan.policy.clients),
    }


def pod(routes: int) -> dict[str, float]:
    """Measure the memory of a pod's processes in MiB after a few edits of all routes."""
    with tempfile.TemporaryDirectory(prefix="cgw-costs-") as home, ExitStack() as stack:
        run_dir = Path(home)
        _write(run_dir, routes, edit=0)
        settings = environment(run_dir)
        running = {
            name: stack.enter_context(Process(python(f"claude_gateway_proxy.{name}"), environment=settings))
            for name in ("litellm", "agent", "gateway")
        }
        address = running["agent"].listening()
        for edit in range(_SWAPS):
            wanted = _write(run_dir, routes, edit=edit)
            until(partial(_is_live, address, wanted), timeout=300, what="the edit to be live")
        return {name: psutil.Process(child.pid).memory_info().rss / 2**20 for name, child in running.items()}


def _write(run_dir: Path, routes: int, *, edit: int) -> str:
    bundle = decide(read(manifests(routes, FEW, edit=edit), Settings(strict=False)), NOW).bundle
    return folder.write(run_dir / "source", bundle)


def _is_live(address: str, revision: str) -> bool:
    return live(address) == revision


def objects() -> dict[str, float]:
    """Measure the bytes of a route and of a client as an API server lists them, with the status that they get."""
    with tempfile.TemporaryDirectory(prefix="cgw-costs-") as home, ApiServer(Path(home)) as api, FakeAgent() as agent:
        cluster = filled(api, manifests(_FEW_OBJECTS, _FEW_OBJECTS))
        with Operator(api, cluster.home, AGENT_PORT=str(agent.port)).install():
            cluster.pods(agent)
            until(lambda: len(cluster.routes()) == _FEW_OBJECTS, timeout=60, what="all routes in the bundle")
            agent.report(serving(cluster.revision()))
            base = f"/apis/claudegateway.io/v1alpha1/namespaces/{cluster.home}"
            until(partial(_programmed, api, f"{base}/modelroutes"), timeout=60, what="all statuses")
            until(partial(_programmed, api, f"{base}/gatewayclients"), timeout=60, what="all statuses")
            return {
                kind: len(json.dumps(api.get(f"{base}/{kind}"), separators=(",", ":"))) / _FEW_OBJECTS
                for kind in ("modelroutes", "gatewayclients")
            }


def _programmed(api: ApiServer, path: str) -> bool:
    items = api.get(path)["items"]
    stated = (
        {found["type"]: found["status"] for found in item.get("status", {}).get("conditions", ())} for item in items
    )
    return all(conditions.get("Programmed") == "True" for conditions in stated)


def measured() -> dict[str, dict[str, Any]]:
    """Return all entries that this machine can measure: name → value, unit and source."""
    few, many, keyed = brain(FEW, FEW), brain(ROUTES, FEW), brain(FEW, CLIENTS)
    over = brain(TOO_MANY, FEW)
    small, large = pod(FEW), pod(ROUTES)
    per = ROUTES - FEW
    found = {
        "policy_bytes": (few["policy"], "bytes", f"gateway.json.gz with {FEW} routes and clients"),
        "policy_bytes_per_route": ((many["policy"] - few["policy"]) / per, "bytes", "the same with more routes"),
        "policy_bytes_per_client": (_each(keyed, few, "policy"), "bytes", "the same with more clients"),
        "unpacked_bytes_per_route": ((many["unpacked"] - few["unpacked"]) / per, "bytes", "gateway.json"),
        "secret_bytes_per_key": (_each(keyed, few, "secrets"), "bytes", "the Secret's part of a bundle"),
        "pass_seconds": (few["seconds"], "CPU s", f"read, decide and pack, {FEW} routes and clients"),
        "pass_seconds_per_route": ((many["seconds"] - few["seconds"]) / per, "CPU s", f"with {ROUTES:,} routes"),
        "pass_seconds_per_client": (_each(keyed, few, "seconds"), "CPU s", f"with {CLIENTS:,} clients"),
        "pass_mebibytes": (few["mebibytes"], "MiB", "peak of that process"),
        "pass_mebibytes_per_route": ((many["mebibytes"] - few["mebibytes"]) / per, "MiB", "peak of that process"),
        "pass_mebibytes_per_client": (_each(keyed, few, "mebibytes"), "MiB", "peak of that process"),
        "routes_that_fit": (over["routes"], "routes", f"of {TOO_MANY:,} in one release; the rest say TooLarge"),
        "overfull_pass_seconds": (over["seconds"], "CPU s", f"one pass with {TOO_MANY:,} routes in one release"),
        "overfull_pass_mebibytes": (over["mebibytes"], "MiB", "peak of that process"),
    }
    for name in small:
        found[f"{name}_mebibytes"] = (small[name], "MiB", f"resident after {_SWAPS} edits, {FEW} routes")
        grown = (large[name] - small[name]) / per
        found[f"{name}_mebibytes_per_route"] = (grown, "MiB", f"the same with {ROUTES:,} routes")
    if os.environ.get("KUBEBUILDER_ASSETS"):
        for kind, size in objects().items():
            found[f"listed_bytes_per_{kind}"] = (size, "bytes", "a list of the API server, with statuses")
    return {
        name: {"value": _round(value), "unit": unit, "source": source} for name, (value, unit, source) in found.items()
    }


def _each(many: Mapping[str, float], few: Mapping[str, float], what: str) -> float:
    return (many[what] - few[what]) / (CLIENTS - FEW)


def _round(value: float) -> float:
    """Return four significant digits."""
    return float(f"{value:.4g}")


def main() -> int:
    """Measure one pass (``brain ROUTES CLIENTS``), or everything, into the file."""
    if sys.argv[1:2] == ["brain"]:
        print(json.dumps(_brain(int(sys.argv[2]), int(sys.argv[3]))))
        return 0
    document = json.loads(INPUTS.read_text())
    document["measured"] |= measured()
    document["measured_on"] = f"{datetime.now(UTC).date().isoformat()}, {psutil.cpu_count()} cores ({processor()})"
    INPUTS.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
