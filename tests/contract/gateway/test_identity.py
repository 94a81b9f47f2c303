"""Who calls, over sockets: an identity provider that signs real tokens, keys that end, and clients that are deleted."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

import pytest
from tests.contract.gateway.test_draining import AUTH, BODY, streaming
from tests.contract.gateway.test_tenancy import PATHS
from tests.support.builders.bundles import bundle, route, target
from tests.support.builders.tokens import SECRET, Signer, shared
from tests.support.processes.idp import IdentityProvider, identity_provider
from tests.support.processes.lone_gateway import LoneGateway, Reply
from tests.support.processes.waiting import until

from claude_gateway.contract import client_keys
from claude_gateway.contract.bundle import Bundle, secret_entry
from claude_gateway.contract.client import Client, TokenRule
from claude_gateway.contract.client_keys import Holder
from claude_gateway.contract.policy import Egress, Policy
from claude_gateway.contract.route import Route
from claude_gateway.contract.target import Wire
from claude_gateway_proxy.gateway.auth.claims import SKEW_SECONDS
from claude_gateway_scripted.local import Scripted

_CLOSED = "http://127.0.0.1:1"


def accepting(idp: IdentityProvider, *, models: tuple[str, ...] = ("*",), **rule: Any) -> Client:
    """A client that is known by tokens of the provider."""
    found = {"issuer": idp.issuer, "audiences": ("claude-gateway",), **rule}
    return Client(name="ns/dev", models=models, tokens=(TokenRule.model_validate(found),))


def served(*clients: Client, egress: Egress | None = None, routes: Sequence[Route] = (), **more: Any) -> Bundle:
    routes = routes or [route("claude-mine", targets=[target(base_url=_CLOSED)])]
    return bundle(routes, clients=clients, egress=egress, **more)


def listed(gateway: LoneGateway, token: str) -> Reply:
    return gateway.call("GET", "/v1/models", headers={"authorization": f"Bearer {token}"})


@pytest.fixture
def idp() -> Iterator[IdentityProvider]:
    with identity_provider() as running:
        yield running


@pytest.mark.parametrize("header", ["authorization", "x-api-key", "api-key", "x-gateway-key"])
def test_a_token_identifies_its_caller_everywhere(idp: IdentityProvider, header: str) -> None:
    token = idp.token(sub="alice@example.com", team="red")
    sent = {header: f"Bearer {token}" if header == "authorization" else token}
    with LoneGateway(served(accepting(idp))) as gateway:
        listing = gateway.call("GET", "/v1/models", headers=sent)
        assert (listing.status, listing.headers["x-gateway-client"]) == (200, "ns/dev")
        body = {"model": "claude-mine", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
        answer = gateway.call("POST", "/v1/messages", body=body, headers=sent)
        assert (answer.status, answer.headers["x-gateway-client"]) == (502, "ns/dev")
        (line,) = gateway.requests(count=1)
        assert {name: line[name] for name in ("client", "user", "team", "proof")} == {
            "client": "ns/dev",
            "user": "alice@example.com",
            "team": "red",
            "proof": "jwt",
        }
        assert token not in gateway.process.log.read_text()
        assert [use.client for use in gateway.status().clients] == ["ns/dev"]
        assert 'claude_gateway_callers_total{proof="jwt"} 1.0' in gateway.internal("/metrics").decode()
    assert idp.asked == ["/.well-known/openid-configuration", "/keys"], "everything was verified with one key set"


def test_a_stranger_is_not_named(idp: IdentityProvider) -> None:
    with LoneGateway(served(accepting(idp))) as gateway:
        answer = gateway.call("POST", "/v1/messages", body={}, headers={"x-api-key": "nobody"})
        assert (answer.status, "x-gateway-client" in answer.headers) == (401, False)


@pytest.fixture(scope="module")
def hiding() -> Iterator[tuple[LoneGateway, IdentityProvider]]:
    """A gateway with a route that its client may not use, and the provider of the client's tokens."""
    everything = [target(base_url=_CLOSED), target(base_url=_CLOSED, wire=Wire.OPENAI)]
    routes = [route("claude-mine"), route("claude-hidden-4", "us.anthropic.claude-hidden-4-v1:0", targets=everything)]
    with identity_provider() as idp:
        client = accepting(idp, models=("claude-mine",))
        with LoneGateway(bundle(routes, clients=(client,))) as gateway:
            yield gateway, idp


