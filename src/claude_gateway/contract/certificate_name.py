"""Names in client certificates, in the one spelling that the planner writes and the gateway compares."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from claude_gateway.contract.base import Contract

STAR: Final = "*"
"""The end of a URI that stands for every URI with this prefix."""

SPIFFE: Final = "spiffe://"
NAMESPACE: Final = "ns"
"""The path segment before a namespace. Source: SPIFFE IDs as Istio, Linkerd and SPIRE issue them in Kubernetes."""

_AUTHORITY: Final = "://"


class NameKind(StrEnum):
    """What of a certificate identifies a client: a name in it, or the SHA-256 of the whole as ``sha256:HEX``."""

    URI = "uri"
    EMAIL = "email"
    DNS = "dns"
    COMMON_NAME = "commonName"
    FINGERPRINT = "fingerprint"


class CertificateName(Contract):
    """A name in client certificates; a URI that ends with ``/*`` stands for every URI with this prefix."""

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


def namespace_of_pods(uri: str) -> str | None:
    """Return the namespace whose pods have a SPIFFE ID; None for every other URI."""
    if not uri.startswith(SPIFFE):
        return None
    match uri.removeprefix(SPIFFE).split("/", 3):
        case [_, segment, namespace, *_] if segment == NAMESPACE:
            return namespace
    return None
