"""The kind cluster of the e2e or the chaos suite: made, filled with images, kept or deleted.

``python -m tests.support.kube.kindcluster check|up|down`` is what the Makefile calls.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from tests.support.kube.kubectl import ARTIFACTS, CLUSTER, SUITE, CommandError, Kube, call

from claude_gateway.names import GROUP

KUBECONFIG: Final = ARTIFACTS / "kubeconfig"
NODE: Final = f"{CLUSTER}-control-plane"
IMAGES: Final = ("proxy", "operator", "claude-code", "claude-auth", "scripted-upstream", "e2e-clients")
REPOSITORY: Final = "claude-gateway"
BUILT: Final = SUITE
"""Tag under which make builds the suite's images; in the cluster each image has a tag of its own content."""
RELEASED: Final = ("proxy", "operator")
OLDER: Final = "e2e-older"
"""Tag under which ``make e2e-upgrade`` builds the images of an older release."""
LOGS: Final = "/var/log/kept"
"""Folder in the node with the log of every container that ever ran in it."""
SYSTEM: Final = ("default", "kube-system", "kube-public", "kube-node-lease", "local-path-storage")
CRDS: Final = tuple(f"{kind}.{GROUP}" for kind in ("modelroutes", "claudecredentials", "gatewayclients", "budgets"))

_TOOLS: Final = {
    "docker": "https://docs.docker.com/engine/install/ (Debian: apt-get install docker.io)",
    "kind": "https://kind.sigs.k8s.io/docs/user/quick-start/#installation (go install sigs.k8s.io/kind@latest)",
    "helm": "https://helm.sh/docs/intro/install/",
    "kubectl": "https://kubernetes.io/docs/tasks/tools/",
}
# Hard links: a log outlives its pod, costs nothing, and is whole.
_KEEPER: Final = f"mkdir -p {LOGS}; while sleep 1; do cp -rlu /var/log/pods/. {LOGS}/ 2>/dev/null; done"


def missing() -> list[str]:
    """Say what is missing on this machine and how to get it; empty: nothing."""
    wrong = [f"{tool} is missing: {how}" for tool, how in _TOOLS.items() if shutil.which(tool) is None]
    if not wrong:
        try:
            call(["docker", "info"])
        except AssertionError as error:
            wrong.append(f"docker does not answer; is its daemon running, and may you use it? {error}")
    return wrong


def up(*, reuse: bool, names: Sequence[str] = IMAGES) -> Kube:
    """Make the cluster, or take the one that was kept; afterwards the newest images of these names are in it."""
    KUBECONFIG.parent.mkdir(parents=True, exist_ok=True)
    if not (reuse and _running()):
        down()
        image = os.environ.get("KIND_NODE_IMAGE")
        call(
            [
                *("kind", "create", "cluster", "--name", CLUSTER, "--kubeconfig", str(KUBECONFIG), "--wait", "180s"),
                *(("--image", image) if image else ()),
            ],
            timeout=400,
        )
        call(["docker", "exec", "-d", NODE, "sh", "-c", _KEEPER])
    else:
        call(["kind", "export", "kubeconfig", "--name", CLUSTER, "--kubeconfig", str(KUBECONFIG)])
    load(names)
    return Kube(KUBECONFIG)


def down() -> None:
    """Delete the cluster, if there is one."""
    call(["kind", "delete", "cluster", "--name", CLUSTER, "--kubeconfig", str(KUBECONFIG)])
    KUBECONFIG.unlink(missing_ok=True)


def sweep(kube: Kube) -> None:
    """Take out of a kept cluster what an earlier run left: releases first, then everything of the tests."""
    for found in json.loads(kube.helm("list", "-A", "-a", "-o", "json")):
        kube.helm("uninstall", found["name"], "-n", found["namespace"], "--wait")
    kube.kubectl("delete", "crd", *CRDS, "--ignore-not-found")
    if leftover := namespaces(kube):
        kube.kubectl("delete", "namespace", *leftover)
    # The keeper may write into a folder while it is removed.
    node("sh", "-c", f"until rm -rf {LOGS}/*; do sleep 1; done")


def namespaces(kube: Kube) -> list[str]:
    """Return the namespaces that are not the cluster's own."""
    found = kube.kubectl("get", "namespaces", "-o", "name").split()
    return [name for name in (line.removeprefix("namespace/") for line in found) if name not in SYSTEM]


def tag(name: str, *, built: str = BUILT) -> str:
    """Return the tag of the present content of an image that was built under ``built``."""
    found = call(["docker", "image", "inspect", "-f", "{{.Id}}", f"{REPOSITORY}/{name}:{built}"]).strip()
    return f"{built}-{found.removeprefix('sha256:')[:12]}"


def load(names: Sequence[str] = IMAGES, *, built: str = BUILT) -> None:
    """Bring every image into the node that is not there yet with its present content."""
    there = {name.removeprefix("docker.io/") for name in node("ctr", "-n", "k8s.io", "images", "ls", "-q").split()}
    wanted = [reference_of(name, built=built) for name in names]
    absent = [reference for reference in wanted if reference not in there]
    for reference in absent:
        call(["docker", "tag", f"{reference.split(':')[0]}:{built}", reference])
    if absent:
        call(["kind", "load", "docker-image", "--name", CLUSTER, *absent], timeout=600)


def reference_of(name: str, *, built: str = BUILT) -> str:
    """Return the reference under which an image is in the node."""
    return f"{REPOSITORY}/{name}:{tag(name, built=built)}"


def node(*command: str) -> str:
    """Run a command in the node, which is a container of this cluster alone."""
    return call(["docker", "exec", NODE, *command])


def restart() -> None:
    """Restart the node: everything in it ends at once, and starts again."""
    call(["docker", "restart", "-t", "5", NODE])
    call(["docker", "exec", "-d", NODE, "sh", "-c", _KEEPER])


def end_api_server() -> None:
    """End the API server's process; the node's kubelet starts it again."""
    pid = node("pgrep", "-x", "kube-apiserver").strip()
    node("sh", "-c", f"kill {pid}; while kill -0 {pid} 2>/dev/null; do sleep 0.1; done")


def logs() -> bytes:
    """Return every container's log since the cluster was made, as a tar archive. Raises CommandError if it is gone."""
    done = subprocess.run(["docker", "exec", NODE, "tar", "-C", LOGS, "-c", "."], capture_output=True, timeout=120)
    # 1: a log grew while it was read, and its beginning is in the archive.
    if done.returncode not in (0, 1) or not done.stdout:
        raise CommandError(f"the logs of {NODE} cannot be read: {done.stderr.decode('utf-8', 'replace')}")
    return done.stdout


def _running() -> bool:
    return CLUSTER in call(["kind", "get", "clusters"]).split()


def main(arguments: Sequence[str]) -> int:
    """Run the command line."""
    if wrong := missing():
        print(
            f"The {SUITE} suite needs a machine with docker, kind, helm and kubectl:",
            *wrong,
            sep="\n  ",
            file=sys.stderr,
        )
        return 1
    match list(arguments):
        case ["check"]:
            return 0
        case ["up"]:
            kube = up(reuse=True)
            print(f"The cluster is ready: export KUBECONFIG={kube.kubeconfig}; make {SUITE} KEEP=1 uses and keeps it.")
            return 0
        case ["down"]:
            down()
            return 0
        case _:
            print("usage: python -m tests.support.kube.kindcluster check|up|down", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
