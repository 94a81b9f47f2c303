"""Everybody who may call, in whatever way they prove who they are. Today that is a client key."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from claude_gateway.contract.policy import Client
from claude_gateway_proxy.gateway.auth import keys


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
