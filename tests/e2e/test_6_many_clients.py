"""Many clients in one release: all of them get in, a new key and a revocation are live soon, and no pod runs full."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import pytest
from tests.e2e.release import Gateway
from tests.support.builders.people import AT_ONCE, group, key, name, person
from tests.support.kube import pods as kubepods
from tests.support.kube.kubectl import Pod
from tests.support.processes.waiting import until

from claude_gateway.names import API_VERSION

CLIENTS: Final = int(os.environ.get("PEOPLE") or 50)
"""How many clients join. ``PEOPLE=10000`` is for a person who wants to be sure: it takes some minutes."""

pytestmark = pytest.mark.timeout(600 + CLIENTS / 5)

_PATIENCE: Final = 120 + CLIENTS / 10
_FILE: Final = "/home/client/many"


@pytest.fixture
def everyone(gateway: Gateway) -> Iterator[None]:
    """The clients, deleted afterwards. Every container has enough with the memory that the chart gives it."""
    place, before = gateway.release.namespace, _pods(gateway)
    began = time.time()
    try:
        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(partial(_join, gateway), range(0, CLIENTS, AT_ONCE)))
        print(f"\n{CLIENTS} clients created in {time.time() - began:.1f} s")
        yield
        assert [(pod.uid, pod.restarts) for pod in _pods(gateway)] == [(pod.uid, pod.restarts) for pod in before]
    finally:
        # A group in one request: kubectl's own way takes one for each person, and the API server ends a request of all.
        for first in range(0, CLIENTS, AT_ONCE):
            path = f"/apis/{API_VERSION}/namespaces/{place}/gatewayclients?labelSelector=many%3D{group(first)}"
            gateway.kube.kubectl("delete", "--raw", path)


@pytest.mark.usefixtures("everyone")
def test_many_clients_get_in_and_a_key_that_is_replaced_or_revoked_does_not(gateway: Gateway) -> None:
    kube, place = gateway.kube, gateway.release.namespace
    _until(gateway, key(CLIENTS - 1), 200)
    assert _status(gateway, key(0)) == 200
    kube.apply(person(0, edit=1), namespace=place)
    _until(gateway, key(0, edit=1), 200)
    _until(gateway, key(0), 401)
    kube.kubectl("delete", "gatewayclient", name(1), "-n", place)
    _until(gateway, key(1), 401)
    assert _status(gateway, key(2)) == 200


def _join(gateway: Gateway, first: int) -> None:
    people = range(first, min(first + AT_ONCE, CLIENTS))
    gateway.kube.create(*map(person, people), namespace=gateway.release.namespace)


def _pods(gateway: Gateway) -> list[Pod]:
    release = gateway.release
    selector = release.selector(release.operator)
    return [*release.pods(), *gateway.kube.pods(namespace=release.namespace, selector=selector)]


def _until(gateway: Gateway, key: str, status: int) -> None:
    began = time.time()
    until(lambda: _status(gateway, key) == status, timeout=_PATIENCE, what=f"status {status}")
    print(f"with {CLIENTS} clients, status {status} after {time.time() - began:.1f} s")


def _status(gateway: Gateway, key: str) -> int:
    """Return the status of a request with a key."""
    kubepods.run(gateway.kube, gateway.pod, "sh", "-c", 'printf %s "$1" >"$0"', _FILE, key)
    status: int = kubepods.program(gateway.kube, gateway.pod, "call.py", _FILE, gateway.targets[0].model)["status"]
    return status
