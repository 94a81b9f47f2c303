"""The gateway's identity at Anthropic without a key: the pod's ServiceAccount token, exchanged for an access token.

The exchange is RFC 7523's, as Anthropic's SDKs do it (``lib/credentials`` of the Python SDK, and the WIF reference of
the Claude Platform docs). Three rules decide when it happens: a ServiceAccount token is accepted once, an access token
lives at most twice as long as that token had left, and Kubernetes writes a new ServiceAccount token after four fifths
of the life of the old one. So the exchange happens as soon as Kubernetes has written a new one.
"""

import asyncio
import contextlib
import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
from multidict import CIMultiDict
from yarl import URL

from claude_gateway.contract.policy import Egress
from claude_gateway.contract.target import Federation
from claude_gateway_proxy.gateway import errors
from claude_gateway_proxy.gateway.identities.kept_tokens import KeptToken, KeptTokens
from claude_gateway_proxy.gateway.identities.renewed import IdentityError, Lack, Lease
from claude_gateway_proxy.gateway.identities.service_account import Assertion, ServiceAccountTokens
from claude_gateway_proxy.gateway.upstream.session import Upstreams
from claude_gateway_proxy.masking import Mask
from claude_gateway_proxy.unreachable import Unreachable, explain

BETA: Final = "oauth-2025-04-20"
"""Anthropic accepts an access token only with this beta."""

_EXCHANGE_BETAS: Final = f"{BETA},oidc-federation-2026-04-01"
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_PATH: Final = "/v1/oauth/token"

