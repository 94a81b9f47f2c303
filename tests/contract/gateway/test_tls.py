"""HTTPS on a port of its own, with a certificate that is renewed while the gateway runs."""

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from tests.support.builders.bundles import bundle
from tests.support.processes.lone_gateway import LoneGateway
from tests.support.processes.waiting import until

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def ec_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def rsa_key() -> Key:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certify(folder: Path, name: str, key: Key) -> tuple[Path, Path]:
    """Write a self-signed certificate and its key, each swapped in by one rename."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return put(folder / "tls.crt", certificate), put(folder / "tls.key", private)


def put(path: Path, data: bytes) -> Path:
    scratch = path.with_suffix(".new")
    scratch.write_bytes(data)
    return scratch.rename(path)


def address(gateway: LoneGateway) -> tuple[str, int]:
    lines = until(lambda: [line for line in gateway.process.lines("listening") if line["tls"]], what="HTTPS")
    host, _, port = str(lines[0]["address"]).rpartition(":")
    return host, int(port)


def shown(where: tuple[str, int], *, name: str | None = None) -> str:
    """The common name of the certificate that a new handshake shows; a request must be answered, too."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(where, timeout=30) as plain, context.wrap_socket(plain, server_hostname=name) as tls:
        tls.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert tls.recv(65536).startswith(b"HTTP/1.1 200 OK")
        der = tls.getpeercert(binary_form=True)
    assert der is not None
    return str(x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def test_a_renewed_certificate_is_shown_to_new_connections_and_a_broken_one_is_not(tmp_path: Path) -> None:
    cert, key = certify(tmp_path, "first", rsa_key())
    with LoneGateway(bundle(), tls_cert_file=cert, tls_key_file=key) as gateway:
        where = address(gateway)
        assert shown(where) == shown(where, name="gateway.example") == "first"
        # Of another key type: the old one must not be left in use beside it.
        certify(tmp_path, "second", ec_key())
        until(lambda: shown(where) == "second", what="the second certificate")
        assert shown(where, name="gateway.example") == "second"
        put(key, rsa_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        gateway.event("certificate_refused")
        assert shown(where) == "second"
        cert.unlink()
        until(lambda: len(gateway.process.lines("certificate_refused")) == 2, what="the loss of the file")
        assert shown(where) == "second"
        certify(tmp_path, "third", rsa_key())
        until(lambda: shown(where) == "third", what="the third certificate")
        assert "PRIVATE KEY" not in gateway.process.output


def test_plain_http_and_https_are_served_side_by_side_and_not_on_one_port(tmp_path: Path) -> None:
    cert, key = certify(tmp_path, "only", ec_key())
    with LoneGateway(bundle(), tls_cert_file=cert, tls_key_file=key) as gateway:
        assert gateway.call("GET", "/healthz").status == 200
        with pytest.raises((ssl.SSLError, ConnectionError)):
            shown((gateway.address.rpartition(":")[0], int(gateway.address.rpartition(":")[2])))
        with socket.create_connection(address(gateway), timeout=30) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            try:
                answer = connection.recv(65536)
            except ConnectionError:
                answer = b""
        assert b"200 OK" not in answer


def test_a_certificate_that_cannot_be_used_at_start_is_an_error(tmp_path: Path) -> None:
    cert, key = certify(tmp_path, "only", ec_key())
    put(key, b"nonsense")
    gateway = LoneGateway(bundle(), tls_cert_file=cert, tls_key_file=key)
    try:
        assert gateway.process.wait() == 1
        assert "tls.key" in gateway.event("start_failed")["error"]
    finally:
        gateway.close()
