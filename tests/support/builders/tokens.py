"""Signed tokens and the key sets of their issuers, with keys that are made once per process."""

import base64
import functools
import json
import time
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ISSUER = "https://login.example.com/tenant"
AUDIENCE = "claude-gateway"
SECRET = "a-secret-of-more-than-32-characters!"
MAKERS = {
    "RS256": lambda: rsa.generate_private_key(65_537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}
_KINDS = {"RS": "RS256", "PS": "RS256"}


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key with an id."""

    key_id: str
    algorithm: str
    private: Any

    @classmethod
    def of(cls, algorithm: str, key_id: str = "k1") -> "Signer":
        """Return a signer of an algorithm; equal arguments make the same key."""
        return cls(key_id, algorithm, _private(_KINDS.get(algorithm[:2], algorithm), key_id))

    def jwk(self, **more: object) -> dict[str, Any]:
        """The public key, as a key set has it."""
        algorithm = jwt.algorithms.get_default_algorithms()[self.algorithm]
        return {**algorithm.to_jwk(self.private.public_key(), as_dict=True), "kid": self.key_id, "use": "sig", **more}

    def token(self, *, headers: Any = None, **claims: Any) -> str:
        """A token with these claims, on top of those of a valid one; None removes a claim."""
        wanted = {**self.header(), **(headers or {})}
        return jwt.encode(valid(**claims), self.private, algorithm=self.algorithm, headers=dict(wanted))

    def header(self) -> dict[str, object]:
        """The header beyond the algorithm."""
        return {"kid": self.key_id}


@functools.cache
def _private(kind: str, key_id: str) -> Any:
    return MAKERS[kind]()


def valid(**claims: object) -> dict[str, object]:
    """The claims of a valid token, with changes; None removes one."""
    now = int(time.time())
    found = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 300, **claims}
    return {name: value for name, value in found.items() if value is not None}


def key_set(*signers: Signer) -> bytes:
    """The key set of these signers."""
    return json.dumps({"keys": [signer.jwk() for signer in signers]}).encode()


def shared(secret: str = SECRET, **claims: object) -> str:
    """An old token of HS256: without issuer and audience unless ``claims`` have them."""
    return jwt.encode(valid(**{"iss": None, "aud": None, **claims}), secret, algorithm="HS256")


def raw(header: object, claims: object, signature: bytes = b"") -> str:
    """A token with any parts; those that are bytes are taken as they are."""
    parts = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in (header, claims)]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*parts, signature))
