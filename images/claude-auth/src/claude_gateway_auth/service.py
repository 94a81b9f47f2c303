"""Everything that can be done to logins, for the page and the JSON API alike; one audit line for each action."""

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from claude_gateway.contract.login import LongLivedToken, OAuth, Outcome, Probe
from claude_gateway_auth import probe as probes
from claude_gateway_auth import state as states
from claude_gateway_auth.credential import Credential, Method, Ref
from claude_gateway_auth.driver.cli import Cli
from claude_gateway_auth.driver.login import logout
from claude_gateway_auth.flow import SignIn
from claude_gateway_auth.home import Homes, Purpose, Record
from claude_gateway_auth.login_writer import LoginWriter, clock, login_digest
from claude_gateway_auth.refresh import Refresher
from claude_gateway_auth.sign_in_runner import BusyError, SignInRunner
from claude_gateway_auth.store.store import Stored, StoreError
from claude_gateway_auth.web.access import Person
from claude_gateway_auth.web.rate import Rate
from claude_gateway_auth.web.view import View, out_of_reach, view
from claude_gateway_runtime.logs import emit, unexpected

_audit: Final = logging.getLogger("claude_gateway_auth.audit")
CHECK_SECONDS: Final = 10.0
"""How long the result of a check is valid before the login is checked again."""


class UnknownError(Exception):
    """No such credential, or not for this person: both look the same."""


class RefusedError(Exception):
    """An action cannot be done; the message is a sentence with the next step."""


class Service:
    """The actions."""

    def __init__(
        self, *, writer: LoginWriter, sign_ins: SignInRunner, refresher: Refresher, homes: Homes, cli: Cli
    ) -> None:
        self.writer = writer
        self.sign_ins = sign_ins
        self._refresher = refresher
        self._homes = homes
        self._cli = cli
        self._prober = probes.Prober(homes, cli)
        self._checks = Rate(1, seconds=CHECK_SECONDS)

    async def credentials(self, person: Person) -> list[Credential]:
        """Return the credentials of a person. Raises StoreError."""
        return [credential for credential in await self.writer.store.credentials() if person.may(credential)]

    async def views(self, person: Person) -> list[View]:
        """Return what a person sees. Raises StoreError."""
        return [await self.view(credential, person) for credential in await self.credentials(person)]

    async def view(self, credential: Credential, person: Person) -> View:
        """Return what a person sees of one credential; one whose Secret cannot be read says so."""
        sign_in = self.sign_ins.current(credential)
        try:
            stored = await self.writer.store.read(credential)
        except StoreError as error:
            return out_of_reach(credential, str(error), sign_in, session=person.session)
        return view(credential, stored, sign_in, session=person.session, now=clock())

    async def find(self, ref: Ref, person: Person) -> Credential:
        """Return a credential. Raises UnknownError and StoreError."""
        for credential in await self.credentials(person):
            if credential.ref == ref:
                return credential
        raise UnknownError

    async def start(self, credential: Credential, person: Person, *, take_over: bool) -> SignIn:
        """Begin a sign-in. Raises BusyError, TooManyError, StoreError, RefusedError."""
        with audited("sign_in_started", credential, person):
            stored = await self.writer.store.read(credential)
            if stored.foreign:
                raise RefusedError(f"The login cannot be stored: {_other(credential, stored.foreign)}.")
            return await self.sign_ins.start(credential, by=person.name, session=person.session, take_over=take_over)

    async def submit(self, credential: Credential, person: Person, *, identifier: str, code: str) -> SignIn | None:
        """Take a pasted code."""
        if not self._own(credential, person, identifier):
            return None
        found = await self.sign_ins.submit(credential.ref, identifier, code)
        outcome = "gone" if found is None else (found.trouble or found.phase).value
        record("code_entered", credential, person, outcome)
        return found

    async def cancel(self, credential: Credential, person: Person, *, identifier: str) -> SignIn | None:
        """Cancel a sign-in."""
        if not self._own(credential, person, identifier):
            return None
        with audited("sign_in_cancelled", credential, person):
            return await self.sign_ins.cancel(credential.ref, identifier)

    async def sign_out(self, credential: Credential, person: Person) -> bool:
        """Remove the login, and revoke it at Anthropic where the CLI can; return whether there was one.

        Raises StoreError.
        """
        with audited("signed_out", credential, person):
            removed = await self.writer.sign_out(credential)
        login = removed.get(credential.method.key)
        if login and credential.method is Method.LOGIN:
            try:
                await self._revoke(credential, login)
            except OSError as error:
                unexpected(_audit, "not_revoked", error, credential=str(credential.ref))
        return bool(removed)

    async def load(self, credential: Credential, person: Person, content: bytes) -> None:
        """Store an existing login: a ``.credentials.json``, or a token for a credential with tokens.

        Raises RefusedError and StoreError.
        """
        with audited("imported", credential, person):
            login = content if credential.method is Method.SETUP_TOKEN else _own_part(content)
            parsed = states.parse(login, credential.method)
            if isinstance(parsed, str):
                raise RefusedError(f"This is not a login of the method {credential.method.value}: {parsed}.")
            await self.writer.sign_in(credential, login, by=person.name)

    async def check(self, credential: Credential, person: Person) -> Probe:
        """Ask Anthropic whether the login is valid; after a refresh, if its access token has ended.

        Raises RefusedError and StoreError.
        """
        wait = self._checks.take(str(credential.ref))
        if wait:
            raise RefusedError(f"The login was checked just now. Check again in {wait:.0f} seconds.")
        with audited("checked", credential, person):
            return await self.probe(credential)

    async def probe(self, credential: Credential) -> Probe:
        """Probe a login and note the answer. Raises RefusedError and StoreError."""
        stored = await self.writer.store.read(credential)
        parsed = _login(credential, stored)
        if _refreshes(parsed) and _has_ended(parsed):
            stored, parsed = await self._renewed(credential, stored)
        found, windows = await self._ask(credential, parsed)
        before = stored.state().probe
        known = before is not None and before.outcome is Outcome.REJECTED
        if found.outcome is Outcome.REJECTED and not known and not stored.foreign and _refreshes(parsed):
            # The token may have ended before the clock here says so; a refresh is the way to know.
            stored, parsed = await self._renewed(credential, stored)
            found, windows = await self._ask(credential, parsed)
        if not stored.foreign:
            await self.writer.probed(credential, found, windows, before=login_digest(credential, stored))
        return found

    async def _renewed(self, credential: Credential, stored: Stored) -> tuple[Stored, OAuth | LongLivedToken]:
        """Refresh a login and return what is stored then. Raises RefusedError and StoreError."""
        if stored.foreign:
            # Its next token could not be stored, and the one in the Secret would be worth nothing.
            raise RefusedError(f"The login cannot be refreshed: {_other(credential, stored.foreign)}.")
        await self._refresher.refresh(credential, stored.entries[credential.method.key])
        stored = await self.writer.store.read(credential)
        return stored, _login(credential, stored)

    async def _ask(self, credential: Credential, login: OAuth | LongLivedToken) -> probes.Probed:
        return await self._prober.probe(login, probes.record(credential.namespace, credential.name))

    async def probing(self, every: float) -> None:
        """Probe every login now and then, until cancelled."""
        while True:
            await asyncio.sleep(every)
            try:
                credentials = await self.writer.store.credentials()
            except StoreError:
                continue
            for credential in credentials:
                try:
                    state = (await self.writer.store.read(credential)).state()
                    if state.probe is None or clock() - state.probe.at >= timedelta(seconds=every / 2):
                        await self.probe(credential)
                except (RefusedError, StoreError, OSError):
                    continue

    def _own(self, credential: Credential, person: Person, identifier: str) -> bool:
        """Whether a sign-in is the newest one and this session's: a code cannot be entered into another's."""
        current = self.sign_ins.current(credential)
        return current is not None and current.id == identifier and current.session == person.session

    async def _revoke(self, credential: Credential, login: bytes) -> None:
        home = self._homes.make(Record(Purpose.OTHER, credential.namespace, credential.name))
        try:
            home.give(login)
            await logout(self._cli, home)
        finally:
            await asyncio.to_thread(home.remove)


