"""Signing in with the genuine CLI: the whole way, and everything that can go wrong on it."""

import stat
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
from tests.support.clients.anthropic_cloud import Cloud
from tests.support.processes.signin import KEY, LOGIN, TOKEN, SignInService, homes

ALICE = "/credentials/default/alice"
BOB = "/credentials/default/bob"


def test_a_login_is_stored_with_its_state(service: SignInService, anthropic: Cloud) -> None:
    with service.client() as client:
        before = client.get("/credentials").json()["credentials"]
        assert [(one["name"], one["state"]) for one in before] == [("alice", "Signed out"), ("bob", "Signed out")]
        started = client.post(f"{ALICE}/sign-in").json()
        assert started["phase"] == "link"
        code = anthropic.approve(started["link"])
        done = client.post(f"{ALICE}/code", json={"id": started["id"], "code": code}).json()
        assert (done["phase"], done["link"]) == ("stored", None)
        shown = client.get(ALICE).json()
    assert (shown["state"], shown["tone"], shown["signedIn"]) == ("Signed in", "ok", True)
    assert service.login()["accessToken"] in anthropic.accesses
    state = service.state_of()
    assert (state["signedInBy"], state["subscriptionType"]) == ("key", "max")
    path = service.state / "default.alice-login.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(service.state.stat().st_mode) == 0o700
    assert not [secret for secret in anthropic.issued if secret in str(shown)]
    audited = [(line["action"], line["outcome"]) for line in service.process.lines("audit")]
    assert audited == [("sign_in_started", "ok"), ("code_entered", "stored")]


def test_a_long_lived_token_is_stored(service: SignInService, anthropic: Cloud) -> None:
    with service.client() as client:
        started = client.post(f"{BOB}/sign-in").json()
        code = anthropic.approve(started["link"])
        done = client.post(f"{BOB}/code", json={"id": started["id"], "code": code}).json()
    assert done["phase"] == "stored", done
    assert service.entries(TOKEN)["token"].decode() in anthropic.accesses
    assert service.entries(LOGIN) == {}


def test_each_mistake_is_a_sentence_with_the_next_step(service: SignInService, anthropic: Cloud) -> None:
    with service.client() as client:
        for path in (ALICE, BOB):
            started = client.post(f"{path}/sign-in").json()
            code = anthropic.approve(started["link"])
            half = client.post(f"{path}/code", json={"id": started["id"], "code": code.partition("#")[0]}).json()
            assert (half["phase"], half["message"]) == ("link", "That is not the whole code.")
            other = client.post(f"{path}/code", json={"id": started["id"], "code": "code-1#other"}).json()
            assert (other["phase"], other["message"]) == ("link", "That code belongs to another link.")
            state = code.partition("#")[2]
            wrong = client.post(f"{path}/code", json={"id": started["id"], "code": f"code-2#{state}"}).json()
            assert wrong["phase"] == "failed"
            assert wrong["message"].startswith("Anthropic did not accept the code")
            late = client.post(f"{path}/code", json={"id": started["id"], "code": code}).json()
            assert late["phase"] == "failed"
            old = client.post(f"{path}/code", json={"id": "0", "code": code})
            assert (old.status_code, old.json()["error"]["title"]) == (410, "Gone")
    assert service.entries() == {}


def test_trouble_at_anthropic_and_in_the_network_is_told_apart(service: SignInService, anthropic: Cloud) -> None:
    with service.client() as client:
        for path in (ALICE, BOB):
            anthropic.answer = 503
            started = client.post(f"{path}/sign-in").json()
            code = anthropic.approve(started["link"])
            done = client.post(f"{path}/code", json={"id": started["id"], "code": code}).json()
            assert done["message"] == "Anthropic's sign-in service had a problem."
            anthropic.answer, anthropic.reachable = 200, False
            started = client.post(f"{path}/sign-in").json()
            code = anthropic.approve(started["link"])
            done = client.post(f"{path}/code", json={"id": started["id"], "code": code}).json()
            assert done["message"] == "Anthropic's sign-in service could not be reached."
            anthropic.reachable = True
    assert service.entries() == {}


def test_a_sign_in_can_be_cancelled_and_started_again(service: SignInService, anthropic: Cloud) -> None:
    with service.client() as client:
        first = client.post(f"{ALICE}/sign-in").json()
        gone = client.post(f"{ALICE}/cancel", json={"id": first["id"]}).json()
        assert gone["phase"] == "cancelled"
        second = client.post(f"{ALICE}/sign-in").json()
        third = client.post(f"{ALICE}/sign-in").json()
        assert len({first["link"], second["link"], third["link"]}) == 3
        code = anthropic.approve(third["link"])
        assert client.post(f"{ALICE}/code", json={"id": third["id"], "code": code}).json()["phase"] == "stored"


