"""Thousands of people, each a client with a key of its own, of which the cluster has the hash."""

import hashlib
from typing import Final

from tests.support.builders.objects import Manifest

from claude_gateway.names import API_VERSION, Kind

AT_ONCE: Final = 500
"""How many people are created in one request, and deleted in one: a group."""


def key(number: int, *, edit: int = 0) -> str:
    """Return the key of a person; another ``edit`` has another key."""
    return f"cgw_bench-{edit}-{_digest(str(number))}"


def name(number: int) -> str:
    """Return the name of a person's GatewayClient; names of real people do not compress like ``dev-1``, ``dev-2``."""
    return f"dev-{_digest(str(number))[:10]}"


def group(number: int) -> int:
    """Return the group of a person."""
    return number // AT_ONCE


def person(number: int, *, edit: int = 0) -> Manifest:
    """Return the GatewayClient of a person, whose label ``many`` is the group."""
    known = {"hash": f"sha256:{_digest(key(number, edit=edit))}", "user": f"{name(number)}@example.com"}
    return {
        "apiVersion": API_VERSION,
        "kind": Kind.GATEWAY_CLIENT.value,
        "metadata": {"name": name(number), "labels": {"many": str(group(number))}},
        "spec": {"keys": [known], "models": ["claude-*"]},
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
