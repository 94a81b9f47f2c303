"""``kubectl`` and ``helm`` against one cluster alone: the context is checked before anything is asked of it."""

import json
import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml
from tests.support.processes.waiting import until

SUITE: Final = "chaos" if os.environ.get("CLAUDE_GATEWAY_SUITE") == "chaos" else "e2e"
"""Which suite runs: each has a cluster, image tags and a folder of its own, so that one never harms the other."""
CLUSTER: Final = f"claude-gateway-{SUITE}"
CONTEXT: Final = f"kind-{CLUSTER}"
ARTIFACTS: Final = Path(".artifacts") / SUITE
PATIENCE: Final = 180.0
"""Seconds until a command or a wait is given up: a busy machine must not fail a test."""

Manifest = Mapping[str, Any]


class CommandError(AssertionError):
    """A command ended with another status than 0."""


def call(
    command: Sequence[str],
    *,
    text: str | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float = PATIENCE,
) -> str:
    """Run a command and return its output. Raises CommandError, with what it printed, when it fails."""
    done = subprocess.run(
        command,
        input=text,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode != 0:
        raise CommandError(f"{' '.join(command)[:300]} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Kube:
    """One cluster, named by its own kubeconfig and context. Raises ValueError for any context but the suite's own."""

    kubeconfig: Path
    context: str = CONTEXT

    def __post_init__(self) -> None:
        """Refuse every other cluster, whatever the user's own configuration says."""
        if self.context != CONTEXT:
            raise ValueError(f"only the context {CONTEXT} may be used, not {self.context}")

    def kubectl(self, *arguments: str, text: str | None = None, timeout: float = PATIENCE) -> str:
        """Run kubectl."""
        return call([*self.command, *arguments], text=text, timeout=timeout)

    @property
    def command(self) -> tuple[str, ...]:
        """The words with which each kubectl command about this cluster begins."""
        return ("kubectl", "--kubeconfig", str(self.kubeconfig), "--context", self.context)

    def helm(self, *arguments: str, timeout: float = 2 * PATIENCE) -> str:
        """Run helm."""
        own = ("helm", "--kubeconfig", str(self.kubeconfig), "--kube-context", self.context)
        return call([*own, *arguments], timeout=timeout)

    def apply(self, *manifests: Manifest, namespace: str | None = None) -> None:
        """Apply manifests as a user does, in one command."""
        place = ("-n", namespace) if namespace else ()
        # YAML knows no enums, JSON takes them as text.
        text = yaml.safe_dump_all(json.loads(json.dumps(manifests)), sort_keys=False)
        self.kubectl("apply", *place, "-f", "-", text=text)

    def create(self, *manifests: Manifest, namespace: str) -> None:
        """Apply many manifests at the price of one request each."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
        self.kubectl("apply", "--server-side", "-n", namespace, "-f", "-", text=text)

    def get(self, resource: str, *, namespace: str, name: str = "", selector: str = "") -> dict[str, Any]:
        """Return one object, or a list of them."""
        which = [*([name] if name else []), *(["-l", selector] if selector else [])]
        found: dict[str, Any] = json.loads(self.kubectl("get", resource, *which, "-n", namespace, "-o", "json"))
        return found

    def items(self, resource: str, *, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        """Return the objects of a kind."""
        found: list[dict[str, Any]] = self.get(resource, namespace=namespace, selector=selector)["items"]
        return found

    def exists(self, resource: str, *, namespace: str, name: str) -> bool:
        """Return whether an object exists."""
        found = self.kubectl("get", resource, name, "-n", namespace, "--ignore-not-found", "-o", "name")
        return bool(found.strip())

    def wait(self, *names: str, condition: str, namespace: str, timeout: float = PATIENCE) -> None:
        """Wait as a user does: ``kubectl wait --for=condition=…``; ``names`` are ``kind/name``."""
        self.kubectl(
            "wait",
            *names,
            f"--for=condition={condition}",
            *("-n", namespace, f"--timeout={timeout:.0f}s"),
            timeout=timeout + 30,
        )

    def until_ended(self, job: str, *, namespace: str, timeout: float) -> None:
        """Wait until a Job succeeded or failed."""

        def ended() -> bool:
            status = self.get("job", namespace=namespace, name=job).get("status", {})
            return bool(status.get("succeeded") or status.get("failed"))

        until(ended, timeout=timeout, what=f"job/{job} to end")

    def rolled(self, deployment: str, *, namespace: str) -> None:
        """Wait until a Deployment's rollout is complete."""
        place = ("-n", namespace, f"--timeout={PATIENCE:.0f}s")
        self.kubectl("rollout", "status", f"deployment/{deployment}", *place, timeout=PATIENCE + 30)

    def pods(self, *, namespace: str, selector: str) -> list["Pod"]:
        """Return the pods that are not being deleted."""
        found = [Pod.parse(item) for item in self.items("pods", namespace=namespace, selector=selector)]
        return [pod for pod in found if not pod.leaving]

    def condition(self, resource: str, kind: str, *, namespace: str, name: str) -> dict[str, Any]:
        """Return one condition of an object; empty when it has none of this type."""
        return condition(self.get(resource, namespace=namespace, name=name), kind)

    def until_condition(
        self, resource: str, kind: str, *, namespace: str, name: str, status: str, reason: str = ""
    ) -> dict[str, Any]:
        """Wait until a condition has this status (and reason), and return it."""

        def fits() -> dict[str, Any]:
            found = self.condition(resource, kind, namespace=namespace, name=name)
            return (
                found if (found.get("status"), reason or found.get("reason")) == (status, found.get("reason")) else {}
            )

        return until(fits, timeout=PATIENCE, what=f"{resource}/{name} {kind}={status} {reason}")


@dataclass(frozen=True, slots=True)
class Pod:
    """What the tests look at in a pod. ``restarts`` counts all its containers, ``containers`` has their ids by name."""

    name: str
    uid: str
    ip: str
    ready: bool
    leaving: bool
    restarts: int
    containers: Mapping[str, str] = field(default_factory=dict, compare=False)

    @classmethod
    def parse(cls, item: Mapping[str, Any]) -> "Pod":
        """Read a pod as the API server gives it."""
        status = item["status"]
        containers = [*status.get("containerStatuses", []), *status.get("initContainerStatuses", [])]
        return cls(
            name=item["metadata"]["name"],
            uid=item["metadata"]["uid"],
            ip=status.get("podIP", ""),
            ready=condition(item, "Ready").get("status") == "True",
            leaving="deletionTimestamp" in item["metadata"],
            restarts=sum(container["restartCount"] for container in containers),
            containers={each["name"]: each.get("containerID", "").rpartition("/")[2] for each in containers},
        )


def condition(item: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return one condition of an object; empty when it has none of this type."""
    conditions: Iterable[dict[str, Any]] = item.get("status", {}).get("conditions", [])
    return next((found for found in conditions if found["type"] == kind), {})
