"""What a run leaves behind: no secret anywhere that it does not belong, and nothing at all after an uninstall."""

import json

from tests.e2e.release import Gateway, Release
from tests.support.kube import dump as kubedump
from tests.support.kube import kindcluster as kubecluster
from tests.support.kube import pods as kubepods
from tests.support.kube.kubectl import Kube
from tests.support.processes.waiting import until

KEPT = {
    *("secret/anthropic", "secret/openai", "modelroute/anthropic", "modelroute/openai"),
    *("claudecredential/anthropic", "claudecredential/vllm", "gatewayclient/alice", "secret/alice-key"),
    *("secret/cg-claude-gateway-tls", f"configmap/{kubepods.AUTHORITY}"),
}
"""What users made: their Secrets, and with ``crds.keep`` their objects."""
CLUSTERS_OWN = {"serviceaccount/default", "configmap/kube-root-ca.crt"}


def test_no_secret_is_in_an_object_an_event_or_a_log(gateway: Gateway) -> None:
    wanted = {*gateway.secrets, *gateway.release.own_secrets}
    assert len(wanted) >= 8
    logs = dict(kubedump.logs())
    for part in ("gateway", "litellm", "agent", "operator"):
        assert any(f"/{part}/" in path for path in logs), f"no log of {part} was kept"
    assert kubedump.leaks(gateway.kube, wanted) == []


def test_an_uninstall_leaves_nothing_and_another_name_can_follow(gateway: Gateway) -> None:
    kube, release = gateway.kube, gateway.release
    assert _left(kube, release) > KEPT | CLUSTERS_OWN
    release.helm("uninstall", "--wait")
    until(lambda: _left(kube, release) <= KEPT | CLUSTERS_OWN, timeout=120, what="the release's objects to go")
    assert _left(kube, release) == KEPT | CLUSTERS_OWN
    assert _cluster_wide(kube, release) == []
    assert {kube.exists("crd", namespace="", name=name) for name in kubecluster.CRDS} == {True}

    again = Release(kube, name="again", namespace=release.namespace)
    again.install()
    kube.wait("modelroute/anthropic", condition="Programmed", namespace=release.namespace)
    kube.apply(*kubepods.client("carol", url=again.url, key=gateway.key))
    kube.wait("pod/carol", condition="Ready", namespace=kubepods.CLIENTS)
    seen = kubepods.program(kube, "carol", "sdk_anthropic.py", gateway.targets[0].model)
    assert seen["calls"] == [["weather", {"city": "Wien"}]]


def _left(kube: Kube, release: Release) -> set[str]:
    """Return all objects in the release's namespace, Events aside."""
    kinds = kube.kubectl("api-resources", "--namespaced", "--verbs=list", "-o", "name").split()
    wanted = ",".join(kind for kind in kinds if not kind.startswith("events"))
    items = json.loads(kube.kubectl("get", wanted, "-n", release.namespace, "-o", "json"))["items"]
    return {f"{item['kind'].lower()}/{item['metadata']['name']}" for item in items}


def _cluster_wide(kube: Kube, release: Release) -> list[str]:
    """Return the release's objects outside of namespaces, the CRDs aside."""
    label = f"app.kubernetes.io/instance={release.name}"
    found = kube.kubectl("get", "clusterroles,clusterrolebindings", "-l", label, "-o", "name")
    return found.split()
