"""The words and the tone of every state of a login, and that no token is among them."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from claude_gateway.contract.login import LoginState, Outcome, Probe, Refresh, Window
from claude_gateway_auth import state as states
from claude_gateway_auth.credential import Credential, Method
from claude_gateway_auth.store.store import Stored
from claude_gateway_auth.web.view import Tone, View, view

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
ALICE = Credential(namespace="n", name="a", owner="a@example.com", method=Method.LOGIN, secret_name="s")
BOB = ALICE.model_copy(update={"name": "b", "method": Method.SETUP_TOKEN})
ACCESS, REFRESH = "sk-ant-oat01-very-secret-access", "sk-ant-ort01-very-secret-refresh"


def seen(credential: Credential, entries: dict[str, bytes], *, foreign: str = "") -> View:
    found = view(credential, Stored(entries, "1", foreign), None, session="s", now=NOW)
    assert ACCESS not in json.dumps(found.document)
    assert REFRESH not in json.dumps(found.document)
    return found


def file(*, ends: timedelta = timedelta(hours=5), login_ends: timedelta | None = None) -> dict[str, bytes]:
    oauth = {"accessToken": ACCESS, "refreshToken": REFRESH, "expiresAt": int((NOW + ends).timestamp() * 1000)}
    if login_ends is not None:
        oauth["refreshTokenExpiresAt"] = int((NOW + login_ends).timestamp() * 1000)
    return {".credentials.json": json.dumps({"claudeAiOauth": oauth}).encode()}


def saying(state: LoginState) -> dict[str, bytes]:
    return states.written(state)


@pytest.mark.parametrize(
    ("found", "tone", "word"),
    [
        (seen(ALICE, {}), Tone.NONE, "Signed out"),
        (seen(ALICE, {".credentials.json": b"{"}), Tone.BAD, "Unreadable"),
        (seen(ALICE, file()), Tone.OK, "Signed in"),
        (seen(ALICE, file(), foreign="Helm"), Tone.BAD, "Two writers"),
        (seen(ALICE, file(ends=-timedelta(minutes=1))), Tone.BAD, "Expired"),
        (seen(ALICE, file(login_ends=timedelta(days=3))), Tone.WARN, "Ends soon"),
        (seen(ALICE, file(login_ends=timedelta(days=-3))), Tone.BAD, "Sign in again"),
        (
            seen(ALICE, {**file(), **saying(LoginState(refresh=Refresh(at=NOW, outcome=Outcome.REJECTED)))}),
            Tone.BAD,
            "Sign in again",
        ),
        (
            seen(ALICE, {**file(), **saying(LoginState(refresh=Refresh(at=NOW, outcome=Outcome.UNAVAILABLE)))}),
            Tone.WARN,
            "Signed in",
        ),
        (
            seen(BOB, {"token": ACCESS.encode(), **saying(LoginState(expires_at=NOW + timedelta(days=3)))}),
            Tone.WARN,
            "Ends soon",
        ),
        (seen(BOB, {"token": ACCESS.encode()}, foreign="External Secrets"), Tone.OK, "Signed in"),
    ],
)
def test_each_state_has_its_words(found: View, tone: Tone, word: str) -> None:
    assert (found.tone, found.word) == (tone, word)
    assert found.sentence.endswith((".", "again"))


def test_facts_say_what_is_known() -> None:
    state = LoginState(
        signed_in_at=NOW,
        signed_in_by="key",
        subscription_type="max",
        probe=Probe(at=NOW, asked="one count of tokens", outcome=Outcome.OK),
        windows={"5h": Window(utilization=0.25, resets_at=NOW + timedelta(hours=2))},
    )
    facts = dict(seen(ALICE, {**file(), **saying(state)}).facts)
    assert facts["Signed in"] == "2026-11-29 12:00 UTC by key"
    assert facts["Subscription"] == "max"
    assert facts["Last check"] == "2026-11-29 12:00 UTC: valid (one count of tokens)"
    assert facts["Used in 5h"] == "25%, resets 2026-11-29 14:00 UTC"