def test_sign_ins_that_begin_at_once_leave_one(service: SignInService, anthropic: Cloud) -> None:
    """All but the last are replaced, and nothing of theirs goes on."""

    def start(_: int) -> dict[str, Any]:
        with service.client() as client:
            return dict(client.post(f"{ALICE}/sign-in").json())

    with ThreadPoolExecutor(4) as threads:
        started = list(threads.map(start, range(4)))
    with service.client() as client:
        current = client.get(ALICE).json()["signIn"]
        assert [one["phase"] for one in started if one["id"] != current["id"]] == ["failed"] * 3
        assert len(homes(service.folder)) == 1
        assert len(psutil.Process(service.process.pid).children()) == 1
        body = {"id": current["id"], "code": anthropic.approve(current["link"])}
        assert client.post(f"{ALICE}/code", json=body).json()["phase"] == "stored"


def test_a_code_is_used_once_however_often_it_is_sent(service: SignInService, anthropic: Cloud) -> None:
    with service.client() as client:
        started = client.post(f"{ALICE}/sign-in").json()
    body = {"id": started["id"], "code": anthropic.approve(started["link"])}

    def send(_: int) -> str:
        with service.client() as client:
            return str(client.post(f"{ALICE}/code", json=body).json()["phase"])

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(send, range(3))) == ["stored"] * 3
    assert anthropic.asked.count("POST platform.claude.com/v1/oauth/token") == 1


def test_a_check_refreshes_a_token_that_ended_before_its_time(service: SignInService, anthropic: Cloud) -> None:
    """As with a clock that is wrong here or there."""
    login = anthropic.login()
    with service.client() as client:
        client.post(f"{ALICE}/import", json=login)
        anthropic.accesses.clear()
        assert client.post(f"{ALICE}/check").json()["outcome"] == "ok"
        assert client.get(ALICE).json()["state"] == "Signed in"
    assert service.login()["accessToken"] in anthropic.accesses


def test_sign_out_check_and_import(service: SignInService, anthropic: Cloud) -> None:
    login = anthropic.login()
    with service.client() as client:
        assert client.post(f"{ALICE}/check").status_code == 409
        refused = client.post(f"{ALICE}/import", content=b'{"claudeAiOauth": {}}')
        assert (refused.status_code, "accessToken" in refused.text) == (409, True)
        stored = client.post(f"{ALICE}/import", json={**login, "mcpOAuth": {"secret": "of-another-server"}})
        assert stored.json()["state"] == "Signed in"
        assert b"of-another-server" not in service.entries()[".credentials.json"]
        assert service.login() == login["claudeAiOauth"]
        shown = client.post(f"{BOB}/import", content=anthropic.pair()[0].encode() + b"\n").json()
        assert shown["state"] == "Signed in"
        checked = client.post(f"{BOB}/check").json()
        assert checked == {"outcome": "ok", "message": "", "asked": "one count of tokens"}
        again = client.post(f"{BOB}/check")
        assert (again.status_code, again.json()["error"]["title"]) == (409, "Not done")
        assert client.get(BOB).json()["facts"]["Used in 5h"].startswith("25%")
        out = client.post(f"{ALICE}/sign-out").json()
        assert out["state"] == "Signed out"
    assert anthropic.revoked == [login["claudeAiOauth"]["refreshToken"]]
    assert service.entries() == {}
    counted = [path for path in anthropic.asked if path.endswith(("/messages", "/count_tokens"))]
    assert counted == ["POST api.anthropic.com/v1/messages/count_tokens"]


def test_a_revoked_login_is_rejected_by_a_check(service: SignInService, anthropic: Cloud) -> None:
    with service.client() as client:
        client.post(f"{ALICE}/import", json=anthropic.login())
        anthropic.valid = False
        assert client.post(f"{ALICE}/check").json()["outcome"] == "rejected"
        shown = client.get(ALICE).json()
        assert (shown["state"], shown["tone"]) == ("Sign in again", "bad")
        anthropic.valid = True
        started = client.post(f"{ALICE}/sign-in").json()
        code = anthropic.approve(started["link"])
        client.post(f"{ALICE}/code", json={"id": started["id"], "code": code})
        assert client.get(ALICE).json()["state"] == "Signed in"


def test_only_the_key_opens_the_api(service: SignInService) -> None:
    with service.client(key=None) as client:
        assert client.get("/credentials").status_code == 401
        assert client.get("/credentials", headers={"authorization": "Bearer wrong"}).status_code == 401
        codes = [client.get("/credentials", headers={"authorization": f"Bearer {n}"}).status_code for n in range(20)]
        assert codes[-1] == 429
        blocked = client.get("/credentials", headers={"authorization": f"Bearer {KEY}"})
        assert (blocked.status_code, int(blocked.headers["retry-after"]) > 0) == (429, True)
