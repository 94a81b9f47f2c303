"""The one writer of logins: reads, decides and writes, again if the Secret changed meanwhile."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from claude_gateway.contract.login import LoginState, OAuth, Outcome, Probe, Window
from claude_gateway_auth import state as states
from claude_gateway_auth.credential import Credential, Method, Ref
from claude_gateway_auth.home import digest
from claude_gateway_auth.store.store import ConflictError, Store, Stored, StoreError

_TRIES: Final = 5
Change = Callable[[Stored], Mapping[str, bytes] | None]
"""Returns all entries that the Secret shall have, or None to leave it."""


def clock() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


class LoginWriter:
    """Changes of logins, one after the other for each credential."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.changed: set[Ref] = set()
        """The credentials whose logins were written; the reader removes them."""
        self._locks: dict[Ref, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def sign_in(self, credential: Credential, login: bytes, *, by: str, before: str | None = None) -> bool:
        """Store a new login in place of any other; return whether it was stored.

        ``before`` is the digest of the login that it replaces, if only that one may be replaced. Raises StoreError,
        also if the login cannot be read.
        """
        parsed = states.parse(login, credential.method)
        if isinstance(parsed, str):
            raise StoreError(parsed)
        kept = login if credential.method is Method.LOGIN else parsed.access_token.encode()
        entries = {credential.method.key: kept, **states.written(states.signed_in(parsed, by=by, now=clock()))}

        def change(stored: Stored) -> Mapping[str, bytes] | None:
            return entries if before is None or before == login_digest(credential, stored) else None

        return await self.change(credential, change)

    async def refreshed(self, credential: Credential, login: bytes, *, before: str) -> bool:
        """Store what a refresh of the login ``before`` (digest) made of it; return whether that login was still there.

        Raises StoreError.
        """
        parsed = states.parse(login, credential.method)
        if not isinstance(parsed, OAuth):
            raise StoreError(parsed if isinstance(parsed, str) else "a long-lived token does not refresh")

        def change(stored: Stored) -> Mapping[str, bytes] | None:
            if login_digest(credential, stored) != before:
                return None
            state = states.refreshed(stored.state(), parsed, clock())
            return {**stored.entries, credential.method.key: login, **states.written(state)}

        return await self.change(credential, change)

    async def note(
        self, credential: Credential, say: Callable[[LoginState], LoginState], *, before: str | None = None
    ) -> bool:
        """Change only the state; do nothing if there is no login or it is not ``before``. Raises StoreError."""

        def change(stored: Stored) -> Mapping[str, bytes] | None:
            found = login_digest(credential, stored)
            if not found or (before is not None and before != found):
                return None
            return {**stored.entries, **states.written(say(stored.state()))}

        return await self.change(credential, change)

    async def not_refreshed(self, credential: Credential, outcome: Outcome, message: str, *, before: str) -> None:
        """Record that a refresh returned no new login. Raises StoreError."""
        now = clock()
        await self.note(credential, lambda state: states.not_refreshed(state, outcome, message, now), before=before)

    async def probed(self, credential: Credential, probe: Probe, windows: dict[str, Window], *, before: str) -> None:
        """Note what a probe found. Raises StoreError."""
        await self.note(credential, lambda state: states.probed(state, probe, windows), before=before)

    async def sign_out(self, credential: Credential) -> Mapping[str, bytes]:
        """Remove the login; return the entries that were removed. Raises StoreError."""
        removed: Mapping[str, bytes] = {}

        def change(stored: Stored) -> Mapping[str, bytes] | None:
            nonlocal removed
            removed = stored.entries
            return {} if removed else None

        await self.change(credential, change)
        return removed

    async def change(self, credential: Credential, change: Change) -> bool:
        """Make one change; return whether it was one. Raises StoreError."""
        async with self._locks[credential.ref]:
            for attempt in range(_TRIES):
                stored = await self.store.read(credential)
                if stored.foreign:
                    raise StoreError(other_writer(credential, stored.foreign))
                wanted = change(stored)
                if wanted is None:
                    return False
                try:
                    await self.store.write(credential, wanted, version=stored.version)
                except ConflictError:
                    if attempt == _TRIES - 1:
                        raise
                    continue
                self.changed.add(credential.ref)
                return True
        return False


def login_digest(credential: Credential, stored: Stored) -> str:
    """Return the digest of the login in a Secret; empty if there is none."""
    login = stored.entries.get(credential.method.key)
    return digest(login) if login else ""


def other_writer(credential: Credential, writer: str) -> str:
    """Say why this service does not write a Secret."""
    return (
        f"the Secret {credential.namespace}/{credential.secret_name} is also written by {writer}: a login that is "
        "refreshed has one writer. Delete the Secret there and sign in again, or name another Secret in the credential"
    )
