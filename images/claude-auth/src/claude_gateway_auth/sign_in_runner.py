"""Runs sign-ins: one at a time for each credential, from the link to the Secret."""

import asyncio
import logging
import secrets
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from claude_gateway_auth import flow
from claude_gateway_auth.credential import Credential, Method, Ref
from claude_gateway_auth.driver.cli import Cli
from claude_gateway_auth.driver.login import AuthLogin
from claude_gateway_auth.driver.setup_token import SetupToken
from claude_gateway_auth.flow import Phase, SignIn, Trouble
from claude_gateway_auth.home import Home, Homes, Purpose, Record
from claude_gateway_auth.login_writer import LoginWriter, clock, login_digest
from claude_gateway_auth.store.store import StoreError
from claude_gateway_runtime.logs import emit, unexpected

_log: Final = logging.getLogger("claude_gateway_auth.sign_in_runner")
_LINK_SECONDS: Final = 30.0
_CODE_SECONDS: Final = 90.0
_SWEEP_SECONDS: Final = 15.0
MOST: Final = 8
"""Sign-ins at once: each is a process of 200 MB."""


class Conversation(Protocol):
    """A CLI that signs in."""

    async def link(self) -> str | Trouble:
        """Return the link to open."""

    async def submit(self, code: str) -> bytes | Trouble:
        """Return the login for a code."""

    async def close(self) -> None:
        """End it."""


class BusyError(Exception):
    """Somebody else is signing in to this credential; ``running`` is their sign-in."""

    def __init__(self, running: SignIn) -> None:
        super().__init__(f"{running.by} is signing in to {running.credential}")
        self.running = running


class TooManyError(Exception):
    """Too many sign-ins run already."""


@dataclass(slots=True)
class _Running:
    credential: Credential
    state: SignIn
    before: str
    home: Home | None = None
    conversation: Conversation | None = None
    task: asyncio.Task[None] | None = None


