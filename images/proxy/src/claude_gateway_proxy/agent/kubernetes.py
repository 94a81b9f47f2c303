"""A ConfigMap and a Secret as the source of bundles."""

import asyncio
import hmac
import zlib
from collections.abc import Callable, Mapping
from typing import Final

from pydantic import ValidationError

from claude_gateway.contract.bundle import Meta, Packed
from claude_gateway.names import META_JSON
from claude_gateway.release_names import REPORT_TOKEN
from claude_gateway_proxy.agent.following import Follower, Named, State
from claude_gateway_proxy.agent.source import Offer
from claude_gateway_runtime.kube import WATCH_SECONDS, Access

TORN_SECONDS: Final = 1.0
"""How long an incomplete set waits for its other half. Then it is offered, refused and reported."""
_META_LIMIT: Final = 8 << 20
_GZIP: Final = 31


class ReportToken:
    """The bearer token that a reader of ``/status`` must present."""

    def __init__(self) -> None:
        """Start without a token, so that nobody is admitted."""
        self._value = b""

    def put(self, value: bytes | None) -> None:
        """Replace the token; None and an empty one admit nobody."""
        self._value = (value or b"").strip()

    def admits(self, authorization: str | None) -> bool:
        """Whether a request with this ``Authorization`` header may read."""
        scheme, _, shown = (authorization or "").partition(" ")
        equal = hmac.compare_digest(shown.strip().encode(), self._value)
        return equal and scheme.lower() == "bearer" and self._value != b""


class KubernetesSource:
    """Watches the two objects named ``name``; ``report_token`` is kept up to date beside the bundle."""

    def __init__(self, access: Access, *, namespace: str, name: str, watch_seconds: int = WATCH_SECONDS) -> None:
        """No request is sent before ``run``."""
        self.report_token = ReportToken()
        self._name = f"{namespace}/{name}"
        self._news = asyncio.Event()
        config = Named(kind="ConfigMap", resource="configmaps", namespace=namespace, name=name)
        secret = Named(kind="Secret", resource="secrets", namespace=namespace, name=name)
        self._config = Follower(access, config, changed=self._news.set, watch_seconds=watch_seconds)
        self._secret = Follower(access, secret, changed=self._turned, watch_seconds=watch_seconds)

    async def run(self, offer: Callable[[Offer], None]) -> None:
        """Offer the current content, and again after every change, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._config.run())
            tasks.create_task(self._secret.run())
            tasks.create_task(self._offer(offer))

    def _turned(self) -> None:
        self.report_token.put((self._secret.state.entries or {}).get(REPORT_TOKEN))
        self._news.set()

    async def _offer(self, offer: Callable[[Offer], None]) -> None:
        last: Offer | None = None
        while True:
            await self._news.wait()
            self._news.clear()
            config, secret = self._config.state, self._secret.state
            found = combined(config, secret, name=self._name)
            if found is not None and torn(found) and await self._more():
                continue
            trouble = config.trouble or secret.trouble
            if found is not None and (found != last or trouble is None):
                last = found
                offer(found)
            elif trouble is not None:
                offer(Offer(revision=found.revision if found is not None else None, error=trouble))

    async def _more(self) -> bool:
        """Return whether another change arrives within the time that the other half of a set may take."""
        try:
            await asyncio.wait_for(self._news.wait(), TORN_SECONDS)
        except TimeoutError:
            return False
        return True


def combined(config: State, secret: State, *, name: str) -> Offer | None:
    """Return the bundle of the two objects; None until both of them were seen. Pure."""
    if not (config.known and secret.known):
        return None
    if config.entries is None:
        return Offer(error=f"there is no ConfigMap {name}")
    meta = _meta(config.entries)
    revision = meta.revision if meta is not None else None
    if secret.entries is None:
        return Offer(revision=revision, error=f"there is no Secret {name}")
    secrets = {entry: value for entry, value in secret.entries.items() if entry != REPORT_TOKEN}
    return Offer(revision=revision, packed=Packed(config=config.entries, secrets=secrets))


def torn(found: Offer) -> bool:
    """Whether the Secret does not have an entry that the ConfigMap names yet: an event is still on its way. Pure."""
    if found.packed is None:
        return False
    meta = _meta(found.packed.config)
    there = found.packed.secrets
    return meta is not None and any(name not in there and f"{name}.gz" not in there for name in meta.secrets)


def _meta(config: Mapping[str, bytes]) -> Meta | None:
    """Read ``meta.json`` alone; it is verified when the bundle is unpacked."""
    text = config.get(META_JSON)
    try:
        if text is None:
            text = zlib.decompressobj(wbits=_GZIP).decompress(config[f"{META_JSON}.gz"], _META_LIMIT)
        return Meta.model_validate_json(text)
    except (KeyError, zlib.error, ValidationError):
        return None
