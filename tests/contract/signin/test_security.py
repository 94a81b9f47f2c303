"""Who gets in, what browsers are kept from, and people who see only what is theirs."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.support.clients.anthropic_cloud import Cloud
from tests.support.clients.oidc import CLIENT, Provider, provider
from tests.support.processes.signin import KEY, SignInService, signin

ALICE = "/auth/credentials/default/alice"


@contextmanager
def browser(service: SignInService) -> Iterator[httpx.Client]:
    """A browser that entered with the key."""
    with httpx.Client(base_url=service.url, timeout=60) as client:
        page = client.get("/auth/", follow_redirects=True)
        entered = client.post("/auth/enter", data={"key": KEY, "csrf": token(page)})
        assert (entered.status_code, entered.headers["location"]) == (303, "/auth/")
        yield client


def token(page: httpx.Response) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
    assert found is not None
    return found[1]


def test_no_page_opens_without_a_session(service: SignInService) -> None:
    with httpx.Client(base_url=service.url) as client:
        for path in ("/auth/", ALICE):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["location"]) == (303, "/auth/enter")
        for action in ("sign-in", "code", "cancel", "sign-out", "check", "import"):
            assert client.post(f"{ALICE}/{action}").status_code == 303
            assert client.post(f"/auth/api/credentials/default/alice/{action}").status_code == 401


def test_every_answer_has_the_headers_of_a_closed_page(service: SignInService) -> None:
    with browser(service) as client:
        for path in ("/auth/", ALICE, "/auth/static/style.css", "/auth/api/credentials", "/auth/nowhere", "/healthz"):
            headers = client.get(path).headers
            assert headers["content-security-policy"].startswith("default-src 'none'; ")
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["cache-control"] == "no-store"
        cookie = client.get("/auth/enter").headers.get("set-cookie", "")
        assert cookie == ""
    with httpx.Client(base_url=service.url) as client:
        cookie = client.get("/auth/enter").headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=lax" in cookie.lower()
        assert "Path=/auth" in cookie


def test_a_form_of_another_site_does_nothing(service: SignInService) -> None:
    with browser(service) as client:
        good = token(client.get(ALICE))
        for data, headers in (
            ({}, {}),
            ({"csrf": "0" * 64}, {}),
            ({"csrf": good}, {"origin": "https://evil.example"}),
            ({"csrf": good}, {"sec-fetch-site": "cross-site"}),
            ({"csrf": good}, {"sec-fetch-site": "same-site"}),
        ):
            answer = client.post(f"{ALICE}/sign-in", data=data, headers=headers)
            assert (answer.status_code, "Not accepted" in answer.text) == (403, True)
        api = "/auth/api/credentials/default/alice/sign-out"
        assert client.post(api).status_code == 403
        assert client.post(api, headers={"x-csrf-token": good}).status_code == 200
        assert client.get("/auth/api/credentials/default/alice").json()["signIn"] is None


def test_input_is_bounded_and_never_rendered(service: SignInService) -> None:
    with browser(service) as client:
        csrf = token(client.get(ALICE))
        large = client.post(f"{ALICE}/code", data={"csrf": csrf, "code": "x" * 10_000, "sign_in": "1"})
        assert (large.status_code, "x" * 100 in large.text) == (400, False)
        path = "/auth/api/credentials/default/alice/import"
        flood = client.post(path, content=b"x" * 600_000, headers={"x-csrf-token": csrf})
        assert flood.status_code in (400, 413)
        marked = client.get("/auth/credentials/default/<script>")
        assert (marked.status_code, "<script>" in marked.text.replace('<script src="/auth/static', "")) == (404, False)
        assert client.get(f"{ALICE}?done=<b>bold</b>").text.count("<b>") == 0


def test_leaving_ends_the_session_for_copies_too(service: SignInService) -> None:
    with browser(service) as client:
        copy = dict(client.cookies)
        client.post("/auth/leave", data={"csrf": token(client.get("/auth/"))})
        assert client.get("/auth/").status_code == 303
        assert httpx.get(f"{service.url}/auth/", cookies=copy).status_code == 303


def test_of_two_people_who_begin_at_once_one_is_told_so(service: SignInService) -> None:
    def start(client: httpx.Client) -> int:
        headers = {"x-csrf-token": token(client.get(ALICE))}
        return client.post("/auth/api/credentials/default/alice/sign-in", headers=headers).status_code

    with browser(service) as one, browser(service) as other, ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(start, (one, other))) == [200, 409]


@pytest.fixture
def organisation(tmp_path: Path) -> Iterator[Provider]:
    folder = tmp_path / "oidc"
    folder.mkdir()
    with provider(folder) as running:
        yield running


def come_back(client: httpx.Client, organisation: Provider, email: str) -> httpx.Response:
    begun = client.get("/auth/oidc/start")
    code, state = organisation.confirm(begun.headers["location"], email)
    return client.get("/auth/oidc/callback", params={"code": code, "state": state})


def test_people_of_an_organisation_see_what_is_theirs(anthropic: Cloud, organisation: Provider, tmp_path: Path) -> None:
    environment = {
        **anthropic.environment,
        "SSL_CERT_FILE": organisation.authority,
        "CLAUDE_GATEWAY_OIDC_ISSUER": organisation.issuer,
        "CLAUDE_GATEWAY_OIDC_CLIENT_ID": CLIENT,
        "CLAUDE_GATEWAY_OIDC_ALLOWED": "Alice@example.com, carol@example.com",
    }
    with signin(tmp_path / "service", environment) as service:
        with httpx.Client(base_url=service.url, timeout=60) as client:
            assert come_back(client, organisation, "alice@example.com").headers["location"] == "/auth/"
            listed = client.get("/auth/api/credentials").json()["credentials"]
            assert [one["name"] for one in listed] == ["alice"]
            assert client.get("/auth/credentials/default/bob").status_code == 404
            csrf = {"x-csrf-token": token(client.get(ALICE))}
            started = client.post("/auth/api/credentials/default/alice/sign-in", headers=csrf).json()
            body = {"id": started["id"], "code": anthropic.approve(started["link"])}
            done = client.post("/auth/api/credentials/default/alice/code", json=body, headers=csrf).json()
            assert done["phase"] == "stored"
            assert service.state_of()["signedInBy"] == "alice@example.com"
        with httpx.Client(base_url=service.url, timeout=60) as client:
            assert come_back(client, organisation, "bob@example.com").status_code == 403
            organisation.claims = {"email_verified": False}
            assert come_back(client, organisation, "alice@example.com").status_code == 403
            for claims in ({"aud": "another"}, {"iss": "https://evil.example"}, {"exp": 1}, {"nonce": "old"}):
                organisation.claims = claims
                assert come_back(client, organisation, "alice@example.com").status_code == 403
            organisation.claims, organisation.key = {}, rsa.generate_private_key(65_537, 2048)
            assert come_back(client, organisation, "alice@example.com").status_code == 403
            organisation.key = None
            begun = client.get("/auth/oidc/start")
            code, _ = organisation.confirm(begun.headers["location"], "alice@example.com")
            forged = client.get("/auth/oidc/callback", params={"code": code, "state": "another"})
            assert forged.status_code == 403
            assert client.get("/auth/").status_code == 303
