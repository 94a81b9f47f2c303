"""All that a run left to be read: dumped when a test fails, searched for secrets at the end."""

import base64
import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from tests.support.builders import scan
from tests.support.kube import kindcluster as kubecluster
from tests.support.kube.kubectl import CommandError, Kube

_OURS: Final = "modelroutes,claudecredentials,gatewayclients,budgets"
_KINDS: Final = (
    "pods,deployments,replicasets,services,endpointslices,configmaps,leases,poddisruptionbudgets,networkpolicies,"
    "serviceaccounts,roles,rolebindings,jobs"
)
_GZIP: Final = b"\x1f\x8b"


def dump(kube: Kube, folder: Path) -> None:
    """Write objects, events and logs of all namespaces of the tests; Secrets by name alone."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {
        "objects.yaml": ("get", f"{_OURS},{_KINDS}", "-o", "yaml"),
        "objects.txt": ("get", f"{_OURS},{_KINDS}", "-o", "wide"),
        "events.txt": ("get", "events", "--sort-by=.lastTimestamp"),
        "secrets.txt": ("get", "secrets"),
    }
    try:
        places = kubecluster.namespaces(kube)
    except CommandError as error:
        # The API server is what failed: the logs say why.
        places = []
        (folder / "error.txt").write_text(str(error))
    for name in places:
        for file, arguments in wanted.items():
            try:
                text = kube.kubectl(*arguments, "-n", name)
            except CommandError as error:
                text = str(error)
            (folder / f"{name}-{file}").write_text(text)
    try:
        for path, data in logs():
            place = folder / "logs" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
    except CommandError as error:
        # The last test's fixtures ended with the cluster.
        (folder / "logs.txt").write_text(str(error))


def leaks(kube: Kube, secrets: Iterable[str]) -> list[str]:
    """Return where one of these stands in an object (Secrets aside), an event, a Helm release or any log."""
    wanted = list(secrets)
    return [
        f"{place}: {secret}"
        for place, data in [*_objects(kube), *_releases(kube), *logs()]
        for secret in scan.found(wanted, data)
    ]


def logs() -> Iterator[tuple[str, bytes]]:
    """Return path and text of each log of the tests' containers since the cluster was made."""
    with tarfile.open(fileobj=io.BytesIO(kubecluster.logs())) as archive:
        for member in archive:
            path = member.name.removeprefix("./")
            opened = archive.extractfile(member) if member.isfile() else None
            if opened is not None and not path.startswith(kubecluster.SYSTEM):
                yield path, opened.read()


def _objects(kube: Kube) -> Iterator[tuple[str, bytes]]:
    for name in kubecluster.namespaces(kube):
        text = kube.kubectl("get", f"{_OURS},{_KINDS},events", "-n", name, "-o", "json")
        for item in json.loads(text)["items"]:
            place = f"{name}/{item['kind']}/{item['metadata']['name']}"
            yield place, json.dumps(item).encode()
            yield from ((f"{place}/{key}", _plain(value)) for key, value in item.get("binaryData", {}).items())


def _releases(kube: Kube) -> Iterator[tuple[str, bytes]]:
    """What Helm keeps of a release: manifests and values, base64 twice and gzipped."""
    for name in kubecluster.namespaces(kube):
        for item in kube.items("secrets", namespace=name):
            if item["type"] == "helm.sh/release.v1":
                yield f"{name}/{item['metadata']['name']}", _plain(_release(item["data"]))


def _release(data: dict[str, Any]) -> str:
    return base64.b64decode(data["release"]).decode()


def _plain(value: str) -> bytes:
    data = base64.b64decode(value)
    return gzip.decompress(data) if data.startswith(_GZIP) else data
