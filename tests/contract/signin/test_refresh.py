"""Refreshing with the genuine CLI: in time, backing off, giving up, and never losing a login."""

import itertools
import json
import threading
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.support.clients.anthropic_cloud import Cloud
from tests.support.processes.refresher import refresher
from tests.support.processes.signin import LOGIN, entries, homes, signin, store, wait_for_refresh
from tests.support.processes.waiting import until

CAROL = {**LOGIN, "name": "carol", "owner": "carol@example.com", "secretName": "carol-login"}
KILLS = 50
MOMENTS = (0.0, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.13, 0.3)
"""Seconds from the rotation to the kill: before the answer, while the CLI or the store writes, and after."""


def refreshes(anthropic: Cloud) -> int:
    return anthropic.asked.count("POST platform.claude.com/v1/oauth/token")


def test_a_login_is_refreshed_before_it_ends(anthropic: Cloud, tmp_path: Path) -> None:
    old, other = anthropic.login(seconds=600), anthropic.login(seconds=28_000)
    folder = tmp_path / "service"
    folder.mkdir()
    store(folder, old)
    store(folder, other, CAROL)
    with signin(folder, anthropic.environment, credentials=(LOGIN, CAROL)) as service:
        new = wait_for_refresh(service, old["claudeAiOauth"]["accessToken"])
        assert new["refreshToken"] in anthropic.refreshes
        assert old["claudeAiOauth"]["refreshToken"] not in anthropic.refreshes
        assert new["expiresAt"] > old["claudeAiOauth"]["expiresAt"]
        assert service.login(CAROL) == other["claudeAiOauth"]
        assert service.state_of()["refresh"]["outcome"] == "ok"
        until(lambda: not homes(folder), what="the home to be removed")
        assert [path for path in anthropic.asked if "messages" in path] == []


def test_trouble_at_anthropic_keeps_the_login_and_rejection_asks_for_a_person(anthropic: Cloud, tmp_path: Path) -> None:
    old = anthropic.login(seconds=100)
    folder = tmp_path / "service"
    folder.mkdir()
    store(folder, old)
    anthropic.answer = 503
    with signin(folder, anthropic.environment) as service:
        until(lambda: service.state_of().get("refresh"), what="the refresh to fail")
        assert service.state_of()["refresh"]["outcome"] == "unavailable"
        assert service.login() == old["claudeAiOauth"]
        with service.client() as client:
            shown = client.get("/credentials/default/alice").json()
        assert (shown["tone"], shown["signedIn"]) == ("warn", True)
    anthropic.answer = 200
    with signin(folder, anthropic.environment) as service:
        new = wait_for_refresh(service, old["claudeAiOauth"]["accessToken"])
    # Somebody revoked it at Anthropic; a new start looks at once.
    anthropic.refreshes.clear()
    store(folder, {"claudeAiOauth": {**new, "expiresAt": int(time.time() * 1000)}})
    with signin(folder, anthropic.environment) as service:
        until(lambda: service.state_of().get("refresh"), what="the rejection")
        assert service.state_of()["refresh"]["outcome"] == "rejected"
        assert service.login()["refreshToken"] == new["refreshToken"]
        before = refreshes(anthropic)
        with service.client() as client:
            shown = client.get("/credentials/default/alice").json()
            assert (shown["state"], shown["message"]) == (
                "Sign in again",
                "Anthropic rejected the refresh token. Sign in again.",
            )
            started = client.post("/credentials/default/alice/sign-in").json()
            body = {"id": started["id"], "code": anthropic.approve(started["link"])}
            assert client.post("/credentials/default/alice/code", json=body).json()["phase"] == "stored"
            assert client.get("/credentials/default/alice").json()["state"] == "Signed in"
        assert refreshes(anthropic) == before + 1


def test_a_refresh_token_is_used_once(anthropic: Cloud, tmp_path: Path) -> None:
    """A check that finds the access token ended waits for the refresh that is under way, also for a slow one."""
    folder = tmp_path / "service"
    folder.mkdir()
    store(folder, anthropic.login(seconds=-60))
    rotating = threading.Event()

    def slowly() -> None:
        rotating.set()
        # Longer than the 8 seconds after which `claude auth status` would end.
        time.sleep(9)

    anthropic.rotated = slowly
    with signin(folder, anthropic.environment) as service, service.client() as client:
        assert rotating.wait(60)
        assert client.post("/credentials/default/alice/check").json()["outcome"] == "ok"
        assert service.state_of()["refresh"]["outcome"] == "ok"
    assert refreshes(anthropic) == 1


def test_a_sign_out_during_a_refresh_revokes_what_the_refresh_returned(anthropic: Cloud, tmp_path: Path) -> None:
    folder = tmp_path / "service"
    folder.mkdir()
    store(folder, anthropic.login(seconds=600))
    rotating, signed_out = threading.Event(), threading.Event()

    def until_signed_out() -> None:
        rotating.set()
        signed_out.wait(60)

    anthropic.rotated = until_signed_out
    with signin(folder, anthropic.environment) as service, service.client() as client:
        assert rotating.wait(60)
        assert client.post("/credentials/default/alice/sign-out").json()["state"] == "Signed out"
        signed_out.set()
        until(lambda: not anthropic.refreshes and not homes(folder), what="the new token to be revoked")
        assert service.entries() == {}


def test_a_login_survives_kills_at_the_worst_moments(anthropic: Cloud, tmp_path: Path) -> None:
    """Each start stores what the one before left, and refreshes again; a lost refresh token would be rejected."""
    folder = tmp_path / "service"
    folder.mkdir()
    store(folder, anthropic.login(seconds=60))
    anthropic.lifetime = 60
    moments = itertools.cycle(MOMENTS)
    for _ in range(KILLS):
        process = refresher(folder, anthropic.environment)
        killed = threading.Event()

        def kill(wait: float = next(moments), process: BaseProcess = process, done: threading.Event = killed) -> None:
            # In a thread of its own: the answer must go out meanwhile.
            def later() -> None:
                time.sleep(wait)
                process.kill()
                done.set()

            threading.Thread(target=later, daemon=True).start()

        # After the start: the CLI of the last process may rotate once more, and then there is nobody to kill yet.
        process.start()
        anthropic.rotated = kill
        assert killed.wait(60)
        process.join()
        anthropic.rotated = lambda: None
        state = json.loads(entries(folder).get("state.json", b"{}"))
        assert state.get("refresh", {}).get("outcome") != "rejected"
    anthropic.lifetime = 28_800
    with signin(folder, anthropic.environment, credentials=(LOGIN,)) as service:
        until(lambda: service.login()["refreshToken"] in anthropic.refreshes and not homes(folder), what="the login")
        until(lambda: service.state_of()["refresh"]["outcome"] == "ok", what="a refresh")
    assert refreshes(anthropic) >= KILLS