def _login(credential: Credential, stored: Stored) -> OAuth | LongLivedToken:
    """Return the login in a Secret. Raises RefusedError."""
    login = stored.entries.get(credential.method.key)
    if not login:
        raise RefusedError("Nobody is signed in. Sign in first.")
    parsed = states.parse(login, credential.method)
    if isinstance(parsed, str):
        raise RefusedError(f"The login cannot be read: {parsed}. Sign in again.")
    return parsed


def _has_ended(login: OAuth | LongLivedToken) -> bool:
    return isinstance(login, OAuth) and login.expires is not None and login.expires <= clock()


def _refreshes(login: OAuth | LongLivedToken) -> bool:
    return isinstance(login, OAuth) and login.refresh_token is not None


def record(action: str, credential: Credential, person: Person, outcome: str) -> None:
    """Write an audit line."""
    level = logging.INFO if outcome in ("ok", "stored") else logging.WARNING
    emit(_audit, "audit", level=level, action=action, by=person.name, credential=str(credential.ref), outcome=outcome)


@contextmanager
def audited(action: str, credential: Credential, person: Person) -> Iterator[None]:
    """Write an audit line when an action ends, however it does."""
    try:
        yield
    except Exception as error:
        names = {BusyError: "busy", RefusedError: "refused", StoreError: "store"}
        record(action, credential, person, names.get(type(error), type(error).__name__))
        raise
    record(action, credential, person, "ok")


def _other(credential: Credential, writer: str) -> str:
    return f"the Secret {credential.secret_name} is also written by {writer}. Delete it there, or name another Secret"


def _own_part(content: bytes) -> bytes:
    """Return a ``.credentials.json`` with Claude Code's login alone: the file also holds logins of MCP servers."""
    try:
        return json.dumps({"claudeAiOauth": json.loads(content)["claudeAiOauth"]}).encode()
    except (ValueError, KeyError, TypeError, RecursionError):
        return content
