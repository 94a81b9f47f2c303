"""The objects that an import makes, in the shape of our API; every one is checked before it is taken."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from claude_gateway.api.base import Spec
from claude_gateway.api.claude_credential import ClaudeCredentialSpec
from claude_gateway.api.gateway_client import GatewayClientSpec
from claude_gateway.api.model_route import ModelRouteSpec
from claude_gateway.names import API_VERSION, LABEL_CREDENTIAL, Kind

MOST_TARGETS: Final = 16
MOST_NAMES: Final = 32
LOWEST_PRIORITY: Final = 15
_LONGEST_NAME: Final = 50

Json = dict[str, Any]
S = TypeVar("S", bound=Spec)


class NotAccepted(Exception):  # noqa: N818 - a value that our API rejects; the importer decides what it means
    """Our API does not accept a value: ``field`` is the field of the object, the text says why and how to fix it."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


@dataclass(frozen=True, slots=True)
class Draft:
    """Objects by name, in the order in which they are written.

    ``equal`` are the credentials by their content, ``numbers`` the last number behind each name.
    """

    routes: dict[str, Json] = field(default_factory=dict)
    credentials: dict[str, Json] = field(default_factory=dict)
    clients: dict[str, Json] = field(default_factory=dict)
    secrets: dict[str, Json] = field(default_factory=dict)
    equal: dict[str, str] = field(default_factory=dict, repr=False)
    numbers: dict[tuple[int, str], int] = field(default_factory=dict, repr=False)

    def route(self, name: str, spec: Json) -> str:
        """Add a route under a free name like ``name``, which is returned. Raises NotAccepted."""
        spec = checked(ModelRouteSpec, spec)
        found = self._free(self.routes, object_name(name))
        self.routes[found] = spec
        return found

    def credential(self, name: str, spec: Json, values: Mapping[str, str]) -> str:
        """Return the name of a credential: an equal one's, or that of a new one. Raises NotAccepted.

        ``values`` are the variables of its Secret, by key. The Secret has the name of the credential.
        """
        same = json.dumps([spec, dict(values)], sort_keys=True)
        if same in self.equal:
            return self.equal[same]
        found = self._free(self.credentials, object_name(name))
        if values:
            kind = next(iter(spec))
            spec = {**spec, kind: {**spec[kind], "secretRef": {"name": found}}}
        self.credentials[found] = checked(ClaudeCredentialSpec, spec)
        self.equal[same] = found
        if values:
            self.secrets[found] = _references(values)
        return found

    def client(self, name: str, variable: str, *, owner: str | None = None) -> str:
        """Add a client with one key. Raises NotAccepted."""
        found = self._free(self.clients, object_name(name))
        spec: Json = {"keys": [{"secretRef": {"name": f"{found}-key"}}]}
        self.clients[found] = checked(GatewayClientSpec, spec if owner is None else {"owner": owner, **spec})
        self.secrets[f"{found}-key"] = {"key": f"${variable}"}
        return found

    def _free(self, objects: Mapping[str, Json], name: str) -> str:
        number = self.numbers.get((id(objects), name), 1)
        found = name if number == 1 else f"{name}-{number}"
        while found in objects:
            number += 1
            found = f"{name}-{number}"
        self.numbers[id(objects), name] = number
        return found

    def manifests(self) -> list[Json]:
        """Return all objects: routes, credentials, clients, and last the Secrets."""
        return [
            *_objects(Kind.MODEL_ROUTE, self.routes),
            *_objects(Kind.CLAUDE_CREDENTIAL, self.credentials),
            *_objects(Kind.GATEWAY_CLIENT, self.clients),
            *(_secret(name, data) for name, data in self.secrets.items()),
        ]


def checked(model: type[S], spec: Json) -> Json:
    """Return a spec that our API accepts. Raises NotAccepted."""
    try:
        model.model_validate(spec)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        at = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
        raise NotAccepted(at, first["msg"]) from None
    return spec


def object_name(text: str) -> str:
    """Return a text as the name of an object: lower-case letters, digits and ``-``."""
    kept = "".join(char if char.isascii() and char.isalnum() else " " for char in text.replace("*", " any ").lower())
    return "-".join(kept.split())[:_LONGEST_NAME].rstrip("-") or "imported"


def unique(items: Iterable[str]) -> list[str]:
    """Return the items without repetitions, in their order."""
    return list(dict.fromkeys(items))


def _references(values: Mapping[str, str]) -> Json:
    return {key: f"${variable}" for key, variable in values.items()}


def _objects(kind: Kind, specs: Mapping[str, Json]) -> list[Json]:
    return [
        {"apiVersion": API_VERSION, "kind": kind.value, "metadata": {"name": name}, "spec": spec}
        for name, spec in specs.items()
    ]


def _secret(name: str, data: Json) -> Json:
    return {
        "apiVersion": "v1",
        "kind": Kind.SECRET.value,
        "metadata": {"name": name, "labels": {LABEL_CREDENTIAL: "true"}},
        "stringData": data,
    }
