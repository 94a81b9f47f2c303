"""Sign-in to the page itself by OpenID Connect: authorization code with PKCE, checked by the provider's own keys."""

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import jwt

_SECONDS: Final = 15.0
_KEPT_SECONDS: Final = 3600.0
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")


class OidcError(Exception):
    """The provider did not confirm an identity; the message is for the person."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What the browser's session keeps between the way there and back."""

    url: str
    state: str
    nonce: str
    verifier: str = field(repr=False)


class Oidc:
    """One provider."""

    def __init__(self, issuer: str, *, client_id: str, client_secret: str | None, allowed: frozenset[str]) -> None:
        """``allowed`` are email addresses."""
        self._issuer = issuer.rstrip("/")
        self._client_id = client_id
        self._client_secret = client_secret
        self._allowed = frozenset(email.casefold() for email in allowed)
        self._found: tuple[float, Mapping[str, Any]] | None = None

    async def begin(self, redirect: str) -> Begun:
        """Return where to send the browser. Raises OidcError."""
        provider = await self._provider()
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        begun = Begun("", secrets.token_urlsafe(24), secrets.token_urlsafe(24), verifier)
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect,
            "scope": "openid email",
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        url = f"{provider['authorization_endpoint']}?{urlencode(query)}"
        return Begun(url, begun.state, begun.nonce, verifier)

    async def finish(self, code: str, *, redirect: str, nonce: str, verifier: str) -> str:
        """Return the email address of whoever signed in. Raises OidcError."""
        provider = await self._provider()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "client_id": self._client_id,
            "code_verifier": verifier,
        }
        if self._client_secret:
            form["client_secret"] = self._client_secret
        answer = await _json("POST", str(provider["token_endpoint"]), form=form)
        keys = await _json("GET", str(provider["jwks_uri"]))
        claims = self._claims(str(answer.get("id_token") or ""), keys)
        if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise OidcError("The answer of the identity provider belongs to another sign-in. Start again.")
        email = str(claims.get("email") or "").casefold()
        if claims.get("email_verified") is False or email not in self._allowed:
            raise OidcError("This account may not use this page. Ask whoever installed it to allow your address.")
        return email

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
            found = await _json("GET", f"{self._issuer}/.well-known/openid-configuration")
            if str(found.get("issuer", "")).rstrip("/") != self._issuer or not all(
                name in found for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
            ):
                raise OidcError("The identity provider describes itself in a way that is not usable.")
            self._found = (time.monotonic(), found)
        return self._found[1]


async def _json(method: str, url: str, *, form: Mapping[str, str] | None = None) -> Mapping[str, Any]:
    try:
        async with (
            aiohttp.ClientSession(trust_env=True, timeout=aiohttp.ClientTimeout(total=_SECONDS)) as session,
            session.request(method, url, data=form, headers={"accept": "application/json"}) as response,
        ):
            found = await response.json(content_type=None) if response.status == 200 else None
    except (TimeoutError, OSError, ValueError, aiohttp.ClientError):
        found = None
    if not isinstance(found, dict):
        raise OidcError("The identity provider gave no usable answer. Try again in a minute.")
    return found
