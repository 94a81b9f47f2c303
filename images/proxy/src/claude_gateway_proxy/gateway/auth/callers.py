"""All callers, by every kind of proof: a key, a token or a certificate."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from claude_gateway.contract.client import Client
from claude_gateway_proxy.gateway.auth import jws, keys
from claude_gateway_proxy.gateway.auth.certificates import Certificates
from claude_gateway_proxy.gateway.auth.issuers import Issuers
from claude_gateway_proxy.gateway.auth.keys import Headers, PersonalKey
from claude_gateway_proxy.gateway.auth.presented import Presented
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.auth.spellings import holds_key
from claude_gateway_proxy.gateway.auth.tokens import Tokens
from claude_gateway_proxy.gateway.errors import bad_certificate, bad_key, bad_token, no_keys


@dataclass(frozen=True, slots=True)
class Callers:
    """The callers of one snapshot. ``keys`` are clients by the SHA-256 (hex) of their key.

    A new kind of proof is one more field here and one more module beside ``keys``.
    """

    keys: Mapping[str, Client | PersonalKey] = field(repr=False)
    tokens: Tokens = field(default_factory=Tokens, repr=False)
    certificates: Certificates = field(default_factory=Certificates, repr=False)

    def __bool__(self) -> bool:
        """Whether anybody can call at all."""
        return bool(self.keys) or bool(self.tokens) or bool(self.certificates)

    async def identify(
        self, headers: Mapping[bytes, bytes], issuers: Issuers, *, shown: Presented | None = None
    ) -> Principal:
        """Return who sent a request with these headers (lower-case names) and the certificate that was presented.

        A key or token takes precedence over a certificate, so that a wrong one is never overlooked. Keys are looked up
        by SHA-256, so that no comparison handles the bytes of a key. Raises Failure: 401 for a stranger, 503 if the
        keys that verify a token cannot be fetched.
        """
        if not self:
            raise no_keys()
        sent = keys.sent_key(headers)
        if shown is not None and (not sent or sent == keys.CERTIFICATE):
            return self.certificates.identify(shown)
        if sent == keys.CERTIFICATE:
            raise bad_certificate("it came without one that the gateway, or a proxy that it trusts, has verified")
        if not sent or len(sent) > jws.LONGEST:
            raise bad_key()
        digest = sha256(sent).hexdigest()
        found = self.keys.get(digest) if len(sent) <= keys.LONGEST_KEY else None
        if found is not None:
            return keys.holder(found)
        known = self.tokens.known(digest)
        if known is not None:
            return known
        if not jws.looks_like_token(sent):
            raise bad_key()
        if not self.tokens:
            raise bad_token("no GatewayClient of this gateway lists `jwt` or `serviceAccounts`")
        return await self.tokens.identify(sent, digest, issuers)

    def __contains__(self, digest: object) -> bool:
        """Whether a SHA-256 (hex) is that of a key, or of a token that was verified a short time ago."""
        return digest in self.keys or digest in self.tokens.kept

    def own_login(self, headers: Headers) -> Headers:
        """Return the headers with the caller's own login at the upstream; none that contains a key of this gateway."""
        return keys.own_login(headers, self)

    def holds_key(self, value: bytes, *, headers: Headers) -> bool:
        """Whether a value contains a key of this gateway: that of the request with these ``headers``, or another."""
        return holds_key(value, sent=keys.secret_key(dict(headers)), keys=self)
