"""Certificates of upstreams are checked, and a private CA can be named."""

import asyncio
import datetime
import os
import ssl
import sys
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.support.inprocess import Upstream, whole

# The library reads the variable once, when it is imported: hence a process of its own.
_CHILD = """
import asyncio, sys
from multidict import CIMultiDict
from yarl import URL
from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.gateway.relay.session import Upstreams

async def main():
    upstreams = Upstreams(Egress(loopback=True))
    try:
        response = await upstreams.send(URL(sys.argv[1]), headers=CIMultiDict(), body=b"{}")
        print((await response.read()).decode())
    except Exception as error:
        print(type(error).__name__)
    finally:
        await upstreams.close()

asyncio.run(main())
"""


def _self_signed(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that is its own CA, in one file with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "upstream")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "upstream.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*plain))
    return path


@pytest.mark.parametrize(("trusted", "printed"), [(True, '{"ok":1}'), (False, "ClientConnectorCertificateError")])
async def test_a_certificate_counts_only_if_its_ca_is_named(tmp_path: Path, trusted: bool, printed: str) -> None:
    pem = _self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    up = Upstream([whole(b'{"ok":1}')])
    server = await asyncio.start_server(up.serve, "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    environment = {name: value for name, value in os.environ.items() if name != "SSL_CERT_FILE"}
    if trusted:
        environment["SSL_CERT_FILE"] = str(pem)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _CHILD, url, env=environment, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await child.communicate()
    server.close()
    assert output.decode().strip() == printed
    assert len(up.seen) == int(trusted)
