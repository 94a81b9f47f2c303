"""Forged and malformed tokens, and the keys that verify signatures."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.support.builders import tokens as build
from tests.support.builders.token_door import DEV, KEYS_URL, Door, Idp, door_of
from tests.support.builders.tokens import Signer, key_set, valid

from claude_gateway.contract.client import Client, TokenRule
from claude_gateway_proxy.gateway.auth import jws


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", "HS512", "RS1", "ES256K", "A128KW"])
@pytest.mark.parametrize("signature", [b"", b"x"])
async def test_an_unsigned_token_is_refused(algorithm: str, signature: bytes) -> None:
    door = door_of(Signer.of("RS256"))
    await door.refusal(build.raw({"alg": algorithm, "kid": "k1"}, valid(), signature))


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
async def test_a_public_key_is_never_a_secret(encoding: Encoding) -> None:
    signer = Signer.of("RS256")
    public = signer.private.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    unsigned = build.raw({"alg": "HS256", "kid": "k1"}, valid()).rstrip(".")
    for key in (public, public.strip(), json.dumps(signer.jwk()).encode()):
        mac = hmac.new(key, unsigned.encode(), hashlib.sha256).digest()
        forged = f"{unsigned}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
        with_secret = TokenRule(secret="secret")
        for door in (door_of(signer), Door(DEV, Client(name="ns/old", tokens=(with_secret,)), idp=Idp())):
            assert "signature" in await door.refusal(forged)


async def test_a_key_of_one_kind_verifies_no_other_algorithm() -> None:
    for mine, other in (("ES256", "ES384"), ("RS256", "ES256"), ("EdDSA", "RS256")):
        forged = Signer.of(mine).token()
        assert "signature" in await door_of(Signer.of(other)).refusal(forged)


async def test_a_key_verifies_only_the_algorithm_that_its_issuer_declares() -> None:
    signer = Signer.of("RS256")
    idp = Idp({KEYS_URL: json.dumps({"keys": [signer.jwk(alg="PS256")]}).encode()})
    door = Door(DEV, idp=idp)
    assert "signature" in await door.refusal(signer.token())
    assert (await door.open(Signer("k1", "PS256", signer.private).token())).user == "alice"


@pytest.mark.parametrize(
    "key_id",
    [
        "../../../../dev/null",
        "https://evil.example/keys",
        "file:///etc/passwd",
        "x' UNION SELECT 'secret",
        "k1\x00",
        "",
        "x" * 257,
        {"k": 1},
        ["k1"],
        1,
    ],
)
async def test_a_key_id_is_only_a_name(key_id: object) -> None:
    signer = Signer.of("ES256")
    idp = Idp({KEYS_URL: key_set(signer)})
    door = Door(DEV, idp=idp)
    signed = build.raw({"alg": "ES256", "kid": key_id}, valid()).rstrip(".").encode()
    signature = jws._ALGORITHMS["ES256"].sign(signed, signer.private)
    await door.refusal(f"{signed.decode()}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}")
    assert set(idp.asked) <= {KEYS_URL}


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c"])
async def test_where_a_header_says_that_its_key_is_does_not_matter(name: str) -> None:
    mine, evil = Signer.of("RS256"), Signer.of("RS256", "evil")
    value = evil.jwk() if name == "jwk" else ["MIIB"] if name == "x5c" else "https://evil.example/keys"
    idp = Idp({KEYS_URL: key_set(mine), "https://evil.example/keys": key_set(evil)})
    door = Door(DEV, idp=idp)
    for key_id in ("k1", "evil"):
        await door.refusal(evil.token(headers={name: value, "kid": key_id}))
    assert (await door.open(mine.token(headers={name: value}))).user == "alice"
    assert set(idp.asked) == {KEYS_URL}


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"crit": []}, {"b64": False, "crit": ["b64"]}])
async def test_an_extension_that_must_be_understood_is_refused(header: dict[str, object]) -> None:
    signer = Signer.of("ES256")
    text = build.raw({"alg": "ES256", "kid": "k1", **header}, valid(), b"x")
    assert "extensions" in await door_of(signer).refusal(text)


def _deep(text: bytes) -> bytes:
    return b'{"a":' + text * 5000


@pytest.mark.parametrize("payload", [_deep(b"["), _deep(b'{"a":'), b"[]", b"1", b"null", b'"x"', b"{", b"\xff", b""])
async def test_a_payload_that_is_not_the_json_of_a_token_is_refused(payload: bytes) -> None:
    await door_of(Signer.of("ES256")).refusal(build.raw({"alg": "ES256"}, payload, b"x"))
    await door_of(Signer.of("ES256")).refusal(build.raw(payload, {"exp": 1}, b"x"))


async def test_a_huge_token_is_refused_unread() -> None:
    signer = Signer.of("ES256")
    idp = Idp({KEYS_URL: key_set(signer)})
    huge = signer.token(groups=["x" * 100] * 200)
    assert len(huge) > jws.LONGEST
    await Door(DEV, idp=idp).refusal(huge)
    assert idp.asked == []


async def test_what_was_changed_after_signing_is_refused() -> None:
    signer = Signer.of("RS256")
    header, _, signature = signer.token().split(".")
    payload = base64.urlsafe_b64encode(json.dumps(valid(sub="root")).encode()).rstrip(b"=").decode()
    for text in (f"{header}.{payload}.{signature}", f"{header}.{payload}.", f"{header}.{payload}.{signature[:-4]}"):
        assert "signature" in await door_of(signer).refusal(text)


@pytest.mark.parametrize(
    "entry",
    [
        {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"},
        {"kty": "RSA", "use": "enc"},
        {"kty": "RSA", "key_ops": ["encrypt"]},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": ["RSA"]},
        {},
    ],
)
async def test_a_key_that_signs_no_tokens_is_left_out(entry: dict[str, Any]) -> None:
    signer = Signer.of("RS256")
    whole = {**signer.jwk(), **entry} if entry.get("kty") == "RSA" and "n" not in entry else {"kid": "k1", **entry}
    alone = Door(DEV, idp=Idp({KEYS_URL: json.dumps({"keys": [whole]}).encode()}))
    assert "cannot be fetched" in await alone.refusal(signer.token(), 503)
    both = Door(DEV, idp=Idp({KEYS_URL: json.dumps({"keys": [whole, "x", signer.jwk()]}).encode()}))
    assert (await both.open(signer.token())).user == "alice"


async def test_a_short_key_is_left_out() -> None:
    weak = Signer("k1", "RS256", rsa.generate_private_key(65_537, 1024))
    door = Door(DEV, idp=Idp({KEYS_URL: key_set(weak)}))
    with pytest.warns(match="key"):
        token = weak.token()
    assert "cannot be fetched" in await door.refusal(token, 503)
