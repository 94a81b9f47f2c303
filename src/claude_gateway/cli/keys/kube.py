"""Client keys in a cluster, through kubectl, so that every kind of kubeconfig works.

Only GatewayClients and the lists of hashes that they name are read, never a Secret with a key.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.keyhelper import program
from claude_gateway.cli.keys import listing
from claude_gateway.cli.terminal import printable
from claude_gateway.names import GROUP

_SECONDS: Final = 60.0
_RESOURCE: Final = f"gatewayclients.{GROUP}"
_INSTALL: Final = "Install kubectl, or pass the files with -f."
_LARGEST: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster by the context of the kubeconfig, and the namespace to look in; None: as kubectl chooses."""

    context: str | None = None
    namespace: str | None = None
    everywhere: bool = False

    def clients(self) -> list["Client"]:
        """Return the GatewayClients, by namespace and name. Raises Trouble with kubectl's words."""
        scope = ["--all-namespaces"] if self.everywhere else []
        found = self._json(["get", _RESOURCE, *scope])
        return sorted((Client(item) for item in found.get("items") or ()), key=lambda client: client.shown)

    def secret(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return a Secret with a list of hashes; None if it does not exist."""
        found = self._json(["get", "secret", name, "--ignore-not-found"], namespace=namespace)
        return found or None

    def write(self, namespace: str, secret: Mapping[str, Any], key: str, text: str) -> None:
        """Replace the list in a Secret, unless somebody else changed it since it was read. Raises Trouble."""
        metadata = secret["metadata"]
        patch = {
            "metadata": {"resourceVersion": metadata["resourceVersion"]},
            "data": {key: base64.b64encode(text.encode()).decode()},
        }
        command = ["patch", "secret", metadata["name"], "--type=merge", "--patch-file=/dev/stdin"]
        self._run(command, namespace=namespace, said=json.dumps(patch).encode())

    def delete(self, client: "Client") -> None:
        """Delete a GatewayClient. Raises Trouble."""
        self._run(["delete", _RESOURCE, client.name], namespace=client.namespace)

    def _json(self, words: list[str], *, namespace: str | None = None) -> dict[str, Any]:
        text = self._run([*words, "--output=json"], namespace=namespace)
        try:
            value = json.loads(text) if text.strip() else {}
        except ValueError:
            raise Trouble("kubectl did not answer with JSON", fix="Check what `kubectl` is on this machine.") from None
        return value if isinstance(value, dict) else {}

    def _run(self, words: list[str], *, namespace: str | None = None, said: bytes | None = None) -> str:
        flags = [f"--context={self.context}"] if self.context else []
        where = namespace or self.namespace
        flags += [f"--namespace={where}"] if where and "--all-namespaces" not in words else []
        return program.output(
            ["kubectl", *words, *flags], timeout=_SECONDS, missing=_INSTALL, said=said, limit=_LARGEST
        )


@dataclass(frozen=True, slots=True)
class Client:
    """A GatewayClient as the API server has it."""

    manifest: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.manifest["metadata"].get("namespace", "default"))

    @property
    def shown(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"

    @property
    def created(self) -> date | None:
        """The day on which it was created."""
        try:
            return datetime.fromisoformat(str(self.manifest["metadata"].get("creationTimestamp"))).date()
        except ValueError:
            return None

    @property
    def last_used(self) -> str:
        """When it last called, as its status has it; empty if that is not known."""
        found = (self.manifest.get("status") or {}).get("lastUsed")
        return found if isinstance(found, str) else ""

    @property
    def keys(self) -> list[Mapping[str, Any]]:
        """The entries of ``spec.keys``."""
        found = (self.manifest.get("spec") or {}).get("keys") or []
        return [key for key in found if isinstance(key, Mapping)]

    @property
    def lists(self) -> Iterator[tuple[str, str]]:
        """The Secret and the key in it of each list of hashes."""
        for key in self.keys:
            reference = key.get("hashesFrom")
            if isinstance(reference, Mapping) and isinstance(reference.get("name"), str):
                yield str(reference["name"]), str(reference.get("key", "key"))


def listed(cluster: Cluster, *, today: date) -> Iterator[str]:
    """Yield one line per client, and below it one per person in its lists."""
    for client in cluster.clients():
        own = [key for key in client.keys if "hashesFrom" not in key]
        parts = [client.shown, f"{len(own)} own key{'' if len(own) == 1 else 's'}"]
        parts += [f"{client.created} ({(today - client.created).days} d old)"] if client.created else []
        parts += [f"last used {client.last_used}"] if client.last_used else []
        parts += [f"ends {key['expiresAt']}" for key in own if isinstance(key.get("expiresAt"), str)]
        yield printable("  ".join(parts))
        for name, key in client.lists:
            secret = cluster.secret(client.namespace, name)
            if secret is None:
                yield printable(f"  Secret {name} does not exist")
                continue
            for entry in listing.entries(text_of(secret, key)):
                yield printable(f"  {entry.shown(today)}")


def text_of(secret: Mapping[str, Any], key: str) -> str:
    """Return the list in a Secret; empty if there is none."""
    try:
        return base64.b64decode((secret.get("data") or {}).get(key, "")).decode()
    except ValueError:
        return ""


def revoke(cluster: Cluster, who: str, *, only_old: bool) -> list[str]:
    """Remove a person's keys from every list, or delete the client of this name. Returns what was done."""
    done: list[str] = []
    clients = cluster.clients()
    for client in clients:
        if any(str(key.get("user", "")).lower() == who.lower() for key in client.keys):
            raise Trouble(f"{who} has a key in the client {client.shown} itself", fix=listing.BY_HAND)
    for client in clients:
        if who in (client.name, client.shown) and not only_old:
            cluster.delete(client)
            done.append(f"{client.shown}: the GatewayClient was deleted")
            continue
        for name, key in client.lists:
            secret = cluster.secret(client.namespace, name)
            text, count = listing.removed(text_of(secret or {}, key), who, only_old=only_old)
            if count and secret is not None:
                cluster.write(client.namespace, secret, key, text)
                done.append(f"{client.shown}: {count} of {who} removed from Secret {name}")
    return done
