"""What every store of logins can do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from claude_gateway.contract.login import STATE_KEY, LoginState, parse_state
from claude_gateway_auth.credential import Credential


class StoreError(Exception):
    """The store cannot do this now. Its message holds no secret."""


class ConflictError(StoreError):
    """The Secret is not as it was when it was read: read it again."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A login's Secret as it was read: its entries, its version, and why this service must not write it.

    ``version`` is None if the Secret does not exist.
    """

    entries: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    version: str | None = None
    foreign: str = ""

    def state(self) -> LoginState:
        """Return what ``state.json`` says; an empty state if it says nothing that can be read."""
        found = parse_state(self.entries[STATE_KEY]) if STATE_KEY in self.entries else LoginState()
        return LoginState() if isinstance(found, str) else found


class Store(Protocol):
    """The one place that logins are read from and written to. Every method raises StoreError."""

    async def credentials(self) -> tuple[Credential, ...]:
        """Return the credentials that somebody can sign in to, by namespace and name."""

    async def read(self, credential: Credential) -> Stored:
        """Return the Secret of a credential."""

    async def write(self, credential: Credential, entries: Mapping[str, bytes], *, version: str | None) -> None:
        """Replace all entries of the Secret if it is as it was at ``version``. Raises ConflictError if not."""
