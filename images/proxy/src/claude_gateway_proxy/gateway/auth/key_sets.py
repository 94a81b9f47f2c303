"""The public keys of issuers: a JSON Web Key Set (RFC 7517), read within bounds.

Keys that are not for signatures, or are too weak, are left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

from claude_gateway_proxy.gateway.auth.jws import VerificationKey

_MOST_KEYS: Final = 64
_MOST_TRIED: Final = 8
"""The most keys tried for one token: those with the id that it names, which may be several, or any."""

_RSA_BITS: Final = range(2048, 8193)
"""Shorter keys are broken (RFC 8725, 3.5), and longer ones take too long."""

_RSA: Final = frozenset(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"))
_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_PUBLIC: Final = ("kty", "n", "e", "crv", "x", "y")


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of one issuer at one time, by id; those without an id are under None."""

    keys: Mapping[str | None, tuple[VerificationKey, ...]]

    def of(self, key_id: str | None) -> Sequence[VerificationKey]:
        """Return the keys with an id; for a token that names none, those that it may be signed with."""
        if key_id is not None:
            return (self.keys.get(key_id) or self.keys.get(None, ()))[:_MOST_TRIED]
        return [key for keys in self.keys.values() for key in keys][:_MOST_TRIED]


def read(document: bytes | str) -> KeySet:
    """Read a key set. Raises ValueError if it is not one, or has no key that signs tokens."""
    try:
        found = msgspec.json.decode(document, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise ValueError("it is not the JSON of a key set") from None
    listed = found.get("keys")
    keys: dict[str | None, tuple[VerificationKey, ...]] = {}
    for entry in (listed if isinstance(listed, list) else [])[:_MOST_KEYS]:
        key = _key(entry) if isinstance(entry, dict) else None
        if key is not None:
            name = entry.get("kid")
            name = name if isinstance(name, str) else None
            keys[name] = (*keys.get(name, ()), key)
    if not keys:
        raise ValueError("it has no key that signs tokens")
    return KeySet(keys)


def _key(entry: Mapping[str, Any]) -> VerificationKey | None:
    """Return a key that verifies signatures; None for one of another use, or that cannot be read."""
    uses = entry.get("key_ops")
    if entry.get("use", "sig") != "sig" or (isinstance(uses, list) and "verify" not in uses):
        return None
    public = {name: entry[name] for name in _PUBLIC if name in entry}
    try:
        key, algorithms = _public(public)
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
    declared = entry.get("alg")
    if declared is not None:
        algorithms &= {declared} if isinstance(declared, str) else frozenset()
    return VerificationKey(algorithms, key) if algorithms else None


def _public(entry: dict[str, Any]) -> tuple[object, frozenset[str]]:
    match entry["kty"]:
        case "RSA":
            rsa = RSAAlgorithm.from_jwk(entry)
            fits = isinstance(rsa, RSAPublicKey) and rsa.key_size in _RSA_BITS
            return rsa, _RSA if fits else frozenset()
        case "EC":
            curve = ECAlgorithm.from_jwk(entry)
            name = _CURVES.get(curve.curve.name) if isinstance(curve, EllipticCurvePublicKey) else None
            return curve, frozenset([name] if name else [])
        case "OKP":
            edwards = OKPAlgorithm.from_jwk(entry)
            return edwards, frozenset(("EdDSA",) if isinstance(edwards, Ed25519PublicKey) else ())
        case _:
            # Especially "oct": a secret in a public document is not secret.
            return None, frozenset()
