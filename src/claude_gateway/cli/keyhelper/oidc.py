"""Tokens for the key helper: from an OpenID Connect provider's token endpoint, or signed here with a local key."""

import base64
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import quote_plus, urlencode

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import small_files
from claude_gateway.cli.keyhelper import fresh
from claude_gateway.cli.keyhelper.fresh import Key
from claude_gateway.cli.keyhelper.server import Answer, Server, words

Use = Literal["access_token", "id_token"]
Sent = Literal["basic", "post"]

_INSTALL: Final = "Install the package with what signing needs: pip install 'claude-gateway[serve]'."


@dataclass(frozen=True, slots=True)
class Grant:
    """What to ask a token endpoint for: with a refresh token if ``refresh_file`` is set, else client credentials."""

    client: str
    secret_file: Path | None = None
    refresh_file: Path | None = None
    scope: str | None = None
    audience: str | None = None
    use: Use = "access_token"
    sent: Sent = "basic"


def ask(server: Server, grant: Grant) -> Key:
    """Ask the token endpoint. A refresh token that the provider replaces is written back to its file.

    RFC 6749, sections 4.4 and 6. Raises Trouble with the provider's own words.
    """
    form = {"grant_type": "client_credentials"}
    if grant.refresh_file is not None:
        form = {"grant_type": "refresh_token", "refresh_token": _refresh_token(grant.refresh_file)}
    form |= {name: value for name, value in (("scope", grant.scope), ("audience", grant.audience)) if value}
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    secret = None
    if grant.secret_file is not None:
        secret = small_files.read(grant.secret_file, what="the client secret file", fix="Check --client-secret-file.")
    if secret is not None and grant.sent == "basic":
        # RFC 6749, section 2.3.1: both are form-encoded first.
        pair = f"{quote_plus(grant.client)}:{quote_plus(secret)}"
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        form |= {"client_id": grant.client, **({"client_secret": secret} if secret else {})}
    answer = server.ask(headers=headers, body=urlencode(form).encode(), method="POST")
    if answer.status != 200:
        raise _refused(answer, grant)
    renewed = answer.value.get("refresh_token")
    if grant.refresh_file is not None and isinstance(renewed, str) and renewed:
        # The old one is spent: many providers end the whole login if it is used again.
        small_files.replace(grant.refresh_file, renewed, what="the refresh token file")
    token = answer.value.get(grant.use)
    if not isinstance(token, str):
        raise Trouble(
            f"{server.name} answered without {grant.use}",
            fix="Ask for the scope `openid` to get an id_token, or choose the other token with --use.",
        )
    lifetime = fresh.seconds_of(answer.value.get("expires_in")) if grant.use == "access_token" else None
    return fresh.made(token, now=time.time(), source=f"the {grant.use}", lifetime=lifetime)


def _refresh_token(path: Path) -> str:
    return small_files.read(path, what="the refresh token file", fix="Sign in again and store the refresh token there.")


def _refused(answer: Answer, grant: Grant) -> Trouble:
    said = ": ".join(words(answer.value[name]) for name in ("error", "error_description") if answer.value.get(name))
    error = answer.value.get("error")
    if error == "invalid_grant":
        fix = "The refresh token ended or was used already: sign in again and store the new one."
    elif error in ("invalid_client", "unauthorized_client"):
        fix = "Check --client-id and the client secret; some providers want the secret with --client-auth post."
    elif error == "invalid_scope":
        fix = "Check --scope."
    else:
        fix = "Check --token-url; the provider's log has more."
    message = f"the token endpoint refused {grant.client} ({answer.status}){f': {said}' if said else ''}"
    return answer.refused(message, fix=fix)


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a token that is signed here; ``lifetime`` is in seconds, ``more`` are further claims."""

    issuer: str
    subject: str
    audience: str
    lifetime: float
    more: Mapping[str, str]


def sign(key_file: Path, claims: Claims, *, algorithm: str, key_id: str | None) -> Key:
    """Sign a JWT with a private key, or for HS256 with a shared secret. Raises Trouble; it never quotes the key."""
    try:
        import jwt
    except ImportError:
        raise Trouble("PyJWT, which signs the token, is not installed", fix=_INSTALL) from None
    if algorithm not in jwt.algorithms.get_default_algorithms():
        # PyJWT alone has only algorithms with a shared secret.
        raise Trouble(f"cryptography, which {algorithm} needs, is not installed", fix=_INSTALL)
    now = time.time()
    secret = small_files.read(key_file, what="the signing key", fix="Check --sign-with.")
    payload = {
        **claims.more,
        "iss": claims.issuer,
        "sub": claims.subject,
        "aud": claims.audience,
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now + claims.lifetime),
        "jti": str(uuid.uuid4()),
    }
    try:
        token = jwt.encode(payload, secret, algorithm=algorithm, headers={"kid": key_id} if key_id else None)
    except (jwt.PyJWTError, ValueError, TypeError):
        raise Trouble(
            f"{key_file} cannot sign with {algorithm}",
            fix="RS256 needs an RSA key, ES256 an EC key on P-256, EdDSA an Ed25519 key, each in PEM; see --algorithm.",
        ) from None
    return fresh.made(token, now=now, source="the signed token")


def claim(text: str) -> tuple[str, str]:
    """Return the name and the value of a claim that is written as NAME=VALUE. Raises ValueError."""
    name, found, value = text.partition("=")
    if not name or not found:
        raise ValueError(text)
    return name, value


def shown(claims: Claims) -> str:
    """Return the claims as text: part of the name of the cache file, so that other claims have another file."""
    return json.dumps([claims.issuer, claims.subject, claims.audience, claims.lifetime, sorted(claims.more.items())])
