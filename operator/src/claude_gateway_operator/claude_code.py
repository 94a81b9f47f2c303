"""What the Claude Code backend and the sign-in service need: the backend's key, its callers, and Roles by name.

The sign-in service may write exactly the Secrets that ClaudeCredentials name, and no others. The names are known only
here, so the operator fills the Roles that the chart made and bound. The right to do so is `escalate` on these Roles by
name: the operator gets none of their rights, and cannot bind them to anybody else.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Final

from claude_gateway.names import LABEL_CREDENTIAL
from claude_gateway.plan.credentials.backend_callers import KEY
from claude_gateway.plan.decide import Plan
from claude_gateway.plan.problem import ObjectRef
from claude_gateway.release_names import callers_name, claude_auth_name, claude_auth_role, claude_code_name
from claude_gateway_operator.bootstrap import new_key
from claude_gateway_operator.owner import Owner
from claude_gateway_operator.rights import login_rules
from claude_gateway_operator.settings import Settings
from claude_gateway_runtime import kube
from claude_gateway_runtime.kube import Forbidden, Kube, Manifest, NotFound
from claude_gateway_runtime.logs import emit

CALLERS: Final = "callers.json"
"""The entry with the document of the callers, as the backend mounts it."""
RBAC_API: Final = "rbac.authorization.k8s.io/v1"

_log: Final = logging.getLogger(__name__)


class ClaudeCode:
    """Keeps the objects of backend and sign-in service as a Plan wants them; does nothing if they are disabled."""

    def __init__(self, connection: Kube, settings: Settings, owner: Owner) -> None:
        """Prepare without reading or writing anything yet."""
        self._kube = connection
        self._settings = settings
        self._owner = owner
        self._refused: set[str] = set()

    async def key(self) -> bytes:
        """Return the backend's key; empty if the backend is disabled. Raises KubeError.

        It is created once and never replaced, like the key that opens the page of the sign-in service.
        """
        if self._settings.claude_code_url is None:
            return b""
        if self._settings.claude_auth_enabled:
            await self._kept(claude_auth_name(self._settings.release))
        return await self._kept(claude_code_name(self._settings.release))

    async def _kept(self, name: str) -> bytes:
        """Return the key in one of our Secrets, which is created if it does not exist."""
        found = await self._kube.get(self._secret(self._settings.namespace, name))
        stored = b"" if found is None else kube.entries(found).get(KEY, b"")
        if stored:
            return stored
        made = new_key().encode()
        await self._apply(self._owner.metadata(name), {KEY: made})
        emit(_log, "key_made", secret=name)
        return made

    async def write(self, plan: Plan) -> None:
        """Write the callers' document, the keys of new callers, and the Roles. Raises KubeError.

        A missing right affects only what needs it, and is reported once.
        """
        if self._settings.claude_code_url is None:
            return
        await self._callers(plan.callers.document)
        for ref in plan.callers.wanted:
            await self._tolerant(f"Secret {ref.namespace}/{ref.name}", self._caller_key(ref))
        if self._settings.claude_auth_enabled:
            names = plan.login_secrets
            roles = [(namespace, names.get(namespace, ())) for namespace in self._settings.namespaces]
            await asyncio.gather(*(self._tolerant(f"Role in {at}", self._role(at, found)) for at, found in roles))

    async def _callers(self, document: bytes) -> None:
        name = callers_name(self._settings.release)
        found = await self._kube.get(self._secret(self._settings.namespace, name))
        if found is None or kube.entries(found).get(CALLERS) != document:
            await self._apply(self._owner.metadata(name), {CALLERS: document})

    async def _caller_key(self, ref: ObjectRef) -> None:
        """Create the Secret of a caller. Nothing owns it, so that the caller keeps its key."""
        metadata = self._owner.unowned(ref.name, labels={LABEL_CREDENTIAL: "true"})
        await self._apply({**metadata, "namespace": ref.namespace}, {KEY: new_key().encode()})
        emit(_log, "caller_key_made", secret=f"{ref.namespace}/{ref.name}")

    async def _role(self, namespace: str, names: Sequence[str]) -> None:
        """Fill the Role of the sign-in service in a namespace; only the chart creates and removes it."""
        settings = self._settings
        name = claude_auth_role(settings.release, home=settings.namespace, namespace=namespace)
        url = kube.path("roles", namespace, name, api=RBAC_API)
        found = await self._kube.get(url)
        rules = login_rules(names)
        if found is None:
            raise NotFound(f"Role {namespace}/{name} does not exist")
        if (found.get("rules") or []) != rules:
            metadata = {"name": name, "namespace": namespace}
            body = {"apiVersion": RBAC_API, "kind": "Role", "metadata": metadata, "rules": rules}
            await self._kube.apply(url, body)
            emit(_log, "logins_granted", namespace=namespace, secrets=len(names))

    async def _tolerant(self, what: str, work: Coroutine[None, None, None]) -> None:
        """Run ``work``; a missing right or object is reported once, until it exists."""
        try:
            await work
        except (Forbidden, NotFound) as error:
            if what not in self._refused:
                self._refused.add(what)
                emit(_log, "not_written", level=logging.WARNING, object=what, error=str(error))
        else:
            self._refused.discard(what)

    async def _apply(self, metadata: Manifest, entries: dict[str, bytes]) -> None:
        url = self._secret(metadata["namespace"], metadata["name"])
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": kube.encoded(entries)}
        await self._kube.apply(url, body)

    def _secret(self, namespace: str, name: str) -> str:
        return kube.path("secrets", namespace, name, api="v1")
