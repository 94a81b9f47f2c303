"""AWS signatures: what botocore signs is taken, and whatever was changed afterwards is not."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract.client import Client
from claude_gateway_proxy.gateway.auth import sigv4
from claude_gateway_proxy.gateway.auth.callers import Callers
from claude_gateway_proxy.gateway.auth.issuers import Issuers
from claude_gateway_proxy.gateway.auth.sigv4 import Signed
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_proxy.gateway.upstream import documents

KEY = "cgw_abc-DEF_0123456789"
HOST = "gateway.example:4000"
_PATHS = (
    "/model/us.anthropic.claude-x-v1:0/invoke",
    "/model/us.anthropic.claude-x-v1%3A0/invoke",
    "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fabc/invoke-with-response-stream",
    "/bedrock/v1/model/a~b_c.d/count-tokens",
    "//model/./x/../y/invoke",
    "/inference-profiles/",
)


def signed(
    path: str, body: bytes = b"{}", *, method: str = "POST", secret: str = KEY, session: str | None = None, **more: str
) -> Signed:
    """A request as botocore signs it and as it arrives."""
    headers = {"content-type": "application/json", "x-app": "cli  a", **more}
    url = f"http://{HOST}{path}"
    request: Any = AWSRequest(method, url=url, data=body, headers=headers)
    SigV4Auth(Credentials(KEY, secret, session), "bedrock", "us-east-1").add_auth(request)
    sent = [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]
    parts = urlsplit(url)
    return Signed(method, parts.path.encode(), parts.query.encode(), [*sent, (b"host", HOST.encode())], body)


def check(request: Signed) -> None:
    """What the gateway does with it."""
    found = sigv4.read(dict(request.headers)[b"authorization"])
    assert found is not None
    sigv4.verify(found, request, now=datetime.now(UTC))


@pytest.mark.parametrize("path", _PATHS)
@pytest.mark.parametrize("query", ["", "?type=SYSTEM_DEFINED", "?b=2&a=%20x%2By&a=1&c", "?%C3%A9=%C3%BC"])
def test_what_botocore_signs_is_taken(path: str, query: str) -> None:
    check(signed(path + query))
    check(signed(path + query, b"", method="GET", session="token"))


@given(
    body=st.binary(max_size=50), path=st.text("abc-_.~:@", min_size=1, max_size=12), value=st.text("ab  c", max_size=8)
)
def test_any_signed_request_is_taken(body: bytes, path: str, value: str) -> None:
    check(signed(f"/model/{path}/invoke", body, **{"x-value": value.strip()}))


@pytest.mark.parametrize("what", ["path", "query", "body", "header", "method", "host"])
def test_a_changed_request_is_refused(what: str) -> None:
    request = signed("/model/a/invoke?x=1")
    headers = list(request.headers)
    changed = {
        "path": Signed("POST", b"/model/b/invoke", request.query, headers, request.body),
        "query": Signed("POST", request.path, b"x=2", headers, request.body),
        "body": Signed("POST", request.path, request.query, headers, b"{ }"),
        "method": Signed("GET", request.path, request.query, headers, request.body),
        "header": Signed(
            "POST", request.path, request.query, [(n, b"y" if n == b"x-app" else v) for n, v in headers], request.body
        ),
        "host": Signed(
            "POST", request.path, request.query, [(n, b"z" if n == b"host" else v) for n, v in headers], request.body
        ),
    }
    with pytest.raises(Failure) as refused:
        check(changed[what])
    assert (refused.value.status, refused.value.retry) == (401, False)


def test_another_secret_is_refused() -> None:
    with pytest.raises(Failure, match="secret"):
        check(signed("/model/a/invoke", secret="other"))


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_or_early_signature_is_refused(minutes: int) -> None:
    request = signed("/model/a/invoke")
    found = sigv4.read(dict(request.headers)[b"authorization"])
    assert found is not None
    with pytest.raises(Failure, match="clock"):
        sigv4.verify(found, request, now=datetime.now(UTC) + timedelta(minutes=minutes))


@pytest.mark.parametrize("date", [b"", b"99999999T999999Z", b"20260101T000000Z", b"x"])
def test_a_date_that_is_none_is_refused(date: bytes) -> None:
    request = signed("/model/a/invoke")
    headers = [(name, date if name == b"x-amz-date" else value) for name, value in request.headers]
    with pytest.raises(Failure):
        check(Signed("POST", request.path, request.query, headers, request.body))


def test_a_signature_must_cover_the_host() -> None:
    request = signed("/model/a/invoke")
    found = sigv4.read(dict(request.headers)[b"authorization"].replace(b"host;", b""))
    assert found is not None
    with pytest.raises(Failure, match="host"):
        sigv4.verify(found, request, now=datetime.now(UTC))


@given(st.binary(max_size=200))
def test_any_header_is_read_or_not(text: bytes) -> None:
    assert sigv4.read(text) is None
    assert sigv4.read(sigv4.SCHEME + text) is None


async def test_the_access_key_id_names_the_client() -> None:
    ann = Client(name="ns/ann")
    request = signed("/model/a/invoke")
    digest = sha256(KEY.encode()).hexdigest()
    issuers = Issuers(documents.fetch)
    assert (await Callers({digest: ann}).identify(dict(request.headers), issuers)).client == ann
    with pytest.raises(Failure):
        await Callers({"0" * 64: ann}).identify(dict(request.headers), issuers)


def test_nothing_secret_is_shown() -> None:
    request = signed("/model/a/invoke")
    found = sigv4.read(dict(request.headers)[b"authorization"])
    assert KEY not in repr(found) + repr(request)
