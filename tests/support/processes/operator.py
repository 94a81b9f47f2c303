"""The operator as a process of its own, against a test's API server, with just the rights that the chart gives."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any, Self

from tests.support.kube.apiserver import ApiServer
from tests.support.processes.ports import free_port

from claude_gateway.release_names import claude_auth_role, operator_name
from claude_gateway_operator.rights import (
    PolicyRule,
    caller_rules,
    claude_code_rules,
    cluster_rules,
    granting_rules,
    own_rules,
    watched_rules,
)

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ACCOUNT = "operator"
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
"""As in the image."""


def namespace(api: ApiServer, name: str) -> str:
    """Create a namespace."""
    api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    return name


def grant(api: ApiServer, to: str, *, within: str, name: str, rules: Sequence[PolicyRule]) -> None:
    """Grant the operator's account in namespace ``to`` rights within a namespace."""
    role = {"metadata": {"name": name}, "rules": list(rules)}
    api.apply(
        f"{RBAC}/namespaces/{within}/roles/{name}",
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", **role},
    )
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": to}],
    }
    api.apply(f"{RBAC}/namespaces/{within}/rolebindings/{name}", binding)


def grant_everywhere(api: ApiServer, to: str, *, name: str, rules: Sequence[PolicyRule]) -> None:
    """Grant the operator's account in namespace ``to`` rights in the whole cluster."""
    meta = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": name}}
    api.apply(f"{RBAC}/clusterroles/{name}", {**meta, "kind": "ClusterRole", "rules": list(rules)})
    binding = {
        "kind": "ClusterRoleBinding",
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": to}],
    }
    api.apply(f"{RBAC}/clusterrolebindings/{name}", {**meta, **binding})


def deployment(api: ApiServer, home: str, name: str) -> dict[str, Any]:
    """Create a Deployment, which nobody runs here."""
    return api.create(
        f"/apis/apps/v1/namespaces/{home}/deployments",
        {
            "metadata": {"name": name},
            "spec": {
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{"name": "main", "image": "none"}]},
                },
            },
        },
    )


class Operator:
    """One operator process; ``with`` it from start to end."""

    def __init__(
        self, api: ApiServer, home: str, release: str = "cg", *, watch: Sequence[str] = (), **settings: str
    ) -> None:
        """``settings`` are further environment variables, without their prefix."""
        self.api = api
        self.home = home
        self.release = release
        self.health = free_port()
        self.metrics_port = free_port()
        prefix = "CLAUDE_GATEWAY_OPERATOR_"
        self._watch = tuple(watch)
        self._settings = settings
        self._environment = {
            "POD_NAMESPACE": home,
            f"{prefix}RELEASE": release,
            f"{prefix}WATCH_NAMESPACES": ",".join(watch),
            f"{prefix}HEALTH_LISTEN": f"127.0.0.1:{self.health}",
            f"{prefix}METRICS_LISTEN": f"127.0.0.1:{self.metrics_port}",
            **{f"{prefix}{name}": value for name, value in settings.items()},
        }
        self.log = api.home / f"{home}.{release}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def install(self, *, without: Sequence[str] = (), callers: Sequence[str] = ()) -> Self:
        """Create the account, its Roles and the operator's Deployment; no Role in the namespaces ``without``.

        An operator with a sign-in service also gets the empty Roles of that service, as the chart makes them, and the
        right to create the Secrets ``callers`` in its own namespace.
        """
        account = f"/api/v1/namespaces/{self.home}/serviceaccounts"
        self.api.apply(
            f"{account}/{ACCOUNT}", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}}
        )
        clusterwide = {"ALL_NAMESPACES", "NAMESPACE_SELECTOR"} & self._settings.keys()
        if clusterwide:
            rules = cluster_rules(selects="NAMESPACE_SELECTOR" in clusterwide)
            grant_everywhere(self.api, self.home, name=f"{self.home}.{self.release}-operator", rules=rules)
        for within in () if clusterwide else (self.home, *self._watch):
            if within not in without:
                name = f"{self.home}-{self.release}"
                grant(self.api, self.home, within=within, name=name, rules=watched_rules())
        grant(self.api, self.home, within=self.home, name=f"{self.release}-own", rules=own_rules(self.release))
        if "CLAUDE_GATEWAY_OPERATOR_CLAUDE_AUTH_ENABLED" in self._environment:
            self._install_sign_in(callers)
        deployment(self.api, self.home, operator_name(self.release))
        return self

    def _install_sign_in(self, callers: Sequence[str]) -> None:
        rules = [*claude_code_rules(self.release), *(caller_rules(callers) if callers else [])]
        grant(self.api, self.home, within=self.home, name=f"{self.release}-claude-code", rules=rules)
        for within in (self.home, *self._watch):
            granting = granting_rules(self.release, home=self.home, namespace=within)
            grant(self.api, self.home, within=within, name=f"{self.home}-{self.release}-granting", rules=granting)
            name = claude_auth_role(self.release, home=self.home, namespace=within)
            role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": name}}
            self.api.apply(f"{RBAC}/namespaces/{within}/roles/{name}", role)

    def __enter__(self) -> Self:
        token = self.api.token(self.home, ACCOUNT)
        kubeconfig = self.api.kubeconfig(token, name=f"{self.home}.{self.release}")
        environment = {"PATH": os.environ["PATH"], "KUBECONFIG": str(kubeconfig), **_MALLOC, **self._environment}
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "claude_gateway_operator"]
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        return self

    def __exit__(self, *_: object) -> None:
        ended = self._process is not None and self._process.poll() is not None
        self.stop()
        # pytest shows this only with a failed test.
        print("the operator ended by itself:" if ended else "the operator's log:", self.lines(), sep="\n")

    def leave(self, *arguments: str) -> None:
        """Run the chart's hook with the rights of the operator: end its claims where it watches no more."""
        kubeconfig = self.api.kubeconfig(self.api.token(self.home, ACCOUNT), name=f"{self.home}.{self.release}.hook")
        environment = {"PATH": os.environ["PATH"], "KUBECONFIG": str(kubeconfig), **self._environment}
        for name in ("WATCH_NAMESPACES", "ALL_NAMESPACES", "NAMESPACE_SELECTOR"):
            environment.pop(f"CLAUDE_GATEWAY_OPERATOR_{name}", None)
        command = [sys.executable, "-m", "claude_gateway_operator.leaving", *arguments]
        with self.log.open("ab") as log:
            subprocess.run(command, env=environment, stdout=log, stderr=log, check=True, timeout=120)

    def stop(self) -> int:
        """End it as a kubelet would; returns its exit code."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    @property
    def pid(self) -> int:
        """The process while it runs."""
        assert self._process is not None
        return self._process.pid

    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process is not None and self._process.poll() is None

    def lines(self) -> str:
        """Everything that it logged."""
        return self.log.read_text()

    def metric(self, sample: str) -> float:
        """One sample of its metrics, such as ``reconciles_total{result="ok"}``; 0 while it is not there."""
        prefix = f"claude_gateway_operator_{sample} "
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as answer:
                page = answer.read().decode()
        except OSError:
            return 0.0
        return next((float(line.removeprefix(prefix)) for line in page.splitlines() if line.startswith(prefix)), 0.0)

    def healthy(self) -> int:
        """The status of ``/healthz``; 0 while nothing listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health}/healthz", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0
