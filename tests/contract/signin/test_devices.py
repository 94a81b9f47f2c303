"""Claude Code signs in at the gateway: the device flow, with a stand-in for the organisation's identity provider."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from tests.support.builders.certificates import signing_key
from tests.support.clients.anthropic_cloud import Cloud
from tests.support.clients.device_login import Browser
from tests.support.clients.oidc import CLIENT, Provider
from tests.support.processes.signin import SignInService, signin

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
PUBLIC = "http://auth.example.com"
"""Not https: the cookies of this test's browser would not come back over its plain connection."""
ISSUER = f"{PUBLIC}/auth"
ADA = "ada@example.com"


def environment(anthropic: Cloud, organisation: Provider, key_file: Path) -> dict[str, str]:
    return {
        **anthropic.environment,
        # As the chart sets it.
        "NODE_EXTRA_CA_CERTS": organisation.authority,
        "CLAUDE_GATEWAY_OIDC_ISSUER": organisation.issuer,
        "CLAUDE_GATEWAY_OIDC_CLIENT_ID": CLIENT,
        "CLAUDE_GATEWAY_PUBLIC_URL": PUBLIC,
        "CLAUDE_GATEWAY_SIGNING_KEY_FILE": str(key_file),
    }


@pytest.fixture
def service(anthropic: Cloud, organisation: Provider, key_file: Path, tmp_path: Path) -> Iterator[SignInService]:
    with signin(tmp_path / "service", environment(anthropic, organisation, key_file)) as running:
        yield running


@pytest.fixture
def browser(service: SignInService, organisation: Provider) -> Iterator[Browser]:
    with Browser(service.url, organisation.confirm) as running:
        yield running


def begin(service: SignInService) -> dict[str, Any]:
    found = httpx.post(f"{service.url}/oauth/device_authorization", data={"surface": "claude_code", "new": "x"})
    assert found.status_code == 200, found.text
    return dict(found.json())


def poll(service: SignInService, device_code: str) -> httpx.Response:
    return httpx.post(f"{service.url}/oauth/token", data={"grant_type": DEVICE, "device_code": device_code}, timeout=60)


def renew(service: SignInService, token: str) -> httpx.Response:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return httpx.post(f"{service.url}/oauth/token", data=form, timeout=60)


def signed_in(service: SignInService, browser: Browser) -> dict[str, Any]:
    begun = begin(service)
    browser.approve(begun["user_code"], ADA)
    found = poll(service, begun["device_code"])
    assert found.status_code == 200, found.text
    return dict(found.json())


def claims(service: SignInService, token: str) -> dict[str, Any]:
    """What a token says, checked as the gateway does."""
    keys = jwt.PyJWKSet.from_dict(httpx.get(f"{service.url}/auth/keys").json())
    key = keys[str(jwt.get_unverified_header(token)["kid"])]
    return dict(jwt.decode(token, key.key, algorithms=["ES256"], audience="claude-gateway", issuer=ISSUER))


def test_a_device_gets_tokens_when_a_person_approved_it(service: SignInService, browser: Browser) -> None:
    begun = begin(service)
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", begun["user_code"])
    assert begun["verification_uri_complete"] == f"{PUBLIC}/auth/device?user_code={begun['user_code']}"
    assert (begun["expires_in"], begun["interval"]) == (600, 5)
    waiting = poll(service, begun["device_code"])
    assert (waiting.status_code, waiting.json()["error"]) == (400, "authorization_pending")
    assert poll(service, begun["device_code"]).json()["error"] == "slow_down"

    found = signed_in(service, browser)
    assert (found["token_type"], found["expires_in"], found["email"]) == ("Bearer", 3600, ADA)
    said = claims(service, found["access_token"])
    assert (said["sub"], said["email"], said["groups"]) == (f"id-of-{ADA}", ADA, ["platform", "everyone"])
    assert "idp-" not in found["refresh_token"]
    about = httpx.get(f"{service.url}/auth/.well-known/openid-configuration").json()
    assert (about["issuer"], about["jwks_uri"]) == (ISSUER, f"{PUBLIC}/auth/keys")


def test_a_code_signs_in_once(service: SignInService, browser: Browser) -> None:
    begun = begin(service)
    browser.approve(begun["user_code"], ADA)
    assert poll(service, begun["device_code"]).status_code == 200
    again = poll(service, begun["device_code"])
    assert (again.status_code, again.json()["error"]) == (400, "expired_token")
    assert browser.enter(begun["user_code"]).status_code == 404
    assert poll(service, "made-up").json()["error"] == "expired_token"


