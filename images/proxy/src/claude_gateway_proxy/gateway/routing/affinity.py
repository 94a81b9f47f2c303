"""Which of several targets a session belongs to: weighted rendezvous hashing, so that its prompt cache is found again.

Every pair of a key and a target has a number, and the lowest number wins. The numbers depend on nothing else, so all
pods and all restarts agree without communication, and adding or removing a target moves only the sessions that it gets
or had. Source of the weights: Schindelhauer and Schomaker, "Weighted distributed hash tables" (2005).
"""

import math
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final, Protocol

import msgspec

from claude_gateway.contract.client import Client
from claude_gateway.contract.route import Affinity, Route
from claude_gateway.contract.target import Target
from claude_gateway_proxy.gateway.body.facts import Facts

Key = bytes
"""The key of requests that stay together: the digest of a client, and of its session or agent if there is one."""

_KEY_BYTES: Final = 16
_METADATA_LIMIT: Final = 64 * 1024
"""Bytes of a request's ``metadata`` up to which it is read."""
_RANGE: Final = float(2**64)


class Keyed(Protocol):
    """The parts of a key."""

    @property
    def route(self) -> Route: ...
    @property
    def client(self) -> Client: ...
    @property
    def facts(self) -> Facts: ...


def key_of(request: Keyed) -> Key | None:
    """Return the key of a request; None if its route has no affinity.

    The session comes from Claude Code's header, else from ``metadata.user_id``, else from OpenAI's
    ``prompt_cache_key``; an agent is part of its session. Without all of them, the requests of one client stay
    together. No key is shared between clients.
    """
    affinity, name = request.route.affinity, request.client.name
    if affinity is Affinity.NONE:
        return None
    if affinity is Affinity.CLIENT:
        return _digest(name)
    parts = [name, session_of(request.facts)]
    if affinity is Affinity.AGENT:
        parts.append(request.facts.agent.agent_id)
    return _digest(*filter(None, parts))


def names(targets: Sequence[Target]) -> Mapping[str, str]:
    """Return, by id, the name of each target in hashes: the account and the model, which have the prompt cache.

    The id itself would change with every edit of the target, and its index with a new target in front of it. Targets
    that share account and model are counted.
    """
    seen: dict[str, int] = {}
    found: dict[str, str] = {}
    for target in targets:
        account = target.base_url if target.credential is None else target.credential.rpartition(".")[0]
        name = f"{target.provider}/{target.model} {account}"
        count = seen[name] = seen.get(name, 0) + 1
        found[target.id] = name if count == 1 else f"{name} {count}"
    return found


def distance(key: Key, name: str, weight: int) -> float:
    """Return the number of a key and a target, exponentially distributed with the weight as its rate.

    The lowest of several such numbers belongs to a target with the chance of its weight among all.
    """
    point = int.from_bytes(blake2b(key + name.encode(), digest_size=8).digest())
    return -math.log((point + 0.5) / _RANGE) / weight


def _digest(*parts: str) -> Key:
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=_KEY_BYTES).digest()


def session_of(facts: Facts) -> str:
    """Return the id of the session that a request belongs to; empty if it names none."""
    return facts.agent.session or _user(facts) or _cache_key(facts)


def _user(facts: Facts) -> str:
    """Return the session in ``metadata.user_id``, or all of it.

    Claude Code writes JSON with a ``session_id`` into it, other clients an id of their own.
    """
    text = _text(_field(_decoded(facts.body.value("metadata")), "user_id"))
    if not text.startswith("{"):
        return text
    return _text(_field(_decoded(text.encode("utf-8", "surrogatepass")), "session_id")) or text


def _cache_key(facts: Facts) -> str:
    return _text(_decoded(facts.body.value("prompt_cache_key")))


def _decoded(text: bytes | None) -> object:
    if text is None or len(text) > _METADATA_LIMIT:
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _field(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
