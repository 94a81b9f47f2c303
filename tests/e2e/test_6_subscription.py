"""Two people's own subscriptions: the page, every format, restarts, refreshes and rejections."""

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import expect
from tests.e2e.pods.load import Group
from tests.e2e.release import Gateway, Release, new_client
from tests.support.clients.anthropic_cloud import make_certificates
from tests.support.clients.browser import PATIENCE, browser
from tests.support.kube import dump as kubedump
from tests.support.kube import pods as kubepods
from tests.support.kube import standins
from tests.support.kube.kubectl import Manifest
from tests.support.processes.waiting import until

from claude_gateway.names import API_VERSION

PEOPLE: Final = ("ada", "bea")
PROXY: Final = f"http://anthropic.{kubepods.UPSTREAM}.svc.cluster.local:3128"
SETTINGS: Final = (
    "claudeCode.enabled=true",
    "claudeCode.poolSize=1",
    "claudeCode.resources.requests.cpu=10m",
    "claudeAuth.enabled=true",
    "claudeAuth.refreshBeforeSeconds=60",
    "claudeAuth.resources.requests.cpu=10m",
    "proxy.replicas=1",
    f"egress.httpsProxy={PROXY}",
    "egress.noProxy=.svc\\,.svc.cluster.local\\,127.0.0.1",
)
KILLS: Final = int(os.environ.get("KILLS") or 3)
"""How often the refresher is killed; each takes 4 to 9 seconds. ``KILLS=50`` is for a person who wants to be sure."""
WORDS: Final = " ".join(f"word{number}" for number in range(1, 13))


class Subscriptions:
    """A release with the backend and the page, and two people with a credential, a route and a client each."""

    def __init__(self, release: Release) -> None:
        self.release = release
        self.kube = release.kube
        self.place = release.namespace
        self.anthropic = standins.AnthropicHosts(release.kube)
        self.keys: dict[str, str] = {}

    def furnish(self) -> None:
        """Apply the people's objects, and make a client pod for each."""
        for name in PEOPLE:
            self.keys[name] = new_client(self.release, name, owner=f"{name}@example.com")
            self.kube.apply(*_objects(name), namespace=self.place)
            self.kube.apply(*kubepods.client(name, url=self.release.url, key=self.keys[name]))
        for name in PEOPLE:
            self.kube.wait(f"pod/{name}", condition="Ready", namespace=kubepods.CLIENTS)

    @property
    def page_key(self) -> str:
        """The key that opens the page."""
        return self.release.secret(f"{self.release.fullname}-claude-auth", "key")

    @contextmanager
    def page(self) -> Iterator[str]:
        """Yield the address of the page, from here."""
        with self.release.page() as url:
            yield f"{url}/auth/"

    def login(self, name: str) -> dict[str, Any]:
        """Return a person's login as their Secret holds it."""
        text = self.release.secret(f"{name}-login", ".credentials.json")
        return dict(json.loads(text)["claudeAiOauth"])

    def bring(self, name: str, *, seconds: float = 28_800) -> str:
        """Import another valid login for a person, which ends in so many seconds, and return its access token."""
        login = self.anthropic.login()
        login["claudeAiOauth"]["expiresAt"] = int((time.time() + seconds) * 1000)
        with self.page() as url:
            answer = httpx.post(
                f"{url}api/credentials/{self.place}/{name}/import",
                headers={"authorization": f"Bearer {self.page_key}"},
                json=login,
                timeout=60,
            )
        assert answer.status_code == 200, answer.text
        return str(login["claudeAiOauth"]["accessToken"])

    def ask(self, name: str, prompt: str) -> str:
        """Ask by Claude Code in a person's pod."""
        said = kubepods.run(self.kube, name, "claude-newest", "-p", "--model", f"{name}-sonnet", prompt)
        return said.strip()

    def ready(self, name: str) -> None:
        """Wait until a person's credential and route are served."""
        self.kube.wait(f"claudecredential/{name}", f"modelroute/{name}", condition="Ready", namespace=self.place)


@pytest.fixture(scope="module")
def own(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subscriptions]:
    """The release; removed afterwards, as the next file expects."""
    kube, folder = gateway.kube, tmp_path_factory.mktemp("anthropic")
    trusted = make_certificates(folder).read_text()
    kube.apply(*standins.anthropic_hosts(folder))
    kube.rolled("anthropic", namespace=kubepods.UPSTREAM)
    release = Release(kube, name="own", namespace="subscriptions")
    release.install(*SETTINGS, trusted=trusted)
    made = Subscriptions(release)
    made.furnish()
    yield made
    gateway.secrets.extend([*made.anthropic.issued, *made.keys.values(), made.page_key, *release.own_secrets])
    release.remove(*PEOPLE)


def test_before_anybody_signed_in_the_status_says_what_to_do(own: Subscriptions) -> None:
    found = own.kube.until_condition(
        "claudecredential", "Ready", namespace=own.place, name="ada", status="False", reason="NotSignedIn"
    )
    assert "sign in" in found["message"].lower()


def test_ada_signs_in_on_the_page(own: Subscriptions) -> None:
    with own.page() as url, browser() as chromium:
        page = chromium.new_page()
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        page.goto(url)
        page.get_by_label("Key of this page").fill(own.page_key)
        page.get_by_role("button", name="Enter").click()
        page.get_by_role("link", name=f"{own.place}/ada").click()
        page.get_by_role("button", name="Sign in", exact=True).click()
        link = str(page.get_by_role("link", name="Open the link to Claude").get_attribute("href"))
        page.get_by_label("Paste the code that Claude shows").fill(own.anthropic.approve(link))
        page.get_by_role("button", name="Finish").click()
        expect(page.get_by_text("Signed in. Nothing: the login is stored")).to_be_visible()
        assert own.login("ada")["accessToken"] in own.anthropic.issued
    own.ready("ada")


