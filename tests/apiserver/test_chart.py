"""The chart with what a cluster holds already: Helm asks a real API server. No controller runs, so no pod does."""

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.kube.apiserver import ApiError, ApiServer
from tests.support.kube.chart import CHART, Manifest, Refused, helm
from tests.support.processes.operator import namespace
from tests.support.processes.waiting import until

from claude_gateway.release_names import claude_auth_role
from claude_gateway_operator.rights import login_rules

NAMED = {"fullnameOverride": "gate"}
GATEWAYS = "/apis/claudegateway.io/v1alpha1"


@dataclass(frozen=True, slots=True)
class Release:
    """One release in one namespace of the API server."""

    api: ApiServer
    namespace: str
    name: str = "cg"

    def upgrade(self, values: Manifest | None = None, *options: str) -> str:
        """Install or upgrade it; returns what Helm prints, the notes included. Raises Refused."""
        text = json.dumps({**NAMED, "rbac": {"aggregate": False}, **(values or {})})
        return helm("upgrade", "--install", self.name, str(CHART), *self._where(), *options, "--values", "-", text=text)

    def uninstall(self) -> None:
        """Remove it. Jobs among its hooks, which nothing runs here, are reported as complete."""
        stop = threading.Event()
        thread = threading.Thread(target=self._complete_jobs, args=(stop,))
        thread.start()
        try:
            helm("uninstall", self.name, *self._where())
        finally:
            stop.set()
            thread.join()

    def _complete_jobs(self, stop: threading.Event) -> None:
        jobs = f"/apis/batch/v1/namespaces/{self.namespace}/jobs"
        while not stop.wait(0.2):
            for job in self.api.get(jobs)["items"]:
                if "completionTime" not in job.get("status", {}):
                    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                    conditions = [{"type": kind, "status": "True"} for kind in ("SuccessCriteriaMet", "Complete")]
                    status = {"startTime": now, "completionTime": now, "succeeded": 1, "conditions": conditions}
                    path = f"{jobs}/{job['metadata']['name']}/status"
                    self.api.request("PATCH", path, {"status": status}, content="application/merge-patch+json")

    def rollback(self, revision: int) -> None:
        """Return to an earlier revision."""
        helm("rollback", self.name, str(revision), *self._where())

    @property
    def deployment(self) -> str:
        """Where the proxy's Deployment is."""
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments/gate-proxy"

    @property
    def replicas(self) -> int:
        """How many pods it asks for."""
        return int(self.api.get(self.deployment)["spec"]["replicas"])

    def scale(self, count: int) -> None:
        """What an autoscaler or an operator of the cluster does."""
        patch = {"spec": {"replicas": count}}
        self.api.request("PATCH", f"{self.deployment}/scale", patch, content="application/merge-patch+json")

    def _where(self) -> tuple[str, ...]:
        return ("--namespace", self.namespace, "--kubeconfig", os.fspath(self.api.kubeconfig()))


@pytest.fixture
def release(api: ApiServer, home: str) -> Release:
    return Release(api, home)


def scaled(**bounds: int) -> Manifest:
    return {"autoscaling": {"enabled": True, **bounds}}


@pytest.mark.parametrize(("live", "expected"), [(4, 4), (1, 2), (20, 10), (0, 2)])
def test_an_autoscaler_takes_over_the_live_number_of_pods(release: Release, live: int, expected: int) -> None:
    """Within its bounds; a manifest without a number would mean one pod (helm/helm#12650)."""
    release.upgrade({"proxy": {"replicas": 3}})
    release.scale(live)
    release.upgrade(scaled())
    assert release.replicas == expected


def test_later_upgrades_and_a_rollback_keep_what_the_autoscaler_chose(release: Release) -> None:
    release.upgrade({"proxy": {"replicas": 4}})
    release.upgrade(scaled())
    release.scale(7)
    release.upgrade(scaled(maxReplicas=8))
    assert release.replicas == 7
    release.upgrade({**scaled(maxReplicas=8), "commonAnnotations": {"example.com/again": "yes"}})
    assert release.replicas == 7
    release.rollback(3)
    assert release.replicas == 7


def test_an_autoscaler_of_others_keeps_its_number(release: Release) -> None:
    release.upgrade({"proxy": {"replicas": 2}})
    release.scale(6)
    release.upgrade({"proxy": {"replicas": None}})
    assert release.replicas == 6
    release.scale(5)
    release.upgrade({"proxy": {"replicas": None}, "commonAnnotations": {"example.com/again": "yes"}})
    assert release.replicas == 5


def test_a_fixed_number_is_what_the_values_say(release: Release) -> None:
    release.upgrade(scaled())
    release.scale(9)
    release.upgrade({"proxy": {"replicas": 3}})
    assert release.replicas == 3


def owned_by(api: ApiServer, annotations: Mapping[str, str | None]) -> None:
    """Set or remove the annotations that say which release owns each CRD."""
    for kind in ("modelroutes", "claudecredentials", "gatewayclients", "budgets"):
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{kind}.claudegateway.io"
        api.request(
            "PATCH", path, {"metadata": {"annotations": dict(annotations)}}, content="application/merge-patch+json"
        )


@pytest.fixture
def owner(api: ApiServer, new_namespace: Callable[[], str]) -> Iterator[Release]:
    """A release in a namespace of its own that owns the CRDs until the end of the test."""
    other = Release(api, new_namespace(), name="first")
    names = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")
    owned_by(api, dict(zip(names, (other.name, other.namespace), strict=True)))
    other.upgrade({"crds": {"install": False}})
    yield other
    owned_by(api, dict.fromkeys(names))


