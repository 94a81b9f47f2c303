"""Names in client certificates, in the one spelling that the planner writes and the gateway compares."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from claude_gateway.contract.base import Contract

STAR: Final = "*"
"""Ends a URI that stands for every URI that begins like it."""

_AUTHORITY: Final = "://"


class NameKind(StrEnum):
    """What of a certificate identifies a client: a name in it, or the SHA-256 of the whole as ``sha256:HEX``."""

    URI = "uri"
    EMAIL = "email"
    DNS = "dns"
    COMMON_NAME = "commonName"
    FINGERPRINT = "fingerprint"


class CertificateName(Contract):
    """A name of client certificates; a URI that ends with ``/*`` stands for every URI that begins like it."""

    kind: NameKind
    value: str


def spelled(kind: NameKind, value: str) -> str:
    """Return a name as it is compared: hosts in lower case."""
    if kind is NameKind.DNS:
        return value.lower()
    if kind is NameKind.EMAIL:
        person, at, host = value.rpartition("@")
        return f"{person}{at}{host.lower()}"
    return value


def patterns(uri: str) -> Iterator[str]:
    """Yield the patterns that match a URI, or all that a pattern matches: one for each slash behind the host."""
    text = uri.removesuffix(STAR)
    scheme = text.find(_AUTHORITY)
    slash = text.find("/", scheme + len(_AUTHORITY)) if scheme >= 0 else -1
    while slash >= 0:
        yield f"{text[: slash + 1]}{STAR}"
        slash = text.find("/", slash + 1)