class SignInRunner:
    """All sign-ins. What it shows of an ended one is kept until the next one begins."""

    def __init__(self, writer: LoginWriter, homes: Homes, cli: Cli) -> None:
        self._writer = writer
        self._homes = homes
        self._cli = cli
        self._running: dict[Ref, _Running] = {}
        self._changed: dict[Ref, asyncio.Event] = {}
        self._begins: dict[Ref, asyncio.Lock] = defaultdict(asyncio.Lock)

    def current(self, credential: Credential) -> SignIn | None:
        """Return the newest sign-in of a credential; None if the credential was another person's or other then."""
        running = self._running.get(credential.ref)
        return running.state if running and running.credential == credential else None

    async def start(self, credential: Credential, *, by: str, session: str, take_over: bool = False) -> SignIn:
        """Begin a sign-in, and wait for its link for a while.

        The same session may begin again; another session needs ``take_over``. Raises BusyError, TooManyError,
        StoreError.
        """
        # Of two people who begin at the same moment, the second one must see the first.
        async with self._begins[credential.ref]:
            running = await self._begin(credential, by=by, session=session, take_over=take_over)
        return await self._until(running, lambda state: state.phase is not Phase.STARTING, seconds=_LINK_SECONDS)

    async def _begin(self, credential: Credential, *, by: str, session: str, take_over: bool) -> _Running:
        earlier = self._running.get(credential.ref)
        if earlier and not earlier.state.phase.is_over:
            if earlier.state.session != session and not take_over:
                raise BusyError(earlier.state)
            await self._end(earlier, lambda state: flow.failed(state, Trouble.REPLACED, clock()))
        before = login_digest(credential, await self._writer.store.read(credential))
        if sum(not running.state.phase.is_over for running in self._running.values()) >= MOST:
            raise TooManyError
        state = flow.begin(credential, identifier=secrets.token_hex(8), by=by, session=session, now=clock())
        running = _Running(credential, state, before)
        self._running[credential.ref] = running
        running.task = asyncio.create_task(self._open(running))
        return running

    async def submit(self, ref: Ref, identifier: str, pasted: str) -> SignIn | None:
        """Take the code that a person pasted, and wait for what comes of it; None if the sign-in is gone."""
        running = self._of(ref, identifier)
        if running is None:
            return None
        state, code = flow.code_given(running.state, pasted, clock())
        self._set(running, state)
        if code is not None:
            running.task = asyncio.create_task(self._exchange(running, code))
        return await self._until(running, lambda state: state.phase is not Phase.CHECKING, seconds=_CODE_SECONDS)

    async def cancel(self, ref: Ref, identifier: str) -> SignIn | None:
        """Cancel a sign-in; None if it is gone. One whose code is being checked ends by itself."""
        running = self._of(ref, identifier)
        if running is None:
            return None
        if running.state.phase is not Phase.CHECKING:
            await self._end(running, lambda state: flow.cancelled(state, clock()))
        return running.state

    async def run(self) -> None:
        """Close abandoned sign-ins, until cancelled; then close all."""
        try:
            while True:
                await asyncio.sleep(_SWEEP_SECONDS)
                for running in list(self._running.values()):
                    if flow.expired(running.state, clock()):
                        await self._end(running, lambda state: flow.failed(state, Trouble.EXPIRED, clock()))
        finally:
            for running in list(self._running.values()):
                await self._finish(running)

    async def _open(self, running: _Running) -> None:
        found: str | Trouble = Trouble.CLI
        try:
            running.home = self._homes.make(_record(running))
            kind = AuthLogin if running.credential.method is Method.LOGIN else SetupToken
            running.conversation = await kind.start(self._cli, running.home)
            found = await asyncio.wait_for(running.conversation.link(), _LINK_SECONDS)
        except (OSError, TimeoutError) as error:
            unexpected(_log, "cli_failed", error)
        if isinstance(found, Trouble):
            await self._over(running, flow.failed(running.state, found, clock()))
            return
        self._set(running, flow.link_shown(running.state, found, clock()))

    async def _exchange(self, running: _Running, code: str) -> None:
        """Pass the code to Claude Code and store the login; never cancelled, since a code can be used once."""
        found: bytes | Trouble = Trouble.CLI
        try:
            if running.conversation is not None:
                found = await asyncio.wait_for(running.conversation.submit(code), _CODE_SECONDS)
        except (OSError, TimeoutError) as error:
            unexpected(_log, "cli_failed", error)
            found = Trouble.NETWORK
        if found is Trouble.INCOMPLETE:
            self._set(running, flow.code_refused(running.state, found, clock()))
        elif isinstance(found, Trouble):
            await self._over(running, flow.failed(running.state, found, clock()))
        else:
            await self._store(running, found)

    async def _store(self, running: _Running, login: bytes) -> None:
        try:
            if running.home is not None:
                # A token of `setup-token` is nowhere but here until it is stored.
                running.home.give(login)
            await self._writer.sign_in(running.credential, login, by=running.state.by)
        except (StoreError, OSError) as error:
            emit(
                _log, "login_not_stored", level=logging.ERROR, credential=str(running.credential.ref), error=str(error)
            )
            if running.home is not None:
                running.home.release()
                running.home = None
            await self._over(running, flow.failed(running.state, Trouble.STORE, clock()))
            return
        await self._over(running, flow.stored(running.state, clock()))

    async def _over(self, running: _Running, state: SignIn) -> None:
        await self._finish(running)
        self._set(running, state)

    async def _end(self, running: _Running, change: Callable[[SignIn], SignIn]) -> None:
        """End a sign-in from outside; one whose code is being checked is waited for, so that no login is lost."""
        task = running.task
        if task is not None and not task.done():
            if running.state.phase is Phase.CHECKING:
                await asyncio.wait([task])
            else:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        await self._finish(running)
        self._set(running, change(running.state))

    async def _finish(self, running: _Running) -> None:
        if running.state.phase is Phase.CHECKING and running.task is not None and running.task is not _this_task():
            await asyncio.wait([running.task], timeout=_CODE_SECONDS)
        conversation, running.conversation = running.conversation, None
        if conversation is not None:
            await conversation.close()
        home, running.home = running.home, None
        if home is not None:
            await asyncio.to_thread(home.remove)

    def _of(self, ref: Ref, identifier: str) -> _Running | None:
        running = self._running.get(ref)
        return running if running and running.state.id == identifier else None

    def _set(self, running: _Running, state: SignIn) -> None:
        running.state = state
        self._changed.setdefault(running.credential.ref, asyncio.Event()).set()

    async def _until(self, running: _Running, done: Callable[[SignIn], bool], *, seconds: float) -> SignIn:
        changed = self._changed.setdefault(running.credential.ref, asyncio.Event())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not done(running.state):
                    changed.clear()
                    await changed.wait()
        return running.state


def _record(running: _Running) -> Record:
    ref, owner = running.credential.ref, running.credential.owner
    return Record(Purpose.SIGN_IN, ref.namespace, ref.name, by=running.state.by, owner=owner, before=running.before)


def _this_task() -> asyncio.Task[object] | None:
    return asyncio.current_task()
