"""What it costs to say whose a request is, without a network: by key, token and certificate among 10,000 clients."""

import asyncio
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from tests.bench.report import Row
from tests.support.builders.certificates import Authority, email
from tests.support.builders.tokens import AUDIENCE, ISSUER, Signer, key_set

from claude_gateway.contract.certificate_name import CertificateName, NameKind
from claude_gateway.contract.client import Client, TokenRule
from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.gateway.auth.callers import Callers
from claude_gateway_proxy.gateway.auth.certificates import Certificates
from claude_gateway_proxy.gateway.auth.issuers import Issuers
from claude_gateway_proxy.gateway.auth.presented import Form, Presented
from claude_gateway_proxy.gateway.auth.tokens import Tokens

CLIENTS: Final = 10_000
_ROUNDS: Final = 5_000
_MILLISECONDS: Final = 0.1
_URL: Final = f"{ISSUER}/keys"


def rows() -> list[Row]:
    """Return the cost of each kind of proof, once it is known, and of the first verification of a token."""
    return asyncio.run(_rows())


async def _rows() -> list[Row]:
    signer = Signer.of("RS256")
    rule = TokenRule(issuer=ISSUER, jwks_url=_URL, audiences=(AUDIENCE,))
    name = CertificateName(kind=NameKind.EMAIL, value="alice@example.com")
    person = Client(name="ns/person", tokens=(rule,), certificates=(name,))
    keys = {sha256(_key(number)).hexdigest(): Client(name=f"ns/{number}") for number in range(CLIENTS)}
    tokens = Tokens.of([person], secrets={}, cluster=None, egress=Egress())
    callers = Callers(keys=keys, tokens=tokens, certificates=Certificates.of([person], release="ns"))

    async def fetch(_: str, __: Egress) -> bytes:
        return key_set(signer)

    issuers = Issuers(fetch)
    token = {b"authorization": b"Bearer " + signer.token().encode()}
    began = time.perf_counter()
    await callers.identify(token, issuers)
    first = (time.perf_counter() - began) * 1e3
    shown = Presented(Form.DER, Authority().issue(email("alice@example.com")).der)
    found = {
        "key": await _spent(callers, issuers, {b"x-api-key": _key(CLIENTS // 2)}),
        "token": await _spent(callers, issuers, token),
        "certificate": await _spent(callers, issuers, {}, shown),
    }
    return [
        Row(
            f"Identity of a request among {CLIENTS:,} clients, by key, by token, by certificate",
            f"≤ {_MILLISECONDS} ms each",
            ", ".join(f"{spent * 1e3:.1f} us" for spent in found.values()) + f"; a token's first time {first:.2f} ms",
            max(found.values()) <= _MILLISECONDS,
        )
    ]


async def _spent(
    callers: Callers, issuers: Issuers, headers: Mapping[bytes, bytes], shown: Presented | None = None
) -> float:
    """Return the milliseconds that one identification takes."""
    await callers.identify(headers, issuers, shown=shown)
    began = time.perf_counter()
    for _ in range(_ROUNDS):
        await callers.identify(headers, issuers, shown=shown)
    return (time.perf_counter() - began) * 1e3 / _ROUNDS


def _key(number: int) -> bytes:
    return b"cgw_bench_%040d" % number
