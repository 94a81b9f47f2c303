"""Harm to a cluster of the tests, each as a context manager that undoes it: networks, the API server, disks, CPU.

Everything happens inside the node, which is a container of this cluster alone.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from tests.support.kube import kindcluster as kubecluster
from tests.support.kube import pods as kubepods
from tests.support.kube.kubectl import CommandError, Kube, Pod
from tests.support.processes.waiting import until

_MANIFEST: Final = "/etc/kubernetes/manifests/kube-apiserver.yaml"
_ASIDE: Final = "/etc/kubernetes/kube-apiserver.yaml"
_PATIENCE: Final = 180.0


@contextmanager
def api_server_away(kube: Kube) -> Iterator[None]:
    """Take the API server away; afterwards it is back and answers."""
    kubecluster.node("mv", _MANIFEST, _ASIDE)
    try:
        until(lambda: not _runs("kube-apiserver"), timeout=_PATIENCE, what="the API server to end")
        yield
    finally:
        kubecluster.node("mv", _ASIDE, _MANIFEST)
        until(lambda: answers(kube), timeout=_PATIENCE, what="the API server to be back")


def answers(kube: Kube) -> bool:
    """Return whether the API server is ready."""
    try:
        return kube.kubectl("get", "--raw", "/readyz", "--request-timeout=5s") == "ok"
    except CommandError:
        return False


@contextmanager
def unreachable(pods: Sequence[Pod], *, address: str = "", port: int = 0) -> Iterator[None]:
    """Silently drop all packets between these pods and an address, or a port of any address.

    Open connections stay open on both sides, without another packet. Raises AssertionError if nothing was dropped,
    because then nothing was tested.
    """
    with ExitStack() as undo:
        for pod in pods:
            for chain, rule in _rules(address, port):
                _iptables(pod, "-I", chain, *rule)
                undo.callback(_iptables, pod, "-D", chain, *rule)
        yield
        for pod in pods:
            assert _dropped(pod), f"{pod.name} sent nothing that could be dropped"


@contextmanager
def starved(pod: Pod, container: str, *, share: float) -> Iterator[None]:
    """Leave a container this share of one core; afterwards it has what it had."""
    quota, period = _cpu_files(pod.containers[container])
    before = kubecluster.node("cat", quota).strip()
    whole = int(kubecluster.node("cat", period).split()[-1])
    wanted = str(int(whole * share)) if quota.endswith("cfs_quota_us") else f"{int(whole * share)} {whole}"
    _write(quota, wanted)
    try:
        yield
    finally:
        _write(quota, before)


@contextmanager
def valkey_away(kube: Kube) -> Iterator[None]:
    """Kill Valkey, without a chance to end in order, and keep it away; afterwards it is back with what it kept."""
    (pod,) = kube.pods(namespace=kubepods.UPSTREAM, selector="app=valkey")
    run = ("exec", pod.name, "-n", kubepods.UPSTREAM, "--")
    kube.kubectl(*run, "touch", kubepods.AWAY)
    kubecluster.node("kill", "-9", str(_process(pod.containers["valkey"])))

    def state() -> bool:
        return next(each for each in kube.pods(namespace=kubepods.UPSTREAM, selector="app=valkey")).ready

    until(lambda: not state(), timeout=_PATIENCE, what="Valkey to be away")
    try:
        yield
    finally:
        kube.kubectl(*run, "rm", kubepods.AWAY)
        until(state, timeout=_PATIENCE, what="Valkey to be back")


@contextmanager
def full(kube: Kube, pod: Pod, folder: str, *, container: str, namespace: str) -> Iterator[None]:
    """Fill a pod's folder to the last byte; afterwards the room is free again."""
    run = ("exec", pod.name, "-c", container, "-n", namespace, "--", "sh", "-c")
    kube.kubectl(*run, f"cat /dev/zero > {folder}/filling 2>/dev/null; test -s {folder}/filling")
    try:
        yield
    finally:
        kube.kubectl(*run, f"rm -f {folder}/filling")