_LOOK_SECONDS: Final = 30.0
"""How often the file of the ServiceAccount token is checked while requests arrive."""
_EARLY_SECONDS: Final = 120.0
"""Renew this long before the end, or in the last quarter of a short life; the SDKs have the same two minutes."""
_LAST_SECONDS: Final = 30.0
"""Do not use a token this close to its end, or in the last eighth of a short life: its request is still on its way."""
_EXCHANGE_SECONDS: Final = 30.0
_PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds before the next exchange, after so many failed ones in a row."""
_REJECTED_MOST: Final = 5
_REJECTED_SECONDS: Final = 10.0
"""The most exchanges because of rejected access tokens, within this many seconds."""

_ANSWER_LIMIT: Final = 64 * 1024


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: int
    token_type: str = "Bearer"  # noqa: S105 - not a secret


class AccessTokens:
    """Access tokens of one identity at one address."""

    def __init__(
        self,
        federation: Federation,
        *,
        base_url: str,
        egress: Egress,
        accounts: ServiceAccountTokens,
        store: KeptTokens,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Exchange the tokens of ``accounts``; ``store`` keeps what was issued for the next process."""
        self._federation = federation
        self._url = URL(base_url.rstrip("/") + _PATH, encoded=True)
        self._egress = egress
        self._accounts = accounts
        self._store = store
        self._clock = clock
        self._name = hashlib.sha256(f"{federation!r} {base_url}".encode()).hexdigest()[:32]
        self._held: KeptToken | None = None
        self._loaded = False
        self._rejected = ""
        self._rejections: deque[float] = deque(maxlen=_REJECTED_MOST)
        self._failures = 0
        self._refused: tuple[str, float, IdentityError] | None = None
        self.failures = 0
        self.renewed_at: float | None = None
        self.expires_at: float | None = None

    @property
    def failing(self) -> IdentityError | None:
        """Why the last exchange failed; None once one succeeded."""
        return None if self._refused is None else self._refused[2]

    def reject(self, token: str) -> None:
        """Do not use an access token any more that the upstream rejected."""
        self._rejected = token

    async def lease(self) -> Lease[str]:
        """Return an access token: the current one while it is valid, else a new one. Raises IdentityError."""
        found = await asyncio.to_thread(self._accounts.read)
        held = await self._good()
        unspent = self._accounts.unspent(found)
        if held is not None and held.end - self._clock() > _early(held.life):
            renewed = all(each.digest != held.spent for each in found)
            if unspent is None or not renewed:
                return self._lease(held)
        assertion = unspent or found[0]
        try:
            self._check_pace(assertion)
            return self._lease(await self._renew(assertion))
        except IdentityError:
            if held is not None and held.end - self._clock() > _last(held.life):
                return self._lease(held)
            raise

    async def _good(self) -> KeptToken | None:
        """The access token of now, unless it was rejected."""
        if not self._loaded:
            self._held, self._loaded = await asyncio.to_thread(self._store.load, self._name), True
            if self._held is not None:
                self.expires_at = time.time() + self._held.end - self._clock()
                self.renewed_at = self.expires_at - self._held.life
                self._accounts.spend(self._held.spent)
        held = self._held
        return None if held is None or held.token == self._rejected else held

    async def _renew(self, assertion: Assertion) -> KeptToken:
        began = self._clock()
        try:
            granted = await self._exchange(assertion)
        except IdentityError as error:
            if error.lack is Lack.REFUSED:
                self._accounts.spend(assertion.digest)
            pause = _PAUSES[min(self._failures, len(_PAUSES) - 1)]
            self._failures += 1
            self.failures += 1
            self._refused = (assertion.digest, self._clock() + pause, error)
            raise
        self._accounts.spend(assertion.digest)
        held = KeptToken(granted.access_token, granted.expires_in, began + granted.expires_in, assertion.digest)
        self._held, self._refused, self._failures = held, None, 0
        self.renewed_at = time.time()
        self.expires_at = self.renewed_at + held.end - self._clock()
        # If it cannot be stored, it is used as long as this process lives.
        with contextlib.suppress(OSError):
            await asyncio.to_thread(self._store.save, self._name, held)
        return held

    def _check_pace(self, assertion: Assertion) -> None:
        """Raise IdentityError if an exchange has just failed, or if rejected tokens were replaced too often."""
        now = self._clock()
        if self._refused is not None:
            before, until, error = self._refused
            if now < until and assertion.digest == before:
                raise error
        if self._held is None or self._held.token != self._rejected:
            return
        if sum(now - at < _REJECTED_SECONDS for at in self._rejections) == _REJECTED_MOST:
            raise IdentityError("the upstream rejects the access tokens that it issues", Lack.REFUSED)
        self._rejections.append(now)

    def _lease(self, held: KeptToken) -> Lease[str]:
        left = held.end - self._clock()
        fresh = min(_LOOK_SECONDS, max(1.0, left - _early(held.life)))
        return Lease(held.token, fresh=fresh, usable=left - _last(held.life))

    async def _exchange(self, assertion: Assertion) -> _Granted:
        upstreams = Upstreams(self._egress)
        try:
            async with asyncio.timeout(_EXCHANGE_SECONDS):
                status, body = await self._post(upstreams, assertion)
        except TimeoutError:
            raise IdentityError("the token exchange took too long", Lack.UNANSWERED) from None
        except (OSError, ValueError, Unreachable) as error:
            why = error if isinstance(error, Unreachable) else explain(error)
            said = f"the token exchange had no answer: {why.obstacle.value}"
            raise IdentityError(said, Lack.UNANSWERED) from None
        finally:
            await upstreams.close()
        if status != 200:
            raise self._no(status, body, assertion)
        try:
            granted = msgspec.json.decode(body, type=_Granted)
        except msgspec.DecodeError:
            granted = _Granted("", 0)
        usable = granted.access_token.isascii() and granted.access_token.isprintable() and granted.access_token
        if not usable or granted.expires_in <= 0 or granted.token_type.lower() != "bearer":
            raise IdentityError("the answer of the token exchange has no access token with a life")
        return granted

    async def _post(self, upstreams: Upstreams, assertion: Assertion) -> tuple[int, bytes]:
        claims: dict[str, Any] = {"grant_type": _GRANT, "assertion": assertion.token, **_given(self._federation)}
        headers = CIMultiDict({"content-type": "application/json", "anthropic-beta": _EXCHANGE_BETAS})
        headers["accept-encoding"] = "identity"
        response = await upstreams.send(self._url, headers=headers, body=msgspec.json.encode(claims))
        try:
            parts, size = [], 0
            while (part := await response.read()) and size <= _ANSWER_LIMIT:
                parts.append(part)
                size += len(part)
            return response.status, b"".join(parts)[: _ANSWER_LIMIT + 1]
        finally:
            response.close()

    def _no(self, status: int, body: bytes, assertion: Assertion) -> IdentityError:
        """Return the error of an exchange that was rejected, or that failed temporarily."""
        said = errors.words(body, mask=Mask((assertion.token,)))
        hint = ""
        if self._held is not None and self._held.spent == assertion.digest:
            hint = "; this ServiceAccount token was exchanged before, and Kubernetes has not written a new one yet"
        for_now = status >= 500 or status in (408, 429)
        lack = Lack.UNANSWERED if for_now else Lack.REFUSED if status >= 400 else Lack.MISSING
        return IdentityError(f"the token exchange was answered with {status} {said}".rstrip() + hint, lack)


def with_beta(present: Iterable[str]) -> str:
    """Return the value of ``anthropic-beta`` that an access token needs, with the betas of the request."""
    betas = [beta.strip() for value in present for beta in value.split(",")]
    return ",".join(dict.fromkeys((*filter(None, betas), BETA)))


def _given(federation: Federation) -> dict[str, str]:
    return {name: value for name, value in federation.model_dump().items() if value is not None}


def _early(life: float) -> float:
    return min(_EARLY_SECONDS, life / 4)


def _last(life: float) -> float:
    return min(_LAST_SECONDS, life / 8)
