"""This pod's part of divided limits and budgets: copied from a ConfigMap to a file beside the bundle."""

import asyncio
import logging
import os
import zlib
from pathlib import Path
from typing import Final

from claude_gateway.contract import allotment
from claude_gateway.contract.allotment import ALLOTMENT_JSON, Allotments
from claude_gateway_proxy.agent.following import Follower, Named, State
from claude_gateway_runtime.kube import WATCH_SECONDS, Access
from claude_gateway_runtime.logs import emit

_LARGEST: Final = 64 << 20
_GZIP: Final = 31

_log: Final = logging.getLogger(__name__)


class AllotmentKeeper:
    """Follows one ConfigMap and writes ``folder/allotment.json``, the part of one pod."""

    def __init__(
        self, access: Access, *, namespace: str, name: str, pod: str, folder: Path, watch_seconds: int = WATCH_SECONDS
    ) -> None:
        """No request is sent before ``run``."""
        self._pod, self._path = pod, folder / ALLOTMENT_JSON
        self._news = asyncio.Event()
        named = Named(kind="ConfigMap", resource="configmaps", namespace=namespace, name=name)
        self._follower = Follower(access, named, changed=self._news.set, watch_seconds=watch_seconds)

    async def run(self) -> None:
        """Write the pod's part after each change, until cancelled; what cannot be read or written changes nothing."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follower.run())
            tasks.create_task(self._keep())

    async def _keep(self) -> None:
        written: bytes | None = None
        while True:
            await self._news.wait()
            self._news.clear()
            found = read(self._follower.state)
            if found is None:
                continue
            data = found.of(self._pod).model_dump_json(by_alias=True).encode()
            if data != written:
                try:
                    await asyncio.to_thread(_replace, self._path, data)
                except OSError as error:
                    emit(_log, "allotment_not_written", level=logging.ERROR, error=str(error))
                    continue
                written = data


def read(state: State) -> Allotments | None:
    """Return the allotment in a ConfigMap; None if it does not exist or cannot be read. Pure."""
    entries = state.entries or {}
    data = entries.get(ALLOTMENT_JSON)
    packed = entries.get(f"{ALLOTMENT_JSON}.gz")
    if data is None and packed is not None:
        try:
            data = zlib.decompressobj(wbits=_GZIP).decompress(packed, _LARGEST)
        except zlib.error:
            return None
    return None if data is None else allotment.read(data)


def _replace(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
    scratch.rename(path)