def killed(kube: Kube, pod: Pod, container: str, *, namespace: str) -> None:
    """Kill a container's first process, without a chance to end in order, and wait until the pod is ready again."""
    kubecluster.node("kill", "-9", str(_process(pod.containers[container])))

    def back() -> bool:
        now = next(each for each in kube.pods(namespace=namespace, selector="") if each.uid == pod.uid)
        return now.ready and now.restarts > pod.restarts

    until(back, timeout=_PATIENCE, what=f"{pod.name} to be back")


def lost(kube: Kube, pod: Pod, container: str, *, namespace: str) -> None:
    """Kill a container's first process, and delete its pod at once: nothing of it ends in order."""
    kubecluster.node("kill", "-9", str(_process(pod.containers[container])))
    kube.kubectl("delete", "pod", pod.name, "-n", namespace, "--force", "--grace-period=0")


def node_restarted(kube: Kube, *, namespaces: Sequence[str]) -> None:
    """Restart the node with everything on it, and wait until every pod of these namespaces, and DNS, is ready again.

    What the API server says of pods and Deployments is out of date until the node reports again, so restarts count.
    """

    def pods() -> list[Pod]:
        own = [pod for place in namespaces for pod in kube.pods(namespace=place, selector="")]
        return [*own, *kube.pods(namespace="kube-system", selector="k8s-app=kube-dns")]

    before = {pod.uid: pod.restarts for pod in pods()}
    kubecluster.restart()

    def back() -> bool:
        try:
            return all(pod.ready and pod.restarts > before.get(pod.uid, -1) for pod in pods())
        except CommandError:
            return False

    until(back, timeout=2 * _PATIENCE, what="all pods to be back")


def wait(seconds: float) -> None:
    """Let harm last: what is tested is that nothing happens meanwhile."""
    time.sleep(seconds)


def _rules(address: str, port: int) -> Iterator[tuple[str, list[str]]]:
    """Yield what drops packets out of a pod and into it, as (chain, rule)."""
    for protocol in ("tcp", "udp"):
        for chain, host, end in (("OUTPUT", "-d", "--dport"), ("INPUT", "-s", "--sport")):
            there = [host, address] if address else []
            yield chain, ["-p", protocol, *there, *([end, str(port)] if port else []), "-j", "DROP"]


def _dropped(pod: Pod) -> int:
    """Return how many packets out of a pod its filters dropped."""
    lines = _iptables(pod, "-vxnL", "OUTPUT").splitlines()
    return sum(int(line.split()[0]) for line in lines if " DROP " in line)


def _iptables(pod: Pod, *arguments: str) -> str:
    # All containers of a pod have one network.
    pid = _process(next(iter(pod.containers.values())))
    return kubecluster.node("nsenter", "-t", str(pid), "-n", "iptables", "-w", *arguments)


def _process(container: str) -> int:
    """Return the first process of a container, as the node counts."""
    (folder, *_) = _cgroups(container)
    return min(int(pid) for pid in kubecluster.node("cat", f"{folder}/cgroup.procs").split())


def _cpu_files(container: str) -> tuple[str, str]:
    """Return the files with a container's CPU quota and period, of cgroup v1 or v2."""
    for folder in _cgroups(container):
        files = kubecluster.node("ls", folder).split()
        if "cpu.cfs_quota_us" in files:
            return f"{folder}/cpu.cfs_quota_us", f"{folder}/cpu.cfs_period_us"
        if "cpu.max" in files:
            return f"{folder}/cpu.max", f"{folder}/cpu.max"
    raise AssertionError(f"no cgroup with a CPU quota was found for container {container}")


def _cgroups(container: str) -> list[str]:
    """Return a container's folders below /sys/fs/cgroup: one, or with cgroup v1 one for each controller."""
    found = kubecluster.node("find", "/sys/fs/cgroup", "-type", "d", "-name", f"*{container}*").split()
    assert found, f"container {container} has no cgroup"
    return found


def _write(file: str, text: str) -> None:
    kubecluster.node("sh", "-c", f"echo '{text}' > {file}")


def _runs(program: str) -> bool:
    try:
        kubecluster.node("pgrep", "-x", program)
    except CommandError:
        return False
    return True
