"""Everybody who may call, in whatever way they prove who they are. Today that is a client key."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from claude_gateway.contract.policy import Client
from claude_gateway_proxy.gateway.auth import keys
from claude_gateway_proxy.gateway.auth.keys import Headers
from claude_gateway_proxy.gateway.auth.spellings import holds_key


@dataclass(frozen=True, slots=True)
class Callers:
    """The callers of one snapshot. ``keys`` are clients by the SHA-256 (hex) of their key.

    One more kind of proof is one more field here and one more module beside ``keys``.
    """

    keys: Mapping[str, Client] = field(repr=False)

    def __bool__(self) -> bool:
        """Whether anybody can call at all."""
        return bool(self.keys)

    def identify(self, headers: Mapping[bytes, bytes]) -> Client:
        """Return who sent a request with these headers (lower-case names). Raises Failure (401) for a stranger."""
        return keys.identify(headers, self.keys)

    def own_login(self, headers: Headers) -> Headers:
        """Return the headers with the caller's own login at the upstream; none that holds a key of this gateway."""
        return keys.own_login(headers, self.keys)

    def holds_key(self, value: bytes, *, headers: Headers) -> bool:
        """Whether a value holds a key of this gateway: that of the request with these ``headers``, or another's."""
        return holds_key(value, sent=keys.sent_key(dict(headers)), keys=self.keys)