def test_crds_whose_owner_is_gone_are_reported(release: Release, owner: Release) -> None:
    gone = f"WARNING: release first in namespace {owner.namespace} no longer exists"
    notes = release.upgrade()
    assert f"(release first in namespace {owner.namespace})" in notes
    assert gone not in notes
    owner.uninstall()
    notes = release.upgrade()
    assert gone in notes
    assert f"helm upgrade cg CHART -n {release.namespace} --reset-then-reuse-values" in notes


def client(**metadata: Any) -> Manifest:
    return {
        "apiVersion": "claudegateway.io/v1alpha1",
        "kind": "GatewayClient",
        "metadata": {"name": "own", **metadata},
        "spec": {"keys": [{"secretRef": {"name": "own"}}]},
    }


def test_objects_of_our_kinds_in_the_release_that_brings_the_kinds_are_hooks(tmp_path: Path) -> None:
    """Helm looks up the kinds of plain manifests before it installs any, and those of hooks when it comes to them."""
    with ApiServer(tmp_path) as empty:
        release = Release(empty, namespace(empty, "ai"))
        with pytest.raises(Refused, match='no matches for kind "GatewayClient"'):
            release.upgrade({"extraObjects": [client()]})
        hook = {"helm.sh/hook": "post-install,post-upgrade"}
        until(lambda: _kinds_are_served(release, client(annotations=hook)), what="the kinds to be served")
        assert empty.get(f"{GATEWAYS}/namespaces/ai/gatewayclients/own") is not None
        release.upgrade({"extraObjects": [client(annotations=hook)], "proxy": {"replicas": 1}})
        assert empty.get(f"{GATEWAYS}/namespaces/ai/gatewayclients/own") is not None


def _kinds_are_served(release: Release, hook: Manifest) -> bool:
    """Install. Helm waits for the kinds of hooks only with ``--wait``, and then also for pods, which do not run."""
    try:
        release.upgrade({"extraObjects": [hook]})
    except Refused as refused:
        if "ensure CRDs are installed first" not in str(refused):
            raise
        return False
    return True


@pytest.mark.parametrize("crds", [{}, {"keep": False}])
def test_the_first_client_goes_with_the_release_and_not_before(release: Release, crds: Manifest) -> None:
    """Without rights of its own and without a pod: the chart's hooks replace both objects and remove them."""
    release.upgrade({"crds": crds})
    core, ours = f"/api/v1/namespaces/{release.namespace}", f"{GATEWAYS}/namespaces/{release.namespace}"
    made = [f"{core}/secrets/gate-bootstrap", f"{ours}/gatewayclients/gate-bootstrap"]
    release.api.create(f"{core}/secrets", {"metadata": {"name": "gate-bootstrap"}, "stringData": {"key": "cgw_old"}})
    release.api.create(f"{ours}/gatewayclients", {**client(name="gate-bootstrap")})
    release.upgrade({"crds": crds, "proxy": {"replicas": 1}})
    assert release.api.get(made[0])["data"] == {"key": "Y2d3X29sZA=="}
    release.uninstall()
    assert [release.api.get(path) for path in made] == [None, None]
    assert release.api.get(f"{core}/secrets?labelSelector=app.kubernetes.io/instance=cg")["items"] == []


RBAC = "/apis/rbac.authorization.k8s.io/v1"
CLAUDE: Manifest = {"claudeCode": {"enabled": True}, "claudeAuth": {"enabled": True}}


def test_an_upgrade_leaves_the_names_of_logins_in_their_role(
    release: Release, new_namespace: Callable[[], str]
) -> None:
    """The operator, with the rights of the chart and no others, fills the Role; Helm never touches its rules."""
    team = new_namespace()
    values: Manifest = {**CLAUDE, "operator": {"watchNamespaces": [team]}}
    release.upgrade(values)
    api, home = release.api, release.namespace
    operator = api.acting(api.token(home, "gate-operator"))
    wanted = login_rules(["alice-login"])
    roles = {
        within: f"{RBAC}/namespaces/{within}/roles/{claude_auth_role('gate', home=home, namespace=within)}"
        for within in (home, team)
    }
    for path in roles.values():
        name = path.rpartition("/")[2]
        body = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name}}
        until(lambda p=path, b=body: filled(operator, p, {**b, "rules": wanted}), what="the right")  # type: ignore[misc]
    release.upgrade({**values, "commonAnnotations": {"example.com/again": "yes"}})
    release.rollback(1)
    for path in roles.values():
        assert api.get(path)["rules"] == wanted
    release.upgrade({"operator": {"watchNamespaces": [team]}})
    assert [api.get(path) for path in roles.values()] == [None, None]


def filled(api: ApiServer, path: str, body: Manifest) -> bool:
    """Whether an apply is allowed by now: an API server learns of Roles a moment after they are made."""
    try:
        api.apply(path, body, manager="claude-gateway")
    except ApiError as error:
        if error.status != 403:
            raise
        return False
    return True


def test_the_notes_say_how_to_sign_in(release: Release) -> None:
    notes = release.upgrade(CLAUDE)
    assert "port-forward service/gate-claude-auth 4200:4200" in notes
    assert "get secret gate-claude-auth" in notes
    exposed = {**CLAUDE, "claudeAuth": {"enabled": True, "publicURL": "https://claude.example.com"}}
    assert "Sign in: https://claude.example.com" in release.upgrade(exposed)
    assert "claudeAuth.enabled has no effect" in release.upgrade({"claudeAuth": {"enabled": True}})
