"""The files that ``serve`` follows during the soak, and their edits: keys rotate, routes change, mistakes happen."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from tests.soak.plans import Lane
from tests.support.processes.gateway import secret

from claude_gateway.names import API_VERSION, Kind

CLIENTS: Final = 4
"""So many that none meets the bound on one client's requests."""
_FILLING: Final = 40
"""Routes without requests; every edit changes all of them."""
_ROTATE_EACH: Final = 6
_MISTAKE_EACH: Final = 10
_IDLE: Final = "10s"
"""How long a stream may be silent; a hung upstream is given up then."""


def _object(kind: Kind, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": kind.value, "metadata": {"name": name}, "spec": dict(spec)}


def _route(name: str, *targets: Mapping[str, Any]) -> dict[str, Any]:
    spec = {"models": [name], "timeouts": {"idle": _IDLE}, "targets": list(targets)}
    return _object(Kind.MODEL_ROUTE, name, spec)


class Keys:
    """The keys of one client: the one that is used, the one before that is still valid, and a retired one."""

    def __init__(self) -> None:
        self._valid = [_key(), _key()]
        self._next = ""
        self.retired = _key()

    @property
    def current(self) -> str:
        """The key that new requests use."""
        return self._valid[-1]

    @property
    def written(self) -> list[str]:
        """The keys that the files hold."""
        return [self._valid[-1], self._next] if self._next else self._valid

    def rotate(self) -> None:
        """Put a new key beside the current one, in the files only; ``settle`` follows when they are live."""
        self._next = _key()

    def settle(self) -> None:
        """Use the new key from now on; the oldest one is retired."""
        if self._next:
            self.retired, self._valid, self._next = self._valid[0], [self._valid[1], self._next], ""


def _key() -> str:
    return f"cgw_{secrets.token_urlsafe(32)}"


class Files:
    """The folder of manifests. ``edits`` counts the edits so far."""

    def __init__(self, folder: Path, *, upstream: str) -> None:
        self._folder = folder
        self._upstream = upstream
        self.clients = [Keys() for _ in range(CLIENTS)]
        self.edits = 0
        self.rotations = 0
        self.write()

    def edit(self) -> bool:
        """Make the next edit; returns whether it is free of mistakes."""
        self.edits += 1
        if self.edits % _ROTATE_EACH == 0:
            self.rotations += 1
            for client in self.clients:
                client.rotate()
        mistaken = self.edits % _MISTAKE_EACH == 0
        self.write(mistaken=mistaken)
        return not mistaken

    def settle(self) -> None:
        """Record that the last edit is live."""
        for client in self.clients:
            client.settle()

    def write(self, *, mistaken: bool = False) -> None:
        """Write everything into one file, at once."""
        objects: list[Mapping[str, Any]] = [*self._routes(), *self._filling(mistaken=mistaken)]
        for index, client in enumerate(self.clients):
            names = [f"client-{index}-{part}" for part in range(len(client.written))]
            objects += [secret(name, key) for name, key in zip(names, client.written, strict=True)]
            refs = [{"secretRef": {"name": name}} for name in names]
            objects.append(_object(Kind.GATEWAY_CLIENT, f"client-{index}", {"keys": refs, "models": ["*"]}))
        fresh = self._folder / "soak.yaml.new"
        fresh.write_text(yaml.dump_all(objects, Dumper=yaml.CSafeDumper))
        fresh.replace(self._folder / "soak.yaml")

    def _routes(self) -> list[dict[str, Any]]:
        most = 4096 + self.edits
        claude = {"model": "anthropic/soak", "baseURL": self._upstream, "maxOutputTokens": most}
        openai = {"model": "hosted_vllm/soak", "baseURL": f"{self._upstream}/v1", "maxOutputTokens": most}
        spare = {**claude, "baseURL": f"{self._upstream}/spare", "priority": 1}
        return [
            _route(Lane.RELAY.value, claude),
            _route(Lane.CODEC.value, openai),
            _route(Lane.LITELLM.value, {**openai, "via": "LiteLLM"}),
            _route(Lane.SPARED.value, claude, spare),
        ]

    def _filling(self, *, mistaken: bool) -> list[dict[str, Any]]:
        target = {
            "model": "hosted_vllm/filling",
            "baseURL": f"{self._upstream}/v1",
            "maxOutputTokens": 1000 + self.edits,
        }
        wrong = {"weight": -1} if mistaken else {}
        return [_route(f"filling-{index}", {**target, **(wrong if index == 0 else {})}) for index in range(_FILLING)]
