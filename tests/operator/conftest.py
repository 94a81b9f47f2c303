"""Kopf as the operator configures it, against an emulated API server: wiring only, no schema, no versions, no apply."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import kmock as km
import kopf
import pytest
from tests.support.processes.ports import free_port
from tests.support.processes.waiting import until_async

from claude_gateway.api.kinds import KINDS
from claude_gateway.names import API_VERSION
from claude_gateway.plan.status.stored_status import Release
from claude_gateway_operator import handlers

NAMESPACE = "gateway"
OLDEST = 60.0


@dataclass
class Wired:
    """The emulator, and what Kopf made of its events."""

    server: km.KubernetesEmulator
    session: aiohttp.ClientSession
    health: str = ""
    rings: int = 0
    closed: int = 0
    age: float = 1.0
    on_ring: list[Callable[[], None]] = field(default_factory=list)

    def ring(self) -> None:
        """Count."""
        self.rings += 1
        for also in self.on_ring:
            also()

    async def close(self) -> None:
        """Count."""
        self.closed += 1

    async def put(self, name: str, generation: int = 1, *, kind: str = "modelroutes", **fields: Any) -> None:
        """Create an object, or change it if it is there."""
        collection = f"/apis/{API_VERSION}/namespaces/{NAMESPACE}/{kind}"
        metadata = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", "generation": generation}
        body = {"metadata": metadata, **fields}
        async with self.session.patch(f"{collection}/{name}", json=body) as answer:
            if answer.status == 200:
                return
        async with self.session.post(collection, json=body) as answer:
            assert answer.status == 200

    async def drop(self, name: str) -> None:
        """Delete a route."""
        path = f"/apis/{API_VERSION}/namespaces/{NAMESPACE}/modelroutes/{name}"
        async with self.session.delete(path) as answer:
            assert answer.status == 200

    async def watching(self) -> None:
        """Wait until all kinds are watched."""
        await until_async(self._watched, what="the watches")

    async def _watched(self) -> bool:
        return len(self.server[km.action.WATCH]) >= len(KINDS)


@pytest.fixture
async def wired(kmock: km.KubernetesEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Wired]:
    """The emulator with our kinds; nothing runs yet."""
    for kind in KINDS:
        kmock.resources[f"{API_VERSION}/{kind.plural}"] = _known(str(kind.kind))
    # Kopf looks for these in the discovery, and asks nothing of them.
    kmock.resources["v1/namespaces"] = _known("Namespace", namespaced=False)
    kmock.resources["apiextensions.k8s.io/v1/customresourcedefinitions"] = _known("Definition", namespaced=False)
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": str(kmock.url).rstrip("/")}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(kubeconfig))
    monkeypatch.setenv("KUBECONFIG", str(file))
    async with aiohttp.ClientSession(base_url=str(kmock.url)) as session:
        yield Wired(server=kmock, session=session)


def _known(kind: str, *, namespaced: bool = True) -> km.ResourceInfo:
    return km.ResourceInfo(kind=kind, namespaced=namespaced, verbs={"get", "list", "watch", "patch"})


@asynccontextmanager
async def running(wired: Wired, *namespaces: str) -> AsyncIterator[None]:
    """Run Kopf with the operator's table and settings."""
    port = free_port()
    wired.health = f"http://127.0.0.1:{port}/healthz"
    stop = asyncio.Event()
    table = handlers.registry(
        release=Release("gateway", "cg"), ring=wired.ring, age=lambda: wired.age, oldest=OLDEST, close=wired.close
    )
    task = asyncio.create_task(
        kopf.operator(
            registry=table,
            settings=handlers.settings(),
            namespaces=namespaces or (NAMESPACE,),
            standalone=True,
            liveness_endpoint=wired.health,
            stop_flag=stop,
        )
    )
    try:
        yield
    finally:
        stop.set()
        await task
