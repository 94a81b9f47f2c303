"""Certificates of the tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_SIGNS: Final = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def self_signed(*hosts: str) -> tuple[bytes, bytes]:
    """A certificate for hosts or IP addresses that is its own authority, good for a day, and its key; both in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    # A common name has 64 characters at most.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0][:64])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([_named(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        # Both are asked of an authority by Python 3.13 and later.
        .add_extension(_SIGNS, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM), _pem(key)


def signing_key() -> str:
    """A private key on the curve P-256, in PEM, such as signs the tokens of people who sign in at the gateway."""
    return _pem(ec.generate_private_key(ec.SECP256R1())).decode()


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _named(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key, in PEM, and the certificate in DER."""

    pem: bytes
    key: bytes
    der: bytes

    @property
    def fingerprint(self) -> str:
        """Its SHA-256, as a GatewayClient has it."""
        return f"sha256:{sha256(self.der).hexdigest()}"

    def files(self, folder: Path, name: str = "client") -> tuple[Path, Path]:
        """Write both into files."""
        cert, key = folder / f"{name}.crt", folder / f"{name}.key"
        cert.write_bytes(self.pem)
        key.write_bytes(self.key)
        return cert, key


class Authority:
    """An authority that issues certificates of clients, and revokes them."""

    def __init__(self, name: str = "clients", *, parent: "Authority | None" = None) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(name)
        signer, issuer = (self._key, self.name) if parent is None else (parent._key, parent.name)
        key = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        builder = _builder(self.name, issuer, self._key).add_extension(key, critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.pem = builder.add_extension(_SIGNS, critical=True).sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM)

    def issue(
        self,
        *names: x509.GeneralName,
        common: Sequence[str] = ("alice",),
        days: tuple[float, float] = (-1, 1),
        usage: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.CLIENT_AUTH,
    ) -> Issued:
        """Issue a certificate with alternative names, valid between two times in days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(*common), self.name, key, days=days)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Issued(signed.public_bytes(Encoding.PEM), private, signed.public_bytes(Encoding.DER))

    def revocations(self, *revoked: Issued) -> bytes:
        """The list of the certificates that the authority revoked, in PEM."""
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        builder = builder.last_update(now - timedelta(days=1)).next_update(now + timedelta(days=1))
        for each in revoked:
            number = x509.load_der_x509_certificate(each.der).serial_number
            entry = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now - timedelta(hours=1))
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)


def uri(text: str) -> x509.GeneralName:
    """A URI among the alternative names."""
    return x509.UniformResourceIdentifier(text)


def email(text: str) -> x509.GeneralName:
    """An e-mail address among the alternative names."""
    return x509.RFC822Name(text)


def dns(text: str) -> x509.GeneralName:
    """A DNS name among the alternative names."""
    return x509.DNSName(text)


def _name(*common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each) for each in common])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, days: tuple[float, float] = (-1, 1)
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now + timedelta(days=days[0])).not_valid_after(now + timedelta(days=days[1]))
