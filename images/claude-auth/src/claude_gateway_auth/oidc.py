"""An OpenID Connect provider: authorization code with PKCE, checked by the provider's own keys."""

import base64
import hashlib
import json
import logging
import secrets
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import jwt

from claude_gateway_runtime.logs import unexpected

_log: Final = logging.getLogger("claude_gateway_auth.oidc")
_SECONDS: Final = 15.0
_KEPT_SECONDS: Final = 3600.0
_LONGEST_ANSWER: Final = 512 * 1024
_MOST_GROUPS: Final = 200
_LONGEST_GROUP: Final = 256
_NO_ANSWER: Final = "The identity provider gave no usable answer. Try again in a minute."
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")


class OidcError(Exception):
    """The provider did not confirm an identity; the message is for the person."""


class RemovedError(OidcError):
    """The provider has ended a person's session."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One person at the provider.

    ``renewal`` is the provider's refresh token, by which it can be asked whether the person is still there; None where
    it issues none.
    """

    subject: str
    email: str
    groups: tuple[str, ...] = ()
    renewal: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Begun:
    """What the browser's session keeps between the way there and back."""

    url: str
    state: str
    nonce: str
    verifier: str = field(repr=False)


class Oidc:
    """One provider."""

    def __init__(
        self,
        issuer: str,
        *,
        client_id: str,
        client_secret: str | None,
        trust: ssl.SSLContext,
        groups_claim: str = "groups",
    ) -> None:
        """``groups_claim`` is the claim with the groups of a person, a list or one text."""
        self._issuer = issuer.rstrip("/")
        self._client_id = client_id
        self._client_secret = client_secret
        self._trust = trust
        self._groups_claim = groups_claim
        self._found: tuple[float, Mapping[str, Any]] | None = None

    async def begin(self, redirect: str, *, scope: str = "openid email") -> Begun:
        """Return where to send the browser. Raises OidcError."""
        provider = await self._provider()
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        begun = Begun("", secrets.token_urlsafe(24), secrets.token_urlsafe(24), verifier)
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect,
            "scope": scope,
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        url = f"{provider['authorization_endpoint']}?{urlencode(query)}"
        return Begun(url, begun.state, begun.nonce, verifier)

    async def finish(self, code: str, *, redirect: str, nonce: str, verifier: str) -> Identity:
        """Return who signed in. Raises OidcError."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
        }
        status, answer = await self._post("token_endpoint", form)
        if status != 200:
            raise OidcError(_NO_ANSWER)
        claims = await self._verified(answer)
        if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise OidcError("The answer of the identity provider belongs to another sign-in. Start again.")
        return self._identity(claims, answer)

    async def renew(self, identity: Identity) -> Identity:
        """Return who somebody is by now. Raises RemovedError if the provider refuses, OidcError if it cannot say."""
        form = {"grant_type": "refresh_token", "refresh_token": identity.renewal or ""}
        status, answer = await self._post("token_endpoint", form)
        if status in (400, 401) and answer.get("error") == "invalid_grant":
            raise RemovedError("The identity provider has ended this session. Sign in again.")
        if status != 200:
            raise OidcError(_NO_ANSWER)
        renewal = str(answer.get("refresh_token") or identity.renewal)
        if not answer.get("id_token"):
            return replace(identity, renewal=renewal)
        found = self._identity(await self._verified(answer), answer)
        if found.subject != identity.subject:
            raise RemovedError("The identity provider's answer is about somebody else. Sign in again.")
        return replace(found, renewal=renewal)

    async def revoke(self, identity: Identity) -> None:
        """Ask the provider to end a session, if it supports that. Raises OidcError."""
        if identity.renewal is not None and "revocation_endpoint" in await self._provider():
            await self._post("revocation_endpoint", {"token": identity.renewal, "token_type_hint": "refresh_token"})

    async def _verified(self, answer: Mapping[str, Any]) -> Mapping[str, Any]:
        _, keys = await self._json("GET", str((await self._provider())["jwks_uri"]))
        return self._claims(str(answer.get("id_token") or ""), keys)

    def _identity(self, claims: Mapping[str, Any], answer: Mapping[str, Any]) -> Identity:
        email = str(claims.get("email") or "").casefold()
        if claims.get("email_verified") is False or not email:
            raise OidcError("The identity provider has no verified email address of this account.")
        groups = claims.get(self._groups_claim)
        listed = groups if isinstance(groups, list) else [groups] if groups else []
        names = tuple(str(each)[:_LONGEST_GROUP] for each in listed[:_MOST_GROUPS])
        renewal = answer.get("refresh_token")
        return Identity(str(claims.get("sub") or email), email, names, str(renewal) if renewal else None)

    async def _post(self, endpoint: str, form: dict[str, str]) -> tuple[int, Mapping[str, Any]]:
        form = {**form, "client_id": self._client_id}
        if self._client_secret:
            form["client_secret"] = self._client_secret
        return await self._json("POST", str((await self._provider())[endpoint]), form=form)

    def _claims(self, token: str, keys: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            known = jwt.PyJWKSet.from_dict(dict(keys))
            key = next(key for key in known.keys if header.get("kid") in (None, key.key_id))
            return jwt.decode(
                token,
                key.key,
                algorithms=list(_ALGORITHMS),
                audience=self._client_id,
                issuer=self._issuer,
                leeway=60,
                options={"require": ["exp", "iat", "aud", "iss"]},
            )
        except (jwt.PyJWTError, StopIteration, ValueError, TypeError):
            raise OidcError("The identity provider's answer could not be verified. Start again.") from None

    async def _provider(self) -> Mapping[str, Any]:
        if self._found is None or time.monotonic() - self._found[0] > _KEPT_SECONDS:
            _, found = await self._json("GET", f"{self._issuer}/.well-known/openid-configuration")
            if str(found.get("issuer", "")).rstrip("/") != self._issuer or not all(
                name in found for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
            ):
                raise OidcError("The identity provider describes itself in a way that is not usable.")
            self._found = (time.monotonic(), found)
        return self._found[1]

    async def _json(
        self, method: str, url: str, *, form: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, Any]]:
        """Return the status and the object of an answer. Raises OidcError if there is none."""
        headers = {"accept": "application/json"}
        try:
            async with (
                aiohttp.ClientSession(trust_env=True, timeout=aiohttp.ClientTimeout(total=_SECONDS)) as session,
                session.request(
                    method, url, data=form, headers=headers, ssl=self._trust, allow_redirects=False
                ) as response,
            ):
                text = await response.content.read(_LONGEST_ANSWER)
                found, status = json.loads(text or b"{}"), response.status
        except (TimeoutError, OSError, ValueError, RecursionError, aiohttp.ClientError) as error:
            # The person cannot repair it: whoever runs the service finds the reason in its log.
            unexpected(_log, "identity_provider_failed", error)
            raise OidcError(_NO_ANSWER) from None
        if not isinstance(found, dict) or (method == "GET" and status != 200):
            raise OidcError(_NO_ANSWER)
        return status, found
