"""The table of client keys in the secret part: whose key each is, by its SHA-256.

A key that only names its client takes one string, so that ten thousand of them stay small; one with a person, a team
or an end takes a list: ``{"<sha256>": "ns/client", "<sha256>": ["ns/client", "alice", "team", 1767225600]}``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from claude_gateway.contract.bundle import BundleError

_encoded: Final = json.JSONEncoder(separators=(",", ":")).encode
"""One encoder for all rows: a release can have tens of thousands."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose key it is: the client's full name, the person and team if they are known, and its end in Unix time."""

    client: str
    user: str = ""
    team: str = ""
    expires: int | None = None

    @property
    def plain(self) -> bool:
        """Whether it only names its client."""
        return not (self.user or self.team) and self.expires is None


def row(digest: str, holder: Holder) -> str:
    """Return one entry of the table as JSON, ``"<digest>":<holder>``."""
    return f"{_encoded(digest)}:{_encoded(_value(holder))}"


def table(holders: Mapping[str, Holder]) -> bytes:
    """Return the table as JSON, in a fixed order."""
    return f"{{{','.join(row(digest, holders[digest]) for digest in sorted(holders))}}}".encode()


def read(text: bytes | str) -> dict[str, Holder]:
    """Read a table. Raises BundleError if it is not one; its message holds no value."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise BundleError("the table of client keys is not JSON") from None
    if not isinstance(found, dict):
        raise BundleError("the table of client keys is not an object")
    return {digest: _holder(value) for digest, value in found.items()}


def _value(holder: Holder) -> object:
    return holder.client if holder.plain else [holder.client, holder.user, holder.team, holder.expires]


def _holder(value: Any) -> Holder:
    match value:
        case str():
            return Holder(value)
        case [str(client), str(user), str(team), int() | None as expires]:
            return Holder(client, user, team, expires)
    raise BundleError("the table of client keys has an entry that is not one")
