"""The Lua scripts that count in Valkey, and how demands are written for them."""

from collections.abc import Sequence
from hashlib import sha1
from importlib.resources import files
from typing import Final

from claude_gateway_proxy.gateway.admission.demand import TICKS, Bucket, Demand, Purse, Slots

SLOT_SECONDS: Final = 60
"""How long a slot or a reservation is held without being renewed.

When a pod dies, its slots are free after this time, and what its requests had reserved counts as spent.
"""

_SLOT_MILLISECONDS: Final = str(SLOT_SECONDS * 1000)

_MARK_SECONDS: Final = 25 * 3600
"""How long a holder may take to settle; no request may last longer than 24 hours (``timeouts.total``)."""


class Script:
    """One Lua script and its digest, by which Valkey calls it."""

    def __init__(self, name: str) -> None:
        self.text = files(__package__).joinpath(f"{name}.lua").read_text()
        self.sha = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


TAKE: Final = Script("take")
SETTLE: Final = Script("settle")
RENEW: Final = Script("renew")
RESTORE: Final = Script("restore")
USE: Final = Script("use")

Call = tuple[Script, Sequence[str], Sequence[str]]
"""A script, its keys and its arguments."""


class Calls:
    """Writes the calls of one release, whose keys all begin with ``prefix`` and are in one slot of a cluster."""

    def __init__(self, prefix: str) -> None:
        self._prefix = f"{{claude-gateway:{prefix}}}:"

    def key(self, name: str) -> str:
        """Return the name that a key has in Valkey."""
        return self._prefix + name

    def take(self, demands: Sequence[Demand], holder: str) -> Call:
        """Return the call that takes all demands or nothing.

        Each demand is one argument: writing several takes the client library longer than dividing one takes Lua.
        """
        keys, values = [self.key(f"holder:{holder}")], [holder, str(_MARK_SECONDS * 1000), _SLOT_MILLISECONDS]
        for each in demands:
            keys.append(self.key(each.key))
            if isinstance(each, Bucket):
                values.append(f"bucket {each.per_minute} {each.room} {each.units * TICKS} 0")
            elif isinstance(each, Slots):
                values.append(f"slots {each.most} 0 0 0")
            else:
                amount = -1 if each.amount is None else each.amount
                kind = "whole" if each.whole else "purse"
                values.append(f"{kind} {amount} {each.reserve} {each.ends_at * 1000} {each.known}")
        return TAKE, keys, values

    def settle(self, demands: Sequence[Demand], actual: Sequence[int], holder: str) -> Call:
        """Return the call that replaces what was taken by what was used."""
        keys, values = [self.key(f"holder:{holder}")], [holder]
        for each, used in zip(demands, actual, strict=True):
            keys.append(self.key(each.key))
            if isinstance(each, Bucket):
                values.append(f"bucket {each.per_minute} {(used - each.units) * TICKS}")
            elif isinstance(each, Slots):
                values.append("slots 0 0")
            else:
                values.append(f"purse {each.reserve} {used}")
        return SETTLE, keys, values

    def held(self, demand: Demand, holder: str) -> tuple[str, str] | None:
        """Return the set and the member that must be renewed while a demand is held; None for a bucket."""
        if isinstance(demand, Slots):
            return self.key(demand.key), holder
        if isinstance(demand, Purse):
            return f"{self.key(demand.key)}:held", f"{holder} {demand.reserve}"
        return None

    def renew(self, held: Sequence[tuple[str, str]]) -> Call:
        """Return the call that keeps slots and reservations; ``held`` has the set and the member of each."""
        return RENEW, [key for key, _ in held], [_SLOT_MILLISECONDS, *(member for _, member in held)]

    def restore(self, purses: Sequence[Purse], spent: Sequence[int]) -> Call:
        """Return the call that raises what purses count to at least what was spent of them."""
        values = [text for purse, least in zip(purses, spent, strict=True) for text in _restored(purse, least)]
        return RESTORE, [self.key(purse.key) for purse in purses], values


def _restored(purse: Purse, least: int) -> tuple[str, str]:
    return str(least), str(purse.ends_at * 1000)
