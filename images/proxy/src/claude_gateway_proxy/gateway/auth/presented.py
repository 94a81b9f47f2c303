"""Certificates as requests present them: from the gateway's own TLS, or in a header of a proxy in front of it.

The forms of the header are RFC 9440's ``Client-Cert``, Envoy's ``x-forwarded-client-cert`` (XFCC), and PEM with percent
encoding as nginx, AWS's load balancers and Traefik write it.
"""

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from claude_gateway.contract.certificate_name import NameKind
from claude_gateway_proxy.gateway.auth import identity
from claude_gateway_proxy.gateway.auth.identity import LONGEST, Identity
from claude_gateway_runtime.asgi import PEER_CERTIFICATE, Scope

FORWARDED: Final = "forwarded_certificate"
"""The key of a scope under which a trusted proxy's certificate for its client is: a Presented, or None without one."""

_ITEM: Final = re.compile(rb":([A-Za-z0-9+/]*={0,2}):")
"""A byte sequence. Source: RFC 8941, 3.3.5."""

_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_END: Final = b"-----END CERTIFICATE-----"
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/=]+")
_PAIR: Final = re.compile(r"([A-Za-z]{1,16})=(?:\"((?:[^\"\\]|\\.)*)\"|([^\",;]*))([,;]|$)")
_ESCAPED: Final = re.compile(r"\\(.)")
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")


class Form(StrEnum):
    """How a certificate is written."""

    DER = "der"
    RFC9440 = "rfc9440"
    XFCC = "xfcc"
    PEM = "pem"


@dataclass(frozen=True, slots=True)
class Presented:
    """A verified certificate as a request presents it, not parsed yet; ``wrong`` says why it must not be used."""

    form: Form
    data: bytes = field(repr=False)
    wrong: str = ""

    def read(self) -> Identity:
        """Read the certificate. Raises ValueError with the reason if it cannot be used."""
        if self.wrong:
            raise ValueError(self.wrong)
        if self.form is Form.DER:
            return identity.read_der(self.data)
        if len(self.data) > LONGEST:
            raise ValueError(f"its header has more than {LONGEST} bytes")
        if self.form is Form.XFCC:
            return _xfcc(self.data)
        return identity.read_der(_item(self.data) if self.form is Form.RFC9440 else _pem(self.data))


def presented(scope: Scope) -> Presented | None:
    """Return the certificate of a request's client, if it has one that was verified.

    The certificate of a connection from a trusted proxy is the proxy's own, and never its client's.
    """
    if FORWARDED in scope:
        found: Any = scope[FORWARDED]
        return found if isinstance(found, Presented) else None
    der = scope.get(PEER_CERTIFICATE)
    return None if der is None else Presented(Form.DER, der)


def _item(value: bytes) -> bytes:
    match = _ITEM.fullmatch(value.strip())
    if match is None:
        raise ValueError("its header is not one byte sequence of RFC 9440, such as `:MII...:`")
    return _decoded(match[1])


def _pem(value: bytes) -> bytes:
    """Return the DER of one certificate in PEM; its first and last line are optional."""
    text = unquote_to_bytes(value).strip()
    if text.startswith(_BEGIN) and text.endswith(_END):
        text = text[len(_BEGIN) : -len(_END)]
    text = b"".join(text.split())
    if _BASE64.fullmatch(text) is None:
        raise ValueError("its header is not one certificate in PEM, with percent encoding")
    return _decoded(text)


def _decoded(text: bytes) -> bytes:
    try:
        return b64decode(text, validate=True)
    except Error:
        raise ValueError("its header is not valid base64") from None


def _xfcc(value: bytes) -> Identity:
    """Read the one element of XFCC: its certificate if it has one, else the names that it lists.

    A proxy that appends to a header adds a second element, and the client may have written the first one. Envoy writes
    URIs unescaped, so a URI may look like further pairs: the hash, which comes before, shows whether a certificate is
    the client's.
    """
    pairs = list(_pairs(value.decode("latin-1")))
    hashes = [text.lower() for name, text in pairs if name == "hash"]
    if len(hashes) > 1 or not all(_FINGERPRINT.fullmatch(each) for each in hashes):
        raise ValueError("its header does not have one hash, the SHA-256 of the certificate")
    whole = [text for name, text in pairs if name == "cert"]
    if whole:
        der = _pem(whole[0].encode("latin-1"))
        if len(whole) > 1 or hashes != [sha256(der).hexdigest()]:
            raise ValueError("its header has two certificates, or one without its hash")
        return identity.read_der(der)
    found = [(NameKind.URI, text) for name, text in pairs if name == "uri"]
    found += [(NameKind.DNS, text) for name, text in pairs if name == "dns"]
    return identity.identity(found, fingerprint=hashes[0] if hashes else None)


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield the pairs of one element, names in lower case. Raises ValueError for two elements, or none."""
    position = 0
    while position < len(text):
        match = _PAIR.match(text, position)
        if match is None:
            raise ValueError("its header is not XFCC")
        name, quoted, bare, end = match.groups()
        if end == ",":
            raise ValueError("its header has several elements: have the proxy set it instead of appending to it")
        yield name.lower(), bare if quoted is None else _ESCAPED.sub(r"\1", quoted)
        position = match.end()
