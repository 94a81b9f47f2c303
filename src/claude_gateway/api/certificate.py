"""Client certificates that identify a client: the names that people issue them for."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final

from pydantic import Field

from claude_gateway.api.base import Spec
from claude_gateway.api.proof import TEXT, KeyHash
from claude_gateway.api.rule import Rule, matches

_URI: Final = r"^[a-z][a-z0-9+.-]*:([!-)+-~]+|//[!-)+-.0-~]+/([!-)+-~]*/)?[*])$"
_EMAIL: Final = r"^[!-?A-~]+@[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?$"
_DNS: Final = r"^[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"

CertificateUri = Annotated[
    str,
    Field(min_length=3, max_length=256),
    matches(
        _URI,
        wrong="not a URI",
        fix="write it as certificates have it, such as `spiffe://example.org/ns/team-a/sa/ci`; `*` may follow the last "
        "slash of a path, as in `spiffe://example.org/ns/team-a/*`",
    ),
]
CertificateEmail = Annotated[
    str,
    Field(min_length=3, max_length=254),
    matches(_EMAIL, wrong="not an e-mail address", fix="write one address, such as `alice@example.com`"),
]
CertificateDns = Annotated[
    str,
    Field(min_length=1, max_length=253),
    matches(_DNS, wrong="not a DNS name", fix="write one name without `*`, such as `build.example.com`"),
]
CommonName = Annotated[
    str,
    Field(min_length=1, max_length=64),
    matches(TEXT, wrong="not plain text", fix="write printable ASCII without spaces at the ends"),
]


class Certificate(Spec):
    """Client certificates that identify the client: by one name in them, or one certificate by its fingerprint."""

    uri: CertificateUri | None = Field(
        default=None,
        description=(
            "A URI among the alternative names, such as the SPIFFE ID `spiffe://example.org/ns/team-a/sa/ci`. With "
            "`/*` at the end: every URI that begins like it."
        ),
    )
    email: CertificateEmail | None = Field(
        default=None, description="An e-mail address among the alternative names, such as `alice@example.com`."
    )
    dns: CertificateDns | None = Field(
        default=None, description="A DNS name among the alternative names, such as `build.example.com`."
    )
    common_name: CommonName | None = Field(default=None, description="The common name (CN) of the subject.")
    fingerprint: KeyHash | None = Field(
        default=None,
        description=(
            "SHA-256 of one certificate as `sha256:HEX`, as `openssl x509 -in FILE -outform DER | sha256sum` prints it."
        ),
    )
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="[has(self.uri), has(self.email), has(self.dns), has(self.commonName), has(self.fingerprint)]"
            ".filter(x, x).size() == 1",
            holds=lambda certificate: len(tuple(certificate.names)) == 1,
            wrong="the certificates are not named in exactly one way",
            fix="set one of `uri`, `email`, `dns`, `commonName` and `fingerprint`",
        ),
    )

    @property
    def names(self) -> Iterator[tuple[str, str]]:
        """The fields that are set, as users write their names, and their values."""
        fields = {
            "uri": self.uri,
            "email": self.email,
            "dns": self.dns,
            "commonName": self.common_name,
            "fingerprint": self.fingerprint,
        }
        return ((name, value) for name, value in fields.items() if value is not None)
