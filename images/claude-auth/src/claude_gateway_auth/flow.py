"""A sign-in as a pure state machine, from the link to the stored login. A failure is a sentence and a next step."""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qs, urlsplit

from claude_gateway_auth.credential import Credential, Ref

PATIENCE: Final = timedelta(minutes=15)
"""How long a sign-in waits for the person; Anthropic's codes live for a shorter time."""
_LONGEST_CODE: Final = 4096
_CODE: Final = re.compile(r"[\w.~+/=-]+")
_HOSTS: Final = frozenset(("claude.com", "claude.ai", "platform.claude.com", "console.anthropic.com"))


class Phase(StrEnum):
    """Where a sign-in is."""

    STARTING = "starting"
    """Claude Code is started and has not shown its link yet."""
    LINK = "link"
    """The link is shown, and the code is awaited."""
    CHECKING = "checking"
    """Claude Code exchanges the code at Anthropic."""
    STORED = "stored"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing more can happen in this sign-in."""
        return self in (Phase.STORED, Phase.FAILED, Phase.CANCELLED)


class Trouble(StrEnum):
    """Why a sign-in, or one step of it, failed."""

    INCOMPLETE = "incomplete"
    OTHER_LINK = "other_link"
    NOT_ACCEPTED = "not_accepted"
    EXPIRED = "expired"
    NETWORK = "network"
    ANTHROPIC = "anthropic"
    CLI = "cli"
    STORE = "store"
    REPLACED = "replaced"
    RESTARTED = "restarted"


SENTENCES: Final = {
    Trouble.INCOMPLETE: (
        "That is not the whole code.",
        "Copy all of it, including the # in the middle, and paste it again.",
    ),
    Trouble.OTHER_LINK: (
        "That code belongs to another link.",
        "Open the link on this page, approve there, and paste the code that it shows.",
    ),
    Trouble.NOT_ACCEPTED: (
        "Anthropic did not accept the code: it is wrong, was already used, or has expired.",
        "Start again to get a new link and a new code.",
    ),
    Trouble.EXPIRED: (
        "Nobody entered a code for 15 minutes, so this sign-in was closed.",
        "Start again when you can open the link right away.",
    ),
    Trouble.NETWORK: (
        "Anthropic's sign-in service could not be reached.",
        "Check that platform.claude.com and api.anthropic.com can be reached from here, also through the proxy, "
        "then start again.",
    ),
    Trouble.ANTHROPIC: (
        "Anthropic's sign-in service had a problem.",
        "Wait a minute, then start again.",
    ),
    Trouble.CLI: (
        "Claude Code ended without a login.",
        "Start again. If it happens twice, look at the log of this service.",
    ),
    Trouble.STORE: (
        "Anthropic accepted the code, but the login could not be stored.",
        "It is kept and stored as soon as that works; look at the log of this service for the reason.",
    ),
    Trouble.REPLACED: (
        "Somebody else started a newer sign-in for this credential.",
        "Let them finish it, or start again.",
    ),
    Trouble.RESTARTED: (
        "This sign-in does not exist any more: it ended, or this service was restarted.",
        "Start again.",
    ),
}
"""What went wrong, and the next step."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """One sign-in. ``id`` tells it from earlier ones of the same credential, ``session`` whose browser began it."""

    id: str
    credential: Ref
    by: str
    session: str
    started: datetime
    touched: datetime
    phase: Phase = Phase.STARTING
    link: str | None = None
    trouble: Trouble | None = None

    @property
    def sentence(self) -> str:
        """What went wrong, empty if nothing did."""
        return SENTENCES[self.trouble][0] if self.trouble else ""

    @property
    def next_step(self) -> str:
        """What to do now, in one sentence."""
        if self.trouble:
            return SENTENCES[self.trouble][1]
        return _NEXT[self.phase]


_NEXT: Final = {
    Phase.STARTING: "Claude Code is starting; the link appears in a moment.",
    Phase.LINK: "Open the link, approve there, and paste the code that it shows.",
    Phase.CHECKING: "Anthropic is checking the code.",
    Phase.STORED: "Nothing: the login is stored and is in use within seconds.",
    Phase.FAILED: "Start again.",
    Phase.CANCELLED: "Start again whenever you like.",
}


def begin(credential: Credential, *, identifier: str, by: str, session: str, now: datetime) -> SignIn:
    """Return a new sign-in."""
    return SignIn(id=identifier, credential=credential.ref, by=by, session=session, started=now, touched=now)


def link_shown(state: SignIn, link: str, now: datetime) -> SignIn:
    """Return the sign-in with its link. A link that does not lead to Anthropic is not shown: the sign-in fails."""
    if state.phase is not Phase.STARTING:
        return state
    where = urlsplit(link)
    if where.scheme != "https" or where.hostname not in _HOSTS or not state_of(link):
        return failed(state, Trouble.CLI, now)
    return replace(state, phase=Phase.LINK, link=link, touched=now)


def code_given(state: SignIn, pasted: str, now: datetime) -> tuple[SignIn, str | None]:
    """Return the sign-in after a person pasted a code, and the code for Claude Code if it can be the right one.

    Claude Code itself does not compare the state behind the # with that of its link.
    """
    if state.phase is not Phase.LINK:
        return state, None
    code = whole_code(pasted)
    if code is None:
        return replace(state, trouble=Trouble.INCOMPLETE, touched=now), None
    if code.rpartition("#")[2] != state_of(state.link or ""):
        return replace(state, trouble=Trouble.OTHER_LINK, touched=now), None
    return replace(state, phase=Phase.CHECKING, trouble=None, touched=now), code


def code_refused(state: SignIn, trouble: Trouble, now: datetime) -> SignIn:
    """Return the sign-in after Claude Code asked for the code once more."""
    if state.phase is not Phase.CHECKING:
        return state
    return replace(state, phase=Phase.LINK, trouble=trouble, touched=now)


def failed(state: SignIn, trouble: Trouble, now: datetime) -> SignIn:
    """Return the sign-in after a failure that ends it; an end that it already has stays."""
    if state.phase.is_over:
        return state
    return replace(state, phase=Phase.FAILED, trouble=trouble, link=None, touched=now)


def stored(state: SignIn, now: datetime) -> SignIn:
    """Return the sign-in after its login was stored."""
    if state.phase.is_over:
        return state
    return replace(state, phase=Phase.STORED, trouble=None, link=None, touched=now)


def cancelled(state: SignIn, now: datetime) -> SignIn:
    """Return the sign-in after its person cancelled it; an end that it already has stays."""
    if state.phase.is_over:
        return state
    return replace(state, phase=Phase.CANCELLED, trouble=None, link=None, touched=now)


def expired(state: SignIn, now: datetime) -> bool:
    """Whether the sign-in was idle for too long."""
    return not state.phase.is_over and now - state.touched > PATIENCE


def state_of(link: str) -> str:
    """Return the ``state`` parameter of a link; empty if it has none."""
    return (parse_qs(urlsplit(link).query).get("state") or [""])[0]


def whole_code(pasted: str) -> str | None:
    """Return ``code#state`` from what a person pasted: the code itself, or the address that they ended on.

    None if it is not whole. White space, which terminals and mails add, is dropped.
    """
    if len(pasted) > _LONGEST_CODE:
        return None
    text = "".join(pasted.split())
    if text.startswith("https://"):
        query = parse_qs(urlsplit(text).query)
        text = f"{(query.get('code') or [''])[0]}#{(query.get('state') or [''])[0]}"
    code, _, state = text.partition("#")
    return text if _CODE.fullmatch(code) and _CODE.fullmatch(state) else None
