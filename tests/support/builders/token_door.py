"""Clients that identify themselves with signed tokens, as a gateway checks them."""

from collections.abc import Mapping

import pytest
from tests.support.builders.tokens import AUDIENCE, ISSUER, SECRET, Signer, key_set

from claude_gateway.contract.client import Client, ClusterIssuer, TokenRule
from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.gateway.auth.callers import Callers
from claude_gateway_proxy.gateway.auth.issuers import Issuers
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.auth.tokens import Tokens
from claude_gateway_proxy.gateway.errors import Failure

KEYS_URL = f"{ISSUER}/keys"
RULE = TokenRule(issuer=ISSUER, jwks_url=KEYS_URL, audiences=(AUDIENCE,))
DEV = Client(name="ns/dev", tokens=(RULE,))


class Idp:
    """The documents of issuers by URL; ``asked`` are the URLs that were fetched."""

    def __init__(self, documents: Mapping[str, bytes] | None = None) -> None:
        """Serve these documents."""
        self.documents = dict(documents or {})
        self.asked: list[str] = []

    async def fetch(self, url: str, _: Egress) -> bytes:
        """Return a document. Raises OSError if there is none."""
        self.asked.append(url)
        if url not in self.documents:
            raise OSError("nobody answers")
        return self.documents[url]


class Door:
    """A gateway's callers and its memory of issuers, with a clock that tests move."""

    def __init__(self, *clients: Client, idp: Idp, cluster: ClusterIssuer | None = None) -> None:
        """Accept the tokens of these clients."""
        tokens = Tokens.of(clients, secrets={"secret": SECRET}, cluster=cluster, egress=Egress())
        self.callers = Callers(keys={}, tokens=tokens)
        self.now = 1000.0
        self.issuers = Issuers(idp.fetch, clock=lambda: self.now)

    async def open(self, token: str) -> Principal:
        """Return who presents a token."""
        headers = {b"authorization": b"Bearer " + token.encode()}
        return await self.callers.identify(headers, self.issuers)

    async def refusal(self, token: str, status: int = 401) -> str:
        """Return why a token is refused."""
        with pytest.raises(Failure) as caught:
            await self.open(token)
        assert caught.value.status == status
        return caught.value.message


def door_of(*signers: Signer, rule: TokenRule = RULE) -> Door:
    """Return a door for one client, whose issuer has the keys of these signers."""
    return Door(Client(name="ns/dev", tokens=(rule,)), idp=Idp({KEYS_URL: key_set(*signers)}))
