"""From start to ready: the gateway alone, and the three processes of a pod."""

import json
import shutil
import tempfile
import time
import urllib.request
from pathlib import Path

from tests.bench.report import Row
from tests.bench.stack import GATEWAY_CORES, bundle, environment, manifests, pin, wait_ready
from tests.support.processes.child import Process, python
from tests.support.processes.waiting import until

from claude_gateway.contract import folder
from claude_gateway.names import BUNDLE_DIR, LITELLM_SOCKET
from claude_gateway_runtime.unixsocket import bind_unix

_RUNS = 5


def rows() -> list[Row]:
    """The slowest of a few starts, on one core."""
    gateway = [_gateway() for _ in range(_RUNS)]
    pod = [_pod() for _ in range(_RUNS)]
    return [
        Row("Start to ready: gateway", "≤ 1.5 s", f"{max(gateway):.2f} s", max(gateway) <= 1.5),
        Row(
            "Start to live: gateway, LiteLLM worker and agent on one core",
            "≤ 6 s",
            f"{max(pod):.2f} s",
            max(pod) <= 6,
        ),
    ]


def _gateway() -> float:
    run_dir = Path(tempfile.mkdtemp(prefix="cgw-bench-"))
    folder.write(run_dir / BUNDLE_DIR, bundle(manifests(1)))
    # Readiness asks whether a worker listens; this row is about the gateway alone.
    worker = bind_unix(run_dir / LITELLM_SOCKET)
    began = time.perf_counter()
    with (
        worker,
        pin(
            Process(python("claude_gateway_proxy.gateway"), environment=environment(run_dir)), GATEWAY_CORES
        ) as gateway,
    ):
        spent = wait_ready(int(gateway.listening().rpartition(":")[2])) - began
    shutil.rmtree(run_dir)
    return spent


def _pod() -> float:
    run_dir = Path(tempfile.mkdtemp(prefix="cgw-bench-"))
    folder.write(run_dir / "source", bundle(manifests(1)))
    settings = environment(run_dir)
    began = time.perf_counter()
    with (
        pin(Process(python("claude_gateway_proxy.litellm"), environment=settings), GATEWAY_CORES),
        pin(Process(python("claude_gateway_proxy.agent"), environment=settings), GATEWAY_CORES) as agent,
        pin(Process(python("claude_gateway_proxy.gateway"), environment=settings), GATEWAY_CORES) as gateway,
    ):
        until(lambda: live(agent.listening()), what="the pod to be live")
        spent = wait_ready(int(gateway.listening().rpartition(":")[2])) - began
    shutil.rmtree(run_dir)
    return spent


def live(agent: str, *, other_than: str | None = None) -> str | None:
    """The revision that gateway and worker serve, as the agent says; waits a while for another one if asked to."""
    query = f"?revision={other_than}&timeout=10" if other_than else ""
    with urllib.request.urlopen(f"http://{agent}/status{query}", timeout=30) as answer:
        revision: str | None = json.load(answer)["live"]
    return revision