@pytest.mark.parametrize("path", list(PATHS))
def test_the_list_of_models_holds_on_every_path(hiding: tuple[LoneGateway, IdentityProvider], path: str) -> None:
    gateway, idp = hiding
    method, written, body = PATHS[path]
    headers = {"authorization": f"Bearer {idp.token()}"}
    content = None if body is None else body("claude-hidden-4")
    answer = gateway.call(method, written.format("claude-hidden-4"), body=content, headers=headers)
    assert answer.status in (400, 404)
    assert "upstream" not in answer.body.decode()
    ids = [found["id"] for found in listed(gateway, idp.token()).json["data"]]
    assert ids == ["claude-mine"]


def _redirected(idp: IdentityProvider) -> None:
    idp.answers["/keys"] = (302, {"location": f"{idp.issuer}/other"}, b"")
    idp.answers["/other"] = (200, {}, json.dumps({"keys": [idp.signers[-1].jwk()]}).encode())


def _huge(idp: IdentityProvider) -> None:
    idp.answers["/keys"] = (200, {}, json.dumps({"keys": [idp.signers[-1].jwk()], "x": "y" * 600_000}).encode())


def _deep(idp: IdentityProvider) -> None:
    idp.answers["/keys"] = (200, {}, b'{"keys":' + b"[" * 100_000)


def _deep_discovery(idp: IdentityProvider) -> None:
    idp.answers["/.well-known/openid-configuration"] = (200, {}, b'{"x":' + b"[" * 100_000)


def _elsewhere(idp: IdentityProvider) -> None:
    document = {"issuer": idp.issuer, "jwks_uri": "http://169.254.169.254/keys"}
    idp.answers["/.well-known/openid-configuration"] = (200, {}, json.dumps(document).encode())


def _file(idp: IdentityProvider) -> None:
    document = {"issuer": idp.issuer, "jwks_uri": "file:///etc/passwd"}
    idp.answers["/.well-known/openid-configuration"] = (200, {}, json.dumps(document).encode())


@pytest.mark.parametrize("attack", [_redirected, _huge, _deep, _deep_discovery, _elsewhere, _file])
def test_keys_come_from_the_issuers_own_address_within_bounds(idp: IdentityProvider, attack: Any) -> None:
    attack(idp)
    with LoneGateway(served(accepting(idp))) as gateway:
        answer = listed(gateway, idp.token())
        assert (answer.status, answer.headers["x-should-retry"]) == (503, "true")
        assert "/other" not in idp.asked


def test_keys_are_not_fetched_from_private_addresses(idp: IdentityProvider) -> None:
    with LoneGateway(served(accepting(idp), egress=Egress())) as gateway:
        assert listed(gateway, idp.token()).status == 503
        (line,) = until(lambda: gateway.process.lines("issuer_keys_unavailable"), what="the reason in the log")
    assert line["url"] == f"{idp.issuer}/.well-known/openid-configuration"
    assert (
        "its address is not allowed: it is a loopback address; allow its host by `egress.allowHosts`" in line["error"]
    )
    assert idp.asked == []


def test_an_issuer_that_is_away_takes_nobodys_access(idp: IdentityProvider) -> None:
    with LoneGateway(served(accepting(idp))) as gateway:
        assert listed(gateway, idp.token()).status == 200
        idp.answers["/keys"] = (500, {}, b"")
        for number in range(5):
            assert listed(gateway, idp.token(jti=number)).status == 200


