"""Signed tokens: parsed within bounds, and verified only with keys that the gateway chose.

Two fields of a token's header are used: the algorithm, which must be one that the key is for, and the key id, which is
looked up among the issuer's keys. Keys and addresses of keys in a header (``jwk``, ``jku``, ``x5u``, ``x5c``) are never
used. Rules: RFC 7515, RFC 7518, RFC 8725.
"""

import re
from base64 import urlsafe_b64decode
from binascii import Error
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from jwt.algorithms import get_default_algorithms

from claude_gateway_proxy.gateway.errors import bad_token

LONGEST: Final = 16 * 1024
"""The largest token in bytes; one of a person in hundreds of groups has about 8 KB."""

SECRET_ALGORITHM: Final = "HS256"  # noqa: S105 - the algorithm's name
"""The only algorithm whose key is a secret; no public key is ever used with it."""

_LONGEST_KEY_ID: Final = 256
_SHAPE: Final = re.compile(rb"(eyJ[A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)")
_ALGORITHMS: Final = get_default_algorithms()


class _Header(msgspec.Struct):
    """The fields of a token's header that are used; ``crit`` names required extensions, of which we support none."""

    alg: str
    kid: str | None = None
    crit: Any = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class Token:
    """A token that is not verified yet: nothing in it can be trusted. ``signed`` is what its ``signature`` covers."""

    algorithm: str
    key_id: str | None
    claims: Mapping[str, Any] = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A key, and the algorithms that it is for."""

    algorithms: frozenset[str]
    key: Any = field(repr=False)

    def verifies(self, token: Token) -> bool:
        """Return whether the token was signed with this key."""
        if token.algorithm not in self.algorithms:
            return False
        return _ALGORITHMS[token.algorithm].verify(token.signed, self.key, token.signature)


def secret_key(secret: bytes) -> VerificationKey:
    """Return the key of HS256 for a secret."""
    return VerificationKey(frozenset({SECRET_ALGORITHM}), secret)


def looks_like_token(text: bytes) -> bool:
    """Whether a text has the form of a signed token: three parts in base64, of which the first is a JSON object."""
    return len(text) <= LONGEST and _SHAPE.fullmatch(text) is not None


def read(text: bytes) -> Token:
    """Parse a token. Raises Failure (401) if it is malformed."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise bad_token("it does not have the form of a signed token")
    header = _decoded(found[1], "header", _Header)
    if header.crit is not msgspec.UNSET:
        raise bad_token("its header has extensions that are not known here")
    if header.kid is not None and len(header.kid) > _LONGEST_KEY_ID:
        raise bad_token("the id of its key is too long")
    claims: dict[str, Any] = _decoded(found[2], "payload", dict[str, Any])
    return Token(
        algorithm=header.alg,
        key_id=header.kid,
        claims=claims,
        signed=text[: found.end(2)],
        signature=_bytes(found[3], "signature"),
    )


def _decoded(part: bytes, name: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(_bytes(part, name), type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise bad_token(f"its {name} is not the JSON of a token") from None


def _bytes(part: bytes, name: str) -> bytes:
    try:
        return urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except Error:
        raise bad_token(f"its {name} is not base64") from None
