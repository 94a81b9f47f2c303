"""The tokens of people who signed in: signed ones for the gateway, and sealed ones to renew them with.

Nothing is stored: a renewal token holds the session, encrypted, so that a restart ends no session, and the identity
provider is asked at each renewal whether the person may still have one.
"""

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import jwt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from claude_gateway_auth.oidc import Identity

_ALGORITHM: Final = "ES256"
_PREFIX: Final = "cgr-"
_NONCE: Final = 12
_LONGEST: Final = 16 * 1024
_BEGIN: Final = "-----BEGIN "


class SigningKeyError(Exception):
    """A signing key cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Session:
    """A person who signed in with a device; ``id`` is the same for all tokens of one sign-in."""

    id: str
    identity: Identity


@dataclass(frozen=True, slots=True)
class _Key:
    id: str
    private: ec.EllipticCurvePrivateKey = field(repr=False)
    sealer: AESGCM = field(repr=False)


class Issuer:
    """Issues tokens as ``name`` for ``audience``; they live ``seconds``."""

    def __init__(self, pem: str, *, name: str, audience: str, seconds: int) -> None:
        """Read the private keys of a PEM text: the first one signs, all of them verify. Raises SigningKeyError."""
        self._keys: Sequence[_Key] = tuple(_keys(pem))
        self.name = name
        self.seconds = seconds
        self._audience = audience

    def key_set(self) -> Mapping[str, Any]:
        """Return the public keys as a JSON Web Key Set."""
        return {
            "keys": [
                {
                    **jwt.algorithms.ECAlgorithm.to_jwk(key.private.public_key(), as_dict=True),
                    "kid": key.id,
                    "use": "sig",
                    "alg": _ALGORITHM,
                }
                for key in self._keys
            ]
        }

    def access(self, session: Session, *, now: int) -> str:
        """Return a signed token that says who somebody is; ``now`` is Unix time."""
        who = session.identity
        claims = {
            "iss": self.name,
            "aud": self._audience,
            "sub": who.subject,
            "email": who.email,
            "groups": list(who.groups),
            "iat": now,
            "exp": now + self.seconds,
            "sid": session.id,
        }
        key = self._keys[0]
        return jwt.encode(claims, key.private, algorithm=_ALGORITHM, headers={"kid": key.id})

    def seal(self, session: Session) -> str:
        """Return a token by which a session can be renewed, readable here alone."""
        who = session.identity
        content = {"id": session.id, "sub": who.subject, "email": who.email, "groups": who.groups, "idp": who.renewal}
        nonce = secrets.token_bytes(_NONCE)
        sealed = self._keys[0].sealer.encrypt(nonce, json.dumps(content).encode(), _PREFIX.encode())
        return _PREFIX + base64.urlsafe_b64encode(nonce + sealed).decode()

    def unseal(self, token: str) -> Session | None:
        """Return the session of a renewal token; None if it is not one of ours."""
        if not token.startswith(_PREFIX) or len(token) > _LONGEST:
            return None
        try:
            raw = base64.urlsafe_b64decode(token.removeprefix(_PREFIX).encode())
        except ValueError:
            return None
        for key in self._keys:
            try:
                found = json.loads(key.sealer.decrypt(raw[:_NONCE], raw[_NONCE:], _PREFIX.encode()))
            except (InvalidTag, ValueError):
                continue
            who = Identity(found["sub"], found["email"], tuple(found["groups"]), found["idp"])
            return Session(found["id"], who)
        return None


def new_session(identity: Identity) -> Session:
    """Return the session of somebody who just signed in."""
    return Session(secrets.token_hex(16), identity)


def _keys(pem: str) -> Sequence[_Key]:
    parts = [f"{_BEGIN}{part}" for part in pem.split(_BEGIN)[1:]]
    if not parts:
        raise SigningKeyError("the file holds no private key in PEM")
    return [_key(part.encode(), number) for number, part in enumerate(parts, start=1)]


def _key(pem: bytes, number: int) -> _Key:
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        raise SigningKeyError(f"key {number} is not a private key without a password") from None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        fix = "make one with `openssl ecparam -name prime256v1 -genkey -noout`"
        raise SigningKeyError(f"key {number} is not on the curve P-256: {fix}")
    raw = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    secret = HKDF(hashes.SHA256(), length=32, salt=None, info=b"claude-gateway renewal").derive(raw)
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return _Key(sha256(public).hexdigest()[:16], private, AESGCM(secret))
