"""Secrets of a cluster. Only those that a ClaudeCredential names can be written: the operator grants no others."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from claude_gateway.contract.writers import other_writer
from claude_gateway.names import AUTH_MANAGER, LABEL_CREDENTIAL, Kind
from claude_gateway_auth.credential import Credential
from claude_gateway_auth.store.folder import manifest
from claude_gateway_auth.store.store import ConflictError, Stored, StoreError
from claude_gateway_runtime.kube import Conflict, Kube, KubeError, path
from claude_gateway_runtime.kube import entries as entries_of

_CREDENTIALS: Final = "claudecredentials"


class ClusterStore:
    """Logins in Secrets, written by server-side apply at the version that was read."""

    def __init__(self, kube: Kube, namespaces: Sequence[str]) -> None:
        """``kube`` applies as ``AUTH_MANAGER``."""
        self._kube = kube
        self._namespaces = tuple(namespaces)

    async def credentials(self) -> tuple[Credential, ...]:
        """List the ClaudeCredentials with a subscription."""
        found = []
        for namespace in self._namespaces:
            try:
                items = await self._kube.list(path(_CREDENTIALS, namespace))
            except KubeError as error:
                raise StoreError(str(error)) from None
            found += [credential for item in items if (credential := _credential(item)) is not None]
        return tuple(sorted(found, key=lambda credential: credential.ref))

    async def read(self, credential: Credential) -> Stored:
        """Get one Secret."""
        try:
            found = await self._kube.get(self._path(credential))
            if found is None:
                return Stored()
            content = entries_of({**found, "kind": Kind.SECRET.value})
        except KubeError as error:
            raise StoreError(str(error)) from None
        meta = found.get("metadata") or {}
        if (meta.get("labels") or {}).get(LABEL_CREDENTIAL) != "true":
            # Whoever may write a ClaudeCredential may name any Secret; its own author must have allowed this use.
            raise StoreError(f'the Secret exists without the label {LABEL_CREDENTIAL}: "true"')
        version = f"{meta.get('uid')} {meta.get('resourceVersion')}"
        return Stored(content, version, other_writer(meta, credential.method.key) or "")

    async def write(self, credential: Credential, entries: Mapping[str, bytes], *, version: str | None) -> None:
        """Apply one Secret; entries that this service wrote before and that are not given go."""
        body = manifest(credential, entries)
        if version is not None:
            # By its uid too: an apply at a version alone creates what was deleted meanwhile.
            uid, _, resource_version = version.partition(" ")
            body["metadata"].update(uid=uid, resourceVersion=resource_version)
        elif (await self.read(credential)).version is not None:
            raise ConflictError("the Secret was created meanwhile")
        try:
            await self._kube.apply(self._path(credential), body, manager=AUTH_MANAGER)
        except Conflict as error:
            raise ConflictError(str(error)) from None
        except KubeError as error:
            raise StoreError(str(error)) from None

    def _path(self, credential: Credential) -> str:
        return path("secrets", credential.namespace, credential.secret_name, api="v1")


def _credential(item: Mapping[str, Any]) -> Credential | None:
    meta, spec = item.get("metadata") or {}, item.get("spec") or {}
    subscription = spec.get("subscription")
    if not isinstance(subscription, dict):
        return None
    try:
        return Credential.model_validate({**subscription, "namespace": meta.get("namespace"), "name": meta.get("name")})
    except ValidationError:
        # The operator says in the object's status what is wrong with it.
        return None
