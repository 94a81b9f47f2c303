"""The bundle in the cluster: a Secret, which is written first, and a ConfigMap, which makes it take effect."""

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from claude_gateway.contract.bundle import BundleError, Packed, load, unpack
from claude_gateway.plan.slices import Slices, slices_of
from claude_gateway.release_names import REPORT_TOKEN, bundle_name
from claude_gateway_operator.leaving import noted
from claude_gateway_operator.object_watch import Known
from claude_gateway_operator.owner import Owner
from claude_gateway_operator.settings import Settings
from claude_gateway_runtime import kube
from claude_gateway_runtime.kube import Kube, Manifest
from claude_gateway_runtime.logs import emit

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stored:
    """The stored bundle: the entries of both objects; ``owned`` says that this operator created both.

    ``leaving`` are the namespaces whose statuses this release does not write any more.
    """

    config: Mapping[str, bytes] = field(default_factory=dict)
    values: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    token: str = field(default="", repr=False)
    owned: bool = False
    leaving: frozenset[str] = frozenset()

    def slices(self) -> tuple[str, Slices] | None:
        """Return the stored revision and its slices; None if the bundle is incomplete or unreadable."""
        try:
            bundle = unpack(Packed(config=self.config, secrets=self.values))
        except BundleError:
            return None
        found = slices_of(bundle)
        return None if found is None else (bundle.meta.revision, found)


class Store:
    """Reads and writes the ConfigMap and the Secret ``<release>-bundle``."""

    def __init__(self, connection: Kube, settings: Settings, owner: Owner, known: Known) -> None:
        """``known`` records our own writes, so that they do not ring the doorbell."""
        self._kube = connection
        self._owner = owner
        self._known = known
        self._name = bundle_name(settings.release)
        self._config_url = kube.path("configmaps", settings.namespace, self._name, api="v1")
        self._secret_url = kube.path("secrets", settings.namespace, self._name, api="v1")

    async def read(self) -> Stored:
        """Read both objects. Raises KubeError."""
        config = await self._kube.get(self._config_url)
        secret = await self._kube.get(self._secret_url)
        entries = {} if config is None else kube.entries(config)
        values = {} if secret is None else kube.entries(secret)
        token = values.pop(REPORT_TOKEN, b"").decode(errors="replace")
        owned = all(found is not None and self._owner.owns(found["metadata"]) for found in (config, secret))
        leaving = frozenset() if config is None else noted(config["metadata"], datetime.now(UTC))
        return Stored(config=entries, values=values, token=token, owned=owned, leaving=leaving)

    async def write(self, packed: Packed, stored: Stored, *, prune: bool) -> Stored:
        """Write both objects, the Secret first; an object that is up to date is not written.

        Without ``prune`` the Secret keeps its old entries, which pods may still need, if all fit. Raises KubeError.
        """
        values = dict(packed.secrets) if prune else {**stored.values, **packed.secrets}
        if load(values) > 1:
            emit(_log, "old_entries_dropped", level=logging.WARNING, entries=len(values) - len(packed.secrets))
            values = dict(packed.secrets)
        token = stored.token or secrets.token_urlsafe(32)
        if not stored.owned or values != stored.values or token != stored.token:
            entries = {**values, REPORT_TOKEN: token.encode()}
            await self._apply(self._secret_url, {"kind": "Secret", "data": kube.encoded(entries)})
        if not stored.owned or packed.config != stored.config:
            await self._apply(self._config_url, {"kind": "ConfigMap", **_parts(packed.config)})
        return Stored(config=packed.config, values=values, token=token, owned=True)

    async def _apply(self, url: str, body: Manifest) -> None:
        found = await self._kube.apply(url, {"apiVersion": "v1", "metadata": self._owner.metadata(self._name), **body})
        self._known.note(found)


def _parts(config: Mapping[str, bytes]) -> dict[str, dict[str, str]]:
    """Split entries into ``data`` (readable text) and ``binaryData`` (compressed)."""
    plain = {name: data.decode() for name, data in config.items() if not name.endswith(".gz")}
    return {"data": plain, "binaryData": kube.encoded({n: data for n, data in config.items() if n not in plain})}