def test_no_request_fails_while_keys_rotate(idp: IdentityProvider) -> None:
    """Each caller takes the newest token, as a key helper does; the old key leaves with the second rotation."""
    statuses: list[int] = []
    ends = threading.Event()
    with LoneGateway(served(accepting(idp))) as gateway:

        def call(number: int) -> None:
            while not ends.is_set():
                statuses.append(listed(gateway, idp.token(sub=f"caller-{number}", jti=time.monotonic())).status)

        threads = [threading.Thread(target=call, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for number in range(4):
            count = len(statuses)
            until(lambda c=count: len(statuses) > c + 40, what="requests with this key")  # type: ignore[misc]
            idp.signers = [*idp.signers[-1:], Signer.of("ES256", f"rotated-{number}")]
        count = len(statuses)
        until(lambda: len(statuses) > count + 40, what="requests with the last key")
        ends.set()
        for thread in threads:
            thread.join()
        first = Signer.of("ES256").token(iss=idp.issuer, sub="late")
        until(lambda: listed(gateway, first).status == 401, what="the end of the first key")
    assert set(statuses) == {200}
    assert len(idp.asked) < 40


def test_an_old_token_needs_neither_issuer_nor_audience() -> None:
    entry = secret_entry("jwt.ns.old.key", SECRET.encode())
    client = Client(name="ns/old", tokens=(TokenRule(secret=entry, user="user"),))
    with LoneGateway(served(client, secrets={entry: SECRET.encode()})) as gateway:
        assert listed(gateway, shared(user="bob", team="blue", sub=None)).status == 200
        assert listed(gateway, shared(SECRET[:-1], user="bob")).status == 401


def _ending(seconds: float, *, routes: Sequence[Route] = ()) -> Bundle:
    """Two keys, of which Alice's ends that many seconds from now."""
    table = client_keys.table(
        {
            sha256(b"cgw_of-alice").hexdigest(): Holder("ns/team", "alice", "red", int(time.time() + seconds)),
            sha256(b"cgw_of-bob").hexdigest(): Holder("ns/team", "bob"),
        }
    )
    entry = secret_entry("clients", table)
    clients = (Client(name="ns/team"),)
    policy = Policy(
        namespace="ns", clients=clients, client_keys=entry, routes=tuple(routes), egress=Egress(loopback=True)
    )
    return Bundle(gateway=policy.model_dump_json(by_alias=True).encode(), litellm=b"", secrets={entry: table})


def test_a_key_ends_at_its_moment_without_a_new_configuration() -> None:
    with LoneGateway(_ending(3600)) as gateway:
        assert listed(gateway, "cgw_of-alice").status == 200
        revision = gateway.apply(_ending(8))
        until(lambda: listed(gateway, "cgw_of-alice").status == 401, what="the end of the key")
        assert "expired" in listed(gateway, "cgw_of-alice").body.decode()
        assert listed(gateway, "cgw_of-bob").status == 200
        assert gateway.status().revision == revision


_LIFE = 5
"""Seconds that a credential is still valid when its answer begins."""


@pytest.mark.parametrize("proof", ["jwt", "key"])
def test_an_answer_that_began_in_time_is_completed_after_its_credential_ended(
    idp: IdentityProvider, scripted: Scripted, proof: str
) -> None:
    scripted.script({"text": "word " * 130, "chunk_delay": 0.1})
    routes = (route("claude-mine", targets=[target(base_url=scripted.url)]),)
    with LoneGateway(served(accepting(idp))) as gateway:
        if proof == "jwt":
            gateway.apply(served(accepting(idp), routes=routes))
            token = idp.token(exp=int(time.time() + _LIFE - SKEW_SECONDS))
        else:
            gateway.apply(_ending(_LIFE, routes=routes))
            token = "cgw_of-alice"
        connection = gateway.connect()
        body = {**BODY, "model": "claude-mine", "max_tokens": 1000}
        connection.request("POST", "/v1/messages", json.dumps(body), {"authorization": f"Bearer {token}"})
        response = connection.getresponse()
        assert response.status == 200
        until(lambda: listed(gateway, token).status == 401, what="the end of the credential")
        refused = gateway.call("POST", "/v1/messages", body=body, headers={"authorization": f"Bearer {token}"})
        assert (refused.status, "expired" in refused.body.decode()) == (401, True)
        (asked,) = scripted.requests
        assert asked.ended is None, "the answer ended before the credential did: the test proved nothing"
        assert b"message_stop" in response.read()
        connection.close()


def test_an_open_answer_of_a_deleted_client_is_completed_and_no_other_begins() -> None:
    with Scripted() as upstream, streaming(upstream) as (gateway, response):
        gateway.apply(bundle([route("m", targets=[target(base_url=upstream.url)])], keys={"cgw_of-another": "ns/dev"}))
        assert gateway.call("POST", "/v1/messages", body=BODY, headers=AUTH).status == 401
        assert b"message_stop" in response.read()
