"""Creates the first client: here and not in a chart template, so that its key is in no manifest or history.

Nothing owns its Secret and its GatewayClient, so that clients keep their key whatever happens to the Deployment. The
chart's hooks remove both after an uninstall.
"""

import logging
import secrets
from typing import Final

from claude_gateway.names import API_VERSION, LABEL_CREDENTIAL, Kind
from claude_gateway.release_names import bootstrap_name
from claude_gateway_operator.owner import Owner
from claude_gateway_operator.settings import Settings
from claude_gateway_runtime import kube
from claude_gateway_runtime.kube import Kube, Manifest
from claude_gateway_runtime.logs import emit

_KEY: Final = "key"

_log: Final = logging.getLogger(__name__)


def new_key() -> str:
    """Create a client key as ``claude-gateway key new`` does: 256 random bits."""
    return f"cgw_{secrets.token_urlsafe(32)}"


class Bootstrap:
    """Creates the first client if it is enabled, and removes it otherwise."""

    def __init__(self, connection: Kube, settings: Settings, owner: Owner) -> None:
        """Store the arguments; nothing is created yet."""
        self._kube = connection
        self._settings = settings
        self._owner = owner
        self._name = bootstrap_name(settings.release)

    async def ensure(self) -> None:
        """Create what is missing; an existing key is never replaced. Raises KubeError."""
        url = self._url("gatewayclients", API_VERSION)
        mine = await self._kube.get(url)
        made = mine is not None and self._owner.made(mine["metadata"])
        if not self._settings.bootstrap_enabled:
            if made:
                await self._kube.delete(url)
                emit(_log, "first_client_removed", client=self._name)
            return
        if self._settings.bootstrap_secret_name is None:
            await self._secret()
        wanted = self._client()
        if mine is None or not made or mine.get("spec", {}).get("keys") != wanted["spec"]["keys"]:
            await self._kube.apply(url, wanted)
            emit(_log, "first_client_made", client=self._name)

    async def _secret(self) -> None:
        url = self._url("secrets", "v1")
        found = await self._kube.get(url)
        if found is not None and (found.get("data") or {}).get(_KEY):
            return
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": self._owner.unowned(self._name, labels={LABEL_CREDENTIAL: "true"}),
            "data": kube.encoded({_KEY: new_key().encode()}),
        }
        await self._kube.apply(url, body)

    def _client(self) -> Manifest:
        settings = self._settings
        reference = {"name": settings.bootstrap_secret_name or self._name, "key": _KEY}
        if settings.bootstrap_secret_name is not None:
            reference["key"] = settings.bootstrap_secret_key
        return {
            "apiVersion": API_VERSION,
            "kind": str(Kind.GATEWAY_CLIENT),
            "metadata": self._owner.unowned(self._name),
            "spec": {"keys": [{"secretRef": reference}], "gatewayRef": {"name": settings.release}},
        }

    def _url(self, resource: str, api: str) -> str:
        return kube.path(resource, self._settings.namespace, self._name, api=api)