def test_bea_brings_the_login_that_she_has(own: Subscriptions) -> None:
    own.bring("bea")
    own.ready("bea")


@pytest.mark.parametrize("sdk", ["openai", "anthropic", "langchain"])
def test_an_sdk_streams_and_takes_a_tool_round(own: Subscriptions, sdk: str) -> None:
    seen = kubepods.program(own.kube, "ada", f"sdk_{sdk}.py", "ada-sonnet")
    assert (seen["text"], seen["calls"]) == (WORDS, [["weather", {"city": "Wien"}]])
    assert seen["pieces"] > 1
    assert "sun" in seen["after"]


def test_each_person_s_own_login_answers_and_nobody_else_may_ask(own: Subscriptions) -> None:
    for name in PEOPLE:
        assert f"hello of {name}" in own.ask(name, f"hello of {name}")
    tokens = {name: own.login(name)["accessToken"] for name in PEOPLE}
    for name in PEOPLE:
        asked = {token for token, body in own.anthropic.turns if f"hello of {name}" in body}
        assert asked == {tokens[name]}
    group = Group("crossed", own.release.url, "ada-sonnet", rounds=1, workers=1)
    with kubepods.Load(own.kube, "bea", [group]) as load:
        load.finish()
    assert re.match("status 40[04]", load.answers[0].problem or "")


def test_a_restart_of_every_pod_loses_no_login(own: Subscriptions) -> None:
    own.kube.kubectl("delete", "pods", "--all", "-n", own.place, "--wait")
    for part in ("operator", "proxy", "claude-code", "claude-auth"):
        own.kube.rolled(f"{own.release.fullname}-{part}", namespace=own.place)
    assert "still here" in own.ask("ada", "still here")


def test_a_login_is_refreshed_before_its_end_without_a_failed_request(own: Subscriptions) -> None:
    own.anthropic.set(lifetime=90)
    before = own.bring("ada", seconds=75)
    group = Group("steady", own.release.url, "ada-sonnet", workers=1, pause=0.5)
    with kubepods.Load(own.kube, "ada", [group]) as load:
        until(lambda: own.login("ada")["accessToken"] != before, timeout=120, what="a refresh")
        load.wait_for_more(6)
    assert load.problems() == []


def test_a_rejected_refresh_is_said_and_harms_nobody_else(own: Subscriptions) -> None:
    own.anthropic.set(answer=400)
    try:
        found = own.kube.until_condition("claudecredential", "Valid", namespace=own.place, name="ada", status="False")
        assert "sign in again" in found["message"].lower()
        assert "unharmed" in own.ask("bea", "unharmed")
        with own.page() as url:
            listed = httpx.get(f"{url}api/credentials", headers={"authorization": f"Bearer {own.page_key}"}, timeout=60)
        assert "sign in again" in listed.text.lower()
    finally:
        own.anthropic.set(answer=200, lifetime=28_800)


def test_kills_of_the_refresher_in_the_middle_of_a_refresh_lose_no_login(own: Subscriptions) -> None:
    """Each new process stores what the one before left, and refreshes again; a lost token would be rejected."""
    own.anthropic.set(lifetime=60)
    own.bring("ada", seconds=60)
    container = (f"deployment/{own.release.fullname}-claude-auth", "-n", own.place, "-c", "claude-auth")
    killer = Path("tests/e2e/pods/kill_refresher.py").read_text()
    said = own.kube.kubectl("exec", "-i", *container, "--", "python", "-", str(KILLS), text=killer, timeout=30 * KILLS)
    assert said.count("killed") == KILLS
    own.anthropic.set(lifetime=28_800)
    until(lambda: own.login("ada")["expiresAt"] / 1000 > time.time() + 3600, timeout=120, what="a refresh")
    assert own.login("ada")["refreshToken"] in own.anthropic.refreshes
    own.ready("ada")
    assert "never lost" in own.ask("ada", "never lost")


def test_no_secret_of_the_run_is_anywhere(own: Subscriptions) -> None:
    wanted = {*own.anthropic.issued, *own.keys.values(), own.page_key}
    assert len(wanted) > 8
    logs = dict(kubedump.logs())
    for part in ("claude-code", "claude-auth"):
        assert any(f"/{part}/" in path for path in logs), f"no log of {part} was kept"
    assert kubedump.leaks(own.kube, wanted) == []


def _objects(name: str) -> list[Manifest]:
    """A credential for a login that refreshes, and a route for its owner alone."""
    subscription = {"owner": f"{name}@example.com", "method": "Login", "secretName": f"{name}-login"}
    route = {
        "models": [f"{name}-sonnet"],
        "targets": [{"model": "claude-code/sonnet", "credential": name}],
        "allowedClients": {"from": "Clients", "clients": [name]},
    }
    return [
        {
            "apiVersion": API_VERSION,
            "kind": "ClaudeCredential",
            "metadata": {"name": name},
            "spec": {"subscription": subscription},
        },
        {"apiVersion": API_VERSION, "kind": "ModelRoute", "metadata": {"name": name}, "spec": route},
    ]
