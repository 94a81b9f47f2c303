"""Refreshes logins early, by the genuine CLI, and stores what a killed process left. There is one refresher.

Before a request, Claude Code refreshes a login whose access token ends within five minutes. It is given a private copy
of the file in which the token ends now, and an address of the API where nobody listens, so that no model is asked. The
new login is in the CLI's home before this process knows of it, and the home is removed only when the login is in its
Secret.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from claude_gateway.contract.login import OAuth, Outcome
from claude_gateway_auth import state as states
from claude_gateway_auth.credential import Credential, Method, Ref
from claude_gateway_auth.driver.cli import Cli
from claude_gateway_auth.driver.login import logout, run
from claude_gateway_auth.home import Home, Homes, Purpose, Record, digest
from claude_gateway_auth.login_writer import LoginWriter, clock, login_digest, other_writer
from claude_gateway_auth.metrics import Metrics
from claude_gateway_auth.store.store import StoreError
from claude_gateway_runtime.logs import emit, unexpected

_log: Final = logging.getLogger("claude_gateway_auth.refresh")
_TICK_SECONDS: Final = 5.0
_LOOK_EVERY: Final = timedelta(seconds=60)
"""How often a login is read that nobody wrote: what people change by hand is seen, and the API server is spared."""
_CLI_SECONDS: Final = 120.0
_ASK: Final = ("-p", "refresh")
"""A request waits for the token as long as the CLI's own time limit, 30 s. ``auth status`` ends after 8 s, and then an
answer on its way, with the only valid refresh token in it, is lost."""
_NOWHERE: Final = {
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:0",
    "CLAUDE_CODE_MAX_RETRIES": "0",
    "ENABLE_CLAUDEAI_MCP_SERVERS": "false",
}
"""No program can listen on port 0."""
_LEFT_SECONDS: Final = 150.0
"""How long a CLI that outlived its parent may still take."""
_STORE_TRIES: Final = 4
_FIRST_WAIT: Final = timedelta(seconds=15)
_LONGEST_WAIT: Final = timedelta(minutes=15)

REJECTED: Final = "Anthropic rejected the refresh token. Sign in again."
UNAVAILABLE: Final = "Anthropic's sign-in service gave no new token; the old one is kept, and it is tried again."


@dataclass(frozen=True, slots=True)
class Attempts:
    """Failures in a row, and when to try again."""

    failures: int = 0
    not_before: datetime | None = None

    def failed(self, now: datetime) -> "Attempts":
        """Return these attempts after one more failure: each wait is twice the one before."""
        wait = min(_FIRST_WAIT * 2 ** min(self.failures, 10), _LONGEST_WAIT)
        return Attempts(self.failures + 1, now + wait)


def due(login: OAuth, state_says_rejected: bool, attempts: Attempts, *, early: timedelta, now: datetime) -> bool:
    """Whether a login is to be refreshed now."""
    if login.refresh_token is None or login.expires is None or state_says_rejected:
        return False
    # Longer than the longest wait: the clock was set back meanwhile.
    if attempts.not_before is not None and now < attempts.not_before <= now + _LONGEST_WAIT:
        return False
    return login.expires - early <= now


class Refresher:
    """Looks at every login every few seconds."""

    def __init__(self, writer: LoginWriter, homes: Homes, cli: Cli, *, early: timedelta, metrics: Metrics) -> None:
        """``early`` is how long before its end an access token is replaced."""
        self._writer = writer
        self._homes = homes
        self._cli = cli
        self._early = early
        self._metrics = metrics
        self._attempts: dict[Ref, Attempts] = {}
        self._looks: dict[Ref, datetime] = {}
        self._kept: dict[str, str] = {}
        """Homes whose logins could not be stored, and why."""
        self._locks: dict[Ref, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def run(self) -> None:
        """Refresh until cancelled; a refresh that runs then is completed."""
        await self._completed(self.recover(seconds=_LEFT_SECONDS))
        while True:
            await self._completed(self.tick())
            await asyncio.sleep(_TICK_SECONDS)

    async def tick(self) -> None:
        """Look at every login once."""
        await self.recover(seconds=0)
        try:
            credentials = await self._writer.store.credentials()
        except StoreError as error:
            emit(_log, "credentials_not_listed", level=logging.WARNING, error=str(error))
            return
        self._metrics.keep(credential.ref for credential in credentials)
        for credential in credentials:
            if not self._wants_look(credential.ref):
                continue
            try:
                await self._look(credential)
            except (StoreError, OSError) as error:
                emit(_log, "refresh_failed", level=logging.WARNING, credential=str(credential.ref), error=str(error))
            except Exception as error:  # one login's trouble must not stop the others
                unexpected(_log, "refresh_failed", error, credential=str(credential.ref))

    async def recover(self, *, seconds: float) -> None:
        """Store what is in homes that an earlier process, or a store that was away, left."""
        for home, record in await self._homes.left(seconds=seconds):
            if record is None or record.purpose is Purpose.OTHER:
                home.remove()
                continue
            try:
                await self._settle(home, record)
            except StoreError as error:
                self._not_stored(home, record, str(error))
                home.release()

    def _not_stored(self, home: Home, record: Record, error: str) -> None:
        """Say why a login stays in its home; once, since it is tried again every few seconds."""
        if self._kept.get(home.folder.name) != error:
            ref = Ref(record.namespace, record.name)
            emit(_log, "login_not_stored", level=logging.ERROR, credential=str(ref), error=error)
        self._kept[home.folder.name] = error

    def _wants_look(self, ref: Ref) -> bool:
        """Whether to read a login again: it was written, a refresh is to be repeated, or it was read a while ago."""
        now = clock()
        repeat = self._attempts.get(ref, Attempts()).not_before
        if ref in self._writer.changed or (repeat is not None and repeat <= now):
            self._writer.changed.discard(ref)
        elif now < self._looks.get(ref, now) <= now + _LOOK_EVERY:
            return False
        self._looks[ref] = now + _LOOK_EVERY
        return True

    async def _look(self, credential: Credential) -> None:
        stored = await self._writer.store.read(credential)
        state = stored.state()
        login = stored.entries.get(credential.method.key)
        self._metrics.expiry(credential.ref, state.expires_at if login else None)
        parsed = states.parse(login, credential.method) if login else "nobody has signed in"
        if not login or credential.method is not Method.LOGIN or not isinstance(parsed, OAuth):
            return
        rejected = state.refresh is not None and state.refresh.outcome is Outcome.REJECTED
        attempts = self._attempts.get(credential.ref, Attempts())
        if not due(parsed, rejected, attempts, early=self._early, now=clock()):
            return
        await self.refresh(credential, login)

    async def refresh(self, credential: Credential, login: bytes) -> Outcome:
        """Refresh one login now, unless it was replaced meanwhile: a refresh token can be used once.

        Raises StoreError if its outcome cannot be stored, and OSError.
        """
        async with self._locks[credential.ref]:
            stored = await self._writer.store.read(credential)
            if stored.entries.get(credential.method.key) != login:
                return Outcome.OK
            if stored.foreign:
                self._note(credential.ref, Outcome.UNAVAILABLE)
                raise StoreError(other_writer(credential, stored.foreign))
            return await self._refresh(credential, login)

    async def _refresh(self, credential: Credential, login: bytes) -> Outcome:
        ref = credential.ref
        record = Record(Purpose.REFRESH, ref.namespace, ref.name, before=digest(login))
        home = self._homes.make(record)
        try:
            home.give(states.due_for_refresh(login, clock()))
        except (OSError, ValueError):
            home.remove()
            raise
        emit(_log, "refreshing", credential=str(ref))
        await run(self._cli, home, *_ASK, seconds=_CLI_SECONDS, **_NOWHERE, **self._cli.direct())
        for attempt in range(_STORE_TRIES):
            try:
                return await self._settle(home, record)
            except StoreError:
                if attempt == _STORE_TRIES - 1:
                    home.release()
                    raise
                await asyncio.sleep(0.5 * 2**attempt)
        raise AssertionError

    async def _settle(self, home: Home, record: Record) -> Outcome:
        """Store what is in a home, then remove it. Raises StoreError, and then the home is as it was."""
        ref = Ref(record.namespace, record.name)
        credentials = {found.ref: found for found in await self._writer.store.credentials()}
        credential = credentials.get(ref)
        if credential is None:
            raise StoreError(f"the credential {ref} does not exist; the login is kept in memory until it does")
        login = home.login()
        parsed = None if login is None else states.parse(login, credential.method)
        outcome = Outcome.UNAVAILABLE
        if login is not None and parsed is not None and not isinstance(parsed, str):
            outcome = await self._take(credential, home, record, login)
        elif login is not None and states.blank(login) and record.purpose is Purpose.REFRESH:
            outcome = Outcome.REJECTED
            await self._writer.not_refreshed(credential, outcome, REJECTED, before=record.before)
        if outcome is Outcome.UNAVAILABLE and record.purpose is Purpose.REFRESH:
            await self._writer.not_refreshed(credential, outcome, UNAVAILABLE, before=record.before)
        home.remove()
        self._kept.pop(home.folder.name, None)
        if record.purpose is Purpose.REFRESH:
            self._note(ref, outcome)
        return outcome

    async def _take(self, credential: Credential, home: Home, record: Record, login: bytes) -> Outcome:
        if record.purpose is Purpose.SIGN_IN and record.owner != credential.owner:
            # The credential is another person's by now.
            await self._revoke(home, credential.ref)
            return Outcome.OK
        if record.purpose is Purpose.SIGN_IN:
            await self._writer.sign_in(credential, login, by=record.by, before=record.before)
            return Outcome.OK
        stored = await self._writer.store.read(credential)
        current = stored.entries.get(credential.method.key, b"")
        if tokens(current) == tokens(login):
            # The copy as it was given to the CLI, or what was stored just before a kill.
            return Outcome.OK if digest(current) != record.before else Outcome.UNAVAILABLE
        if await self._writer.refreshed(credential, login, before=record.before):
            return Outcome.OK
        if not login_digest(credential, await self._writer.store.read(credential)):
            # Somebody signed out meanwhile: the token that was revoked then is the one before this.
            await self._revoke(home, credential.ref)
        return Outcome.OK

    async def _revoke(self, home: Home, ref: Ref) -> None:
        """Revoke a login that must not be used any more, if Anthropic can be reached."""
        emit(_log, "revoking", credential=str(ref))
        try:
            await logout(self._cli, home)
        except OSError as error:
            unexpected(_log, "not_revoked", error, credential=str(ref))

    def _note(self, ref: Ref, outcome: Outcome) -> None:
        if outcome is Outcome.OK:
            self._attempts.pop(ref, None)
        else:
            self._attempts[ref] = self._attempts.get(ref, Attempts()).failed(clock())
        self._metrics.refreshed(ref, outcome)
        level = logging.INFO if outcome is Outcome.OK else logging.WARNING
        emit(
            _log,
            "refreshed" if outcome is Outcome.OK else "not_refreshed",
            level=level,
            credential=str(ref),
            outcome=outcome.value,
        )

    @staticmethod
    async def _completed(work: Coroutine[Any, Any, None]) -> None:
        """Complete work even if this task is cancelled meanwhile: a rotated token must reach its Secret."""
        task = asyncio.create_task(work)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise


def tokens(login: bytes) -> tuple[str, str | None] | None:
    """Return both tokens of a login, to compare; None if there are none."""
    parsed = states.parse(login, Method.LOGIN)
    return (parsed.access_token, parsed.refresh_token) if isinstance(parsed, OAuth) else None