def test_a_person_can_deny(service: SignInService, browser: Browser) -> None:
    begun = begin(service)
    browser.sign_in(begun["user_code"], ADA)
    assert "Not signed in" in browser.decide(begun["user_code"], "deny").text
    assert poll(service, begun["device_code"]).json()["error"] == "access_denied"


def test_only_the_browser_that_signed_in_can_approve(
    service: SignInService, browser: Browser, organisation: Provider
) -> None:
    begun = begin(service)
    assert browser.decide(begun["user_code"], "approve").status_code == 410, "nobody signed in"
    assert browser.sign_in(begun["user_code"], ADA).status_code == 303
    with Browser(service.url, organisation.confirm) as other:
        assert other.decide(begun["user_code"], "approve").status_code == 410
    forged = browser.client.post("/auth/device/confirm", data={"user_code": begun["user_code"], "decision": "approve"})
    assert forged.status_code == 403
    site = {"sec-fetch-site": "cross-site"}
    form = {"user_code": begun["user_code"], "decision": "approve", "csrf": browser.csrf()}
    assert browser.client.post("/auth/device/confirm", data=form, headers=site).status_code == 403
    assert poll(service, begun["device_code"]).json()["error"] == "authorization_pending"


def test_codes_cannot_be_guessed(service: SignInService, browser: Browser) -> None:
    tried = [browser.enter("BBBB-BBBB").status_code for _ in range(11)]
    assert tried == [404] * 10 + [429]


def test_renewal_asks_the_provider(service: SignInService, browser: Browser, organisation: Provider) -> None:
    found = signed_in(service, browser)
    organisation.claims = {"groups": ["sales"]}
    renewed = renew(service, found["refresh_token"])
    assert renewed.status_code == 200
    assert claims(service, renewed.json()["access_token"])["groups"] == ["sales"]
    organisation.broken = True
    away = renew(service, renewed.json()["refresh_token"])
    assert (away.status_code, away.json()["error"]) == (503, "temporarily_unavailable")
    organisation.broken = False
    organisation.removed.add(ADA)
    removed = renew(service, renewed.json()["refresh_token"])
    assert (removed.status_code, removed.json()["error"]) == (401, "invalid_grant")


def test_a_renewal_token_of_somebody_else_is_rejected(service: SignInService) -> None:
    for token in ("", "cgr-", "cgr-AAAA", "cgr-" + "A" * 20_000, "idp-1", "cgr-\u00e9"):
        answer = renew(service, token)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_grant"), token
    other = httpx.post(f"{service.url}/oauth/token", data={"grant_type": "password", "username": "a"})
    assert (other.status_code, other.json()["error"]) == (400, "unsupported_grant_type")


def test_signing_out_ends_the_session_at_the_provider(
    service: SignInService, browser: Browser, organisation: Provider
) -> None:
    found = signed_in(service, browser)
    assert len(organisation.renewals) == 1
    for token in (found["access_token"], found["refresh_token"], "unknown"):
        assert httpx.post(f"{service.url}/oauth/revoke", data={"token": token}, timeout=60).status_code == 200
    assert not organisation.renewals
    assert renew(service, found["refresh_token"]).status_code == 401


def test_sessions_outlive_a_restart_and_a_new_signing_key(
    anthropic: Cloud, organisation: Provider, key_file: Path, tmp_path: Path
) -> None:
    given = environment(anthropic, organisation, key_file)
    with signin(tmp_path / "service", given) as service, Browser(service.url, organisation.confirm) as browser:
        found = signed_in(service, browser)
    key_file.write_text(signing_key() + key_file.read_text())
    with signin(tmp_path / "service", given) as service:
        assert claims(service, found["access_token"])["email"] == ADA
        renewed = renew(service, found["refresh_token"]).json()
        assert jwt.get_unverified_header(renewed["access_token"]) != jwt.get_unverified_header(found["access_token"])
        old = key_file.read_text().split("-----END PRIVATE KEY-----\n")[0] + "-----END PRIVATE KEY-----\n"
        key_file.write_text(old)
    with signin(tmp_path / "service", given) as service:
        assert renew(service, renewed["refresh_token"]).status_code == 200
        assert renew(service, found["refresh_token"]).status_code == 401


def test_without_a_signing_key_nobody_signs_in_here(anthropic: Cloud, tmp_path: Path) -> None:
    with signin(tmp_path / "service", anthropic.environment) as service:
        for path in ("/auth/device", "/auth/keys", "/auth/.well-known/openid-configuration"):
            assert httpx.get(f"{service.url}{path}").status_code == 404
        assert httpx.post(f"{service.url}/oauth/token", data={"grant_type": DEVICE}).status_code == 404
