"""The names in a client certificate, read within bounds.

Nothing is verified here: the gateway, or the proxy in front of it, did that when it terminated TLS.
"""

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from claude_gateway.contract.certificate_name import NameKind, spelled

LONGEST: Final = 16 * 1024
"""The largest certificate, or header with one, in bytes; a certificate with an RSA key of 4096 bits has about 2 KB."""

_MOST_NAMES: Final = 64
_LONGEST_NAME: Final = 256
_SPIFFE: Final = "spiffe://"
_UNREADABLE: Final = "it is not a certificate that can be read"


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate's names as the gateway compares them, its fingerprint among them; ``until`` is in Unix time."""

    names: tuple[tuple[NameKind, str], ...]
    until: float = math.inf

    @property
    def user(self) -> str:
        """The holder, if only the fingerprint of the certificate identifies the client: the first name, or empty."""
        return next((value for kind, value in self.names if kind is not NameKind.FINGERPRINT), "")


def read_der(der: bytes) -> Identity:
    """Read a certificate. Raises ValueError with the reason if it cannot be used."""
    if len(der) > LONGEST:
        raise ValueError(f"it has more than {LONGEST} bytes")
    try:
        with warnings.catch_warnings():
            # The library warns about unusual certificates on standard error, which strangers could fill.
            warnings.simplefilter("ignore")
            certificate = x509.load_der_x509_certificate(der)
            until = certificate.not_valid_after_utc.timestamp()
            common = [str(each.value) for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
            found = _alternatives(certificate)
    except (ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise ValueError(_UNREADABLE) from None
    # With several common names it is unknown which of them the authority checked.
    found += [(NameKind.COMMON_NAME, name) for name in common if len(common) == 1]
    return identity(found, fingerprint=sha256(der).hexdigest(), until=until)


def identity(found: Iterable[tuple[NameKind, str]], *, fingerprint: str | None, until: float = math.inf) -> Identity:
    """Return the identity with these names; ``fingerprint`` is in hex. Raises ValueError if there are too many.

    A name that nobody could list, because it is long or not plain text, is left out.
    """
    listed = list(found)
    if len(listed) > _MOST_NAMES:
        raise ValueError(f"it has more than {_MOST_NAMES} names")
    uris = [value for kind, value in listed if kind is NameKind.URI]
    if len(uris) > 1 and any(uri.lower().startswith(_SPIFFE) for uri in uris):
        # Source: SPIFFE X.509-SVID, 2.
        raise ValueError("it has a SPIFFE ID beside another URI")
    names = [(kind, spelled(kind, value)) for kind, value in listed if _is_usable(value)]
    if fingerprint is not None:
        names.append((NameKind.FINGERPRINT, f"sha256:{fingerprint}"))
    return Identity(tuple(names), until)


def _alternatives(certificate: x509.Certificate) -> list[tuple[NameKind, str]]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [
        *((NameKind.URI, name) for name in names.get_values_for_type(x509.UniformResourceIdentifier)),
        *((NameKind.EMAIL, name) for name in names.get_values_for_type(x509.RFC822Name)),
        *((NameKind.DNS, name) for name in names.get_values_for_type(x509.DNSName)),
    ]


def _is_usable(name: str) -> bool:
    return 0 < len(name) <= _LONGEST_NAME and name.isascii() and name.isprintable()
