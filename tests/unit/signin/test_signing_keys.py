"""Signing keys that cannot be used are named, and never shown."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from claude_gateway_auth.devices.tokens import Issuer, SigningKeyError


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, *, password: bytes = b"") -> str:
    encryption: KeySerializationEncryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()


GOOD = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no private key"),
        ("secret-0123456789", "holds no private key"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "key 1 is not a private key"),
        (pem(GOOD, password=b"secret"), "key 1 is not a private key without a password"),
        (pem(GOOD) + pem(ec.generate_private_key(ec.SECP384R1())), "key 2 is not on the curve P-256"),
        (pem(rsa.generate_private_key(65_537, 2048)), "key 1 is not on the curve P-256: make one with `openssl"),
    ],
)
def test_what_is_wrong_with_a_key(text: str, why: str) -> None:
    with pytest.raises(SigningKeyError, match=why) as raised:
        Issuer(text, name="https://i", audience="a", seconds=60)
    assert "secret" not in str(raised.value)


def test_the_public_keys_hold_nothing_private() -> None:
    (key,) = Issuer(pem(GOOD), name="https://i", audience="a", seconds=60).key_set()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
