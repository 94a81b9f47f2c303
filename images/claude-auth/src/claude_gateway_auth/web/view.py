"""What people and programs see of a credential: words, a tone, and no secret. Pure."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from claude_gateway.contract.login import LoginState, OAuth, Outcome, Refresh
from claude_gateway_auth import state as states
from claude_gateway_auth.credential import Credential, Method
from claude_gateway_auth.flow import SignIn
from claude_gateway_auth.login_writer import other_writer
from claude_gateway_auth.store.store import Stored

_SOON: Final = timedelta(days=7)


class Tone(StrEnum):
    """How a state is coloured; its words say the same."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class View:
    """A credential with its login and its sign-in, as one session sees it."""

    credential: Credential
    tone: Tone
    word: str
    sentence: str
    facts: tuple[tuple[str, str], ...]
    signed_in: bool
    sign_in: SignIn | None
    mine: bool
    """Whether the sign-in is this session's own: its link is shown to no other session."""

    @property
    def stamp(self) -> str:
        """Changes when anything that is shown changes."""
        return hashlib.sha256(
            repr((self.tone, self.word, self.sentence, self.facts, self.sign_in)).encode()
        ).hexdigest()[:16]

    @property
    def document(self) -> dict[str, Any]:
        """The view as JSON."""
        credential = self.credential
        return {
            "namespace": credential.namespace,
            "name": credential.name,
            "owner": credential.owner,
            "method": credential.method.value,
            "secretName": credential.secret_name,
            "signedIn": self.signed_in,
            "tone": self.tone.value,
            "state": self.word,
            "message": self.sentence,
            "facts": dict(self.facts),
            "stamp": self.stamp,
            "signIn": None if self.sign_in is None else sign_in_document(self.sign_in, mine=self.mine),
        }


def sign_in_document(state: SignIn, *, mine: bool) -> dict[str, Any]:
    """Return a sign-in as JSON; its link only for the session that began it."""
    return {
        "id": state.id if mine else None,
        "phase": state.phase.value,
        "by": state.by,
        "started": moment(state.started),
        "link": state.link if mine else None,
        "message": state.sentence,
        "nextStep": state.next_step,
    }


def view(credential: Credential, stored: Stored, sign_in: SignIn | None, *, session: str, now: datetime) -> View:
    """Return what a session sees of a credential."""
    state = stored.state()
    login = stored.entries.get(credential.method.key)
    parsed = states.parse(login, credential.method) if login else None
    mine = sign_in is not None and sign_in.session == session
    tone, word, sentence = _judged(credential, stored, state, parsed=parsed, now=now)
    return View(
        credential=credential,
        tone=tone,
        word=word,
        sentence=sentence,
        facts=_facts(credential, state, parsed) if login else (),
        signed_in=login is not None,
        sign_in=sign_in,
        mine=mine,
    )


def out_of_reach(credential: Credential, why: str, sign_in: SignIn | None, *, session: str) -> View:
    """Return what a session sees of a credential whose Secret cannot be read."""
    sentence = f"The Secret {credential.secret_name} cannot be read now: {why}. It is tried again by itself."
    return View(
        credential=credential,
        tone=Tone.BAD,
        word="Out of reach",
        sentence=sentence,
        facts=(),
        signed_in=False,
        sign_in=sign_in,
        mine=sign_in is not None and sign_in.session == session,
    )


def _judged(
    credential: Credential, stored: Stored, state: LoginState, *, parsed: object, now: datetime
) -> tuple[Tone, str, str]:
    if parsed is None:
        return Tone.NONE, "Signed out", "Nobody is signed in. Sign in to use this credential."
    if isinstance(parsed, str):
        return Tone.BAD, "Unreadable", f"The login in the Secret cannot be read: {parsed}. Sign in again."
    oauth = parsed if isinstance(parsed, OAuth) else None
    if stored.foreign and oauth is not None and oauth.refresh_token:
        said = other_writer(credential, stored.foreign)
        return Tone.BAD, "Two writers", f"{said[:1].upper()}{said[1:]}."
    if states.needs_person(state, now, oauth.refresh_expires if oauth else None):
        return Tone.BAD, "Sign in again", _why(state)
    ends = oauth.expires if oauth else state.expires_at
    refreshes = oauth is not None and oauth.refresh_token is not None
    if ends is not None and ends <= now:
        what = "The access token has ended and could not be refreshed yet." if refreshes else "The token has ended."
        return Tone.BAD, "Expired", f"{what} Check now, or sign in again."
    last = oauth.refresh_expires if oauth else ends
    if not refreshes and last is None:
        last = ends
    if last is not None and last - now < _SOON:
        return Tone.WARN, "Ends soon", f"The login ends on {moment(last)}. Sign in again before that."
    if state.refresh is not None and state.refresh.outcome is Outcome.UNAVAILABLE:
        return Tone.WARN, "Signed in", f"The last refresh failed. {_message(state.refresh)}"
    return Tone.OK, "Signed in", "The login works." if state.probe else "The login is in use."


def _why(state: LoginState) -> str:
    if state.refresh is not None and state.refresh.outcome is Outcome.REJECTED:
        return _message(state.refresh)
    if state.probe is not None and state.probe.outcome is Outcome.REJECTED:
        return state.probe.message
    return "The login has ended. Sign in again."


def _message(refresh: Refresh) -> str:
    return refresh.message or "Sign in again."


def _facts(credential: Credential, state: LoginState, parsed: object) -> tuple[tuple[str, str], ...]:
    oauth = parsed if isinstance(parsed, OAuth) else None
    ends = oauth.expires if oauth else state.expires_at
    found: list[tuple[str, str | None]] = [
        ("Signed in", _at(state.signed_in_at, f" by {state.signed_in_by}" if state.signed_in_by else "")),
        ("Subscription", (oauth.subscription_type if oauth else None) or state.subscription_type),
        ("Rate limit tier", (oauth.rate_limit_tier if oauth else None) or state.rate_limit_tier),
        ("Token ends" if credential.method is Method.SETUP_TOKEN else "Access token ends", _at(ends)),
        ("Login ends", _at(oauth.refresh_expires if oauth else None)),
        ("Last refresh", _at(state.refreshed_at)),
    ]
    if state.probe is not None:
        words = {Outcome.OK: "valid", Outcome.REJECTED: "rejected", Outcome.UNAVAILABLE: "no answer"}
        said = f": {words[state.probe.outcome]} ({state.probe.asked})"
        found.append(("Last check", _at(state.probe.at, said)))
    for name, window in state.windows.items():
        if window.utilization is not None:
            resets = f", resets {moment(window.resets_at)}" if window.resets_at else ""
            found.append((f"Used in {name}", f"{window.utilization:.0%}{resets}"))
    return tuple((label, value) for label, value in found if value)


def _at(when: datetime | None, more: str = "") -> str | None:
    return None if when is None else moment(when) + more


def moment(when: datetime) -> str:
    """Return a time for people."""
    return when.strftime("%Y-%m-%d %H:%M UTC")
