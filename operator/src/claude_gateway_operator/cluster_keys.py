"""The public keys of the cluster's issuer, which verify the tokens of ServiceAccounts: read from the API server.

The API server has them whoever the issuer is, and by default every ServiceAccount may read them (the ClusterRole
``system:service-account-issuer-discovery``). Nothing says when they change, so they are read again with a
reconciliation, but not with each one.
"""

import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from claude_gateway.plan.world import ClusterKeys
from claude_gateway_runtime.kube import KubeError, Manifest
from claude_gateway_runtime.logs import emit

READ_SECONDS: Final = 300.0
"""How long the keys count as known."""
_LARGEST: Final = 64 * 1024
_DISCOVERY: Final = "/.well-known/openid-configuration"
_KEYS: Final = "/openid/v1/jwks"

Read = Callable[[str], Awaitable[Manifest]]
"""Reads a JSON document of the API server: ``Kube.document``. Raises KubeError."""

_log: Final = logging.getLogger(__name__)


class ClusterIssuer:
    """Reads the keys, and keeps the last ones while they cannot be read."""

    def __init__(self, document: Read, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Prepare without reading anything yet."""
        self._document = document
        self._clock = clock
        self._read: float | None = None
        self._known: ClusterKeys | None = None

    async def keys(self) -> ClusterKeys | None:
        """Return the keys; None if they could never be read."""
        if self._known is not None and self._read is not None and self._clock() - self._read < READ_SECONDS:
            return self._known
        try:
            found = _keys(await self._document(_DISCOVERY), await self._document(_KEYS))
        except KubeError as error:
            emit(_log, "cluster_keys_unreadable", level=logging.WARNING, error=str(error))
            return self._known
        if found is None:
            emit(_log, "cluster_keys_unusable", level=logging.WARNING)
            return self._known
        self._read = self._clock()
        if found != self._known:
            emit(_log, "cluster_keys_read", issuer=found.issuer)
        self._known = found
        return found


def _keys(discovery: Manifest, keys: Manifest) -> ClusterKeys | None:
    """Return the keys in a fixed order, so that equal sets are equal texts; None for documents of another form."""
    issuer, listed = discovery.get("issuer"), keys.get("keys")
    if not isinstance(issuer, str) or not issuer or not isinstance(listed, list) or not listed:
        return None
    if not all(isinstance(key, dict) for key in listed):
        return None
    ordered = sorted(listed, key=lambda key: json.dumps(key, sort_keys=True))
    text = json.dumps({"keys": ordered}, sort_keys=True, separators=(",", ":"))
    return ClusterKeys(issuer=issuer, keys=text) if len(text) <= _LARGEST else None
