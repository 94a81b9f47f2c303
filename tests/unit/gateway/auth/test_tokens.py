"""Who a signed token is from: its claims, its client, and how long it is known."""

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.builders import tokens as build
from tests.support.builders.token_door import DEV, KEYS_URL, RULE, Door, Idp, door_of
from tests.support.builders.tokens import AUDIENCE, ISSUER, SECRET, Signer, key_set, shared, valid

from claude_gateway.contract.client import Client, ClusterIssuer, TokenRule
from claude_gateway_proxy.gateway.auth import jws
from claude_gateway_proxy.gateway.auth.callers import Callers
from claude_gateway_proxy.gateway.auth.issuers import Issuers
from claude_gateway_proxy.gateway.auth.principal import Principal, Proof
from claude_gateway_proxy.gateway.auth.tokens import MOST_KEPT
from claude_gateway_proxy.gateway.errors import Failure

_CLUSTER = "https://kubernetes.default.svc.cluster.local"


async def test_a_new_key_whose_issuer_is_away_is_no_reason_to_sign_in_again() -> None:
    old, new = Signer.of("ES256", "old"), Signer.of("ES256", "new")
    idp = Idp({KEYS_URL: key_set(old)})
    door = Door(DEV, idp=idp)
    await door.open(old.token())
    idp.documents.clear()
    for _ in range(2):
        assert "cannot be fetched" in await door.refusal(new.token(), 503)
    await door.open(old.token())
    idp.documents[KEYS_URL] = key_set(old, new)
    door.now += 6
    await door.open(new.token())
    assert "does not have" in await door.refusal(Signer.of("ES256", "strange").token())


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"])
async def test_a_token_of_each_algorithm_is_accepted(algorithm: str) -> None:
    signer = Signer.of(algorithm)
    found = await door_of(signer).open(signer.token(team="red", groups=["a", "b"]))
    assert found == Principal(DEV, Proof.JWT, user="alice", team="red", groups=("a", "b"))


async def test_the_keys_are_found_by_discovery() -> None:
    signer = Signer.of("ES256")
    document = json.dumps({"issuer": ISSUER, "jwks_uri": KEYS_URL}).encode()
    idp = Idp({f"{ISSUER}/.well-known/openid-configuration": document, KEYS_URL: key_set(signer)})
    door = Door(Client(name="ns/dev", tokens=(RULE.model_copy(update={"jwks_url": None}),)), idp=idp)
    assert (await door.open(signer.token())).user == "alice"


@pytest.mark.parametrize("issuer", ["https://other.example.com", None, ["x"]])
async def test_a_discovery_document_of_another_issuer_is_not_used(issuer: object) -> None:
    document = json.dumps({"issuer": issuer, "jwks_uri": KEYS_URL}).encode()
    signer = Signer.of("ES256")
    idp = Idp({f"{ISSUER}/.well-known/openid-configuration": document, KEYS_URL: key_set(signer)})
    door = Door(Client(name="ns/dev", tokens=(RULE.model_copy(update={"jwks_url": None}),)), idp=idp)
    assert "cannot be fetched" in await door.refusal(signer.token(), 503)


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"issuer":1}', b'{"x":' + b"[" * 99_999, b"\xff"])
async def test_a_discovery_document_that_cannot_be_read_is_not_asked_for_by_every_request(document: bytes) -> None:
    idp = Idp({f"{ISSUER}/.well-known/openid-configuration": document})
    door = Door(Client(name="ns/dev", tokens=(RULE.model_copy(update={"jwks_url": None}),)), idp=idp)
    for number in range(5):
        await door.refusal(Signer.of("ES256").token(jti=number), 503)
    assert len(idp.asked) == 1


_NOW = int(time.time())


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"exp": _NOW - 61}, "expired"),
        ({"exp": None}, "never expires"),
        ({"exp": True}, "not a time"),
        ({"exp": "4000000000"}, "not a time"),
        ({"exp": float("inf")}, "not the JSON"),
        ({"nbf": _NOW + 3600}, "not valid yet"),
        ({"iat": _NOW + 3600}, "not valid yet"),
        ({"iss": "https://other.example.com"}, "no client accepts tokens of its issuer 'https://other.example.com'"),
        ({"iss": None}, "it has no `iss`"),
        ({"iss": "\x1b]0;\n\u202e"}, "its issuer '�]0;��'"),
        ({"iss": "x" * 9999}, f"its issuer '{'x' * 128}…'"),
        ({"aud": "another"}, "it is for another audience than `claude-gateway`"),
        ({"aud": []}, "audience"),
        ({"aud": None}, "audience"),
        ({"aud": {AUDIENCE: 1}}, "audience"),
        ({"sub": "x" * 257}, "not a name"),
        ({"sub": "a\nb"}, "not a name"),
    ],
)
async def test_a_token_that_says_something_else_is_refused(claims: dict[str, object], words: str) -> None:
    signer = Signer.of("ES256")
    assert words in await door_of(signer).refusal(signer.token(**claims))


async def test_the_clocks_may_differ_by_a_minute() -> None:
    signer = Signer.of("ES256")
    now = int(time.time())
    for claims in ({"exp": now - 30}, {"nbf": now + 30}, {"iat": now + 30}):
        assert (await door_of(signer).open(signer.token(**claims))).user == "alice"


async def test_an_old_token_needs_neither_issuer_nor_audience() -> None:
    rule = TokenRule(secret="secret", user="user")
    door = Door(Client(name="ns/old", tokens=(rule,)), idp=Idp())
    found = await door.open(shared(user="bob", team="blue", sub=None, iat=None))
    assert (found.client.name, found.user, found.team, found.groups) == ("ns/old", "bob", "blue", ())


@pytest.mark.parametrize(
    ("secret", "claims", "words"),
    [
        (SECRET + "x", {}, "signature"),
        (SECRET, {"exp": None}, "never expires"),
        (SECRET, {"exp": 1}, "expired"),
        (SECRET, {"aud": "another-service"}, "audience"),
    ],
)
async def test_an_old_token_is_checked_all_the_same(secret: str, claims: dict[str, object], words: str) -> None:
    door = Door(Client(name="ns/old", tokens=(TokenRule(secret="secret"),)), idp=Idp())
    assert words in await door.refusal(shared(secret, **claims))


async def test_a_secret_with_an_issuer_is_for_its_tokens_only() -> None:
    rule = TokenRule(secret="secret", issuer="https://old.example", audiences=("gw",))
    door = Door(Client(name="ns/old", tokens=(rule,)), idp=Idp())
    assert (await door.open(shared(iss="https://old.example", aud="gw"))).user == "alice"
    for claims in ({}, {"iss": "https://other.example", "aud": "gw"}):
        assert "signature" in await door.refusal(shared(**claims))


async def test_the_client_that_requires_more_comes_first() -> None:
    def client(name: str, **claims: tuple[str, ...]) -> Client:
        return Client(name=name, tokens=(RULE.model_copy(update={"claims": claims}),))

    signer = Signer.of("ES256")
    clients = (
        client("ns/a"),
        client("ns/platform", groups=("platform", "sre")),
        client("ns/lead", groups=("platform",), role=("lead",)),
    )
    door = Door(*clients, idp=Idp({KEYS_URL: key_set(signer)}))
    for claims, name in (
        ({}, "ns/a"),
        ({"groups": ["x", "sre"]}, "ns/platform"),
        ({"groups": "platform"}, "ns/platform"),
        ({"groups": ["platform"], "role": "lead"}, "ns/lead"),
        ({"groups": [["platform"], {"platform": 1}, None]}, "ns/a"),
    ):
        assert (await door.open(signer.token(**claims))).client.name == name


@pytest.mark.parametrize(
    ("claims", "accepted"),
    [
        ({"email_verified": True, "level": 3, "scope": "read chat", "realm_access": {"roles": ["dev"]}}, True),
        ({"email_verified": "true", "level": "3", "scope": "chat", "realm_access": {"roles": "dev"}}, True),
        ({"email_verified": True, "level": 3, "scope": "chats", "realm_access": {"roles": ["dev"]}}, False),
        ({"email_verified": True, "level": 3, "scope": "chat", "realm_access": ["dev"]}, False),
        ({"email_verified": True, "level": 3, "scope": "chat"}, False),
    ],
)
async def test_required_claims(claims: dict[str, object], accepted: bool) -> None:
    wanted = {"email_verified": ("true",), "level": ("3",), "scope": ("chat",), "realm_access.roles": ("dev",)}
    signer = Signer.of("ES256")
    door = door_of(signer, rule=RULE.model_copy(update={"claims": wanted}))
    if accepted:
        await door.open(signer.token(**claims))
    else:
        assert "claim" in await door.refusal(signer.token(**claims))


async def test_a_token_is_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer.of("ES256")
    door, token = door_of(signer), signer.token()
    first = await door.open(token)
    monkeypatch.setattr(jws, "read", None)
    assert await door.open(token) is first


async def test_a_token_that_ends_while_it_is_known_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer.of("ES256")
    door, token = door_of(signer), signer.token()
    await door.open(token)
    at = time.time() + 361
    monkeypatch.setattr(time, "time", lambda: at)
    assert "expired" in await door.refusal(token)


async def test_known_tokens_are_bounded_and_refused_ones_are_not_kept() -> None:
    signer = Signer.of("EdDSA")
    door = door_of(signer)
    for number in range(MOST_KEPT + 20):
        door.callers.tokens.kept[str(number)] = None  # type: ignore[assignment]
        if number > MOST_KEPT:
            await door.open(signer.token(jti=number))
    assert len(door.callers.tokens.kept) <= MOST_KEPT + 20
    kept = dict(door.callers.tokens.kept)
    for number in range(100):
        await door.refusal(signer.token(jti=number, aud="x"))
    assert dict(door.callers.tokens.kept) == kept


async def test_a_token_is_nobodys_login_at_an_upstream() -> None:
    """Neither the one that the request itself shows nor that of another caller, while it is known."""
    signer = Signer.of("ES256")
    door = door_of(signer)
    mine, other = signer.token().encode(), signer.token(sub="bob").encode()
    await door.open(other.decode())
    login = (b"authorization", b"Bearer sk-ant-oat01-private")
    for token in (mine, other):
        headers = ((b"x-gateway-key", mine), (b"x-api-key", token), login)
        assert (await door.callers.identify(dict(headers), door.issuers)).user == "alice"
        assert door.callers.own_login(headers) == (login,)
        assert door.callers.holds_key(b"Bearer " + token, headers=headers)


def _account(**claims: object) -> dict[str, object]:
    names = {"sub": "system:serviceaccount:ci:runner", "iss": _CLUSTER, "aud": ["claude-gateway/ns/cg"]}
    return {**names, **claims}


async def test_a_token_where_no_client_accepts_any_is_not_called_an_unknown_key() -> None:
    callers = Callers(keys={"ab" * 32: DEV})
    headers = {b"authorization": b"Bearer " + Signer.of("ES256").token().encode()}
    with pytest.raises(Failure) as caught:
        await callers.identify(headers, Issuers(Idp().fetch))
    assert (caught.value.status, "lists `jwt` or `serviceAccounts`" in caught.value.message) == (401, True)


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({}, None),
        ({"aud": ["claude-gateway/ns/other"]}, "another audience than `claude-gateway/ns/cg`"),
        ({"aud": [_CLUSTER]}, "another audience"),
        ({"aud": None}, "another audience"),
        ({"sub": "system:serviceaccount:ci:other"}, "lists its ServiceAccount `ci/other`"),
        ({"sub": "system:serviceaccount:cirunner"}, "ServiceAccount"),
        ({"sub": ["system:serviceaccount:ci:runner"]}, "ServiceAccount"),
        ({"iss": "https://other"}, "issuer 'https://other'"),
        ({"exp": 1}, "expired"),
    ],
)
async def test_a_token_of_a_service_account(claims: dict[str, object], words: str | None) -> None:
    signer = Signer.of("RS256")
    cluster = ClusterIssuer(issuer=_CLUSTER, audience="claude-gateway/ns/cg", keys=key_set(signer).decode())
    client = Client(name="ns/ci", service_accounts=("ci/runner",))
    door = Door(client, idp=Idp(), cluster=cluster)
    token = signer.token(**_account(**claims))
    if words is not None:
        assert words in await door.refusal(token)
        return
    found = await door.open(token)
    assert found == Principal(client, Proof.SERVICE_ACCOUNT, user="system:serviceaccount:ci:runner")
    assert "signature" in await door.refusal(
        Signer("k1", "RS256", Signer.of("RS256", "evil").private).token(**_account())
    )
    assert "names a key" in await door.refusal(Signer.of("RS256", "evil").token(**_account()))


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_NAMES = st.sampled_from(["iss", "aud", "sub", "exp", "nbf", "iat", "groups", "team", "realm_access", "x"])


@given(claims=st.dictionaries(_NAMES, _VALUES, max_size=8), keep=st.booleans())
async def test_any_claims_are_accepted_or_refused_in_words(claims: dict[str, Any], keep: bool) -> None:
    """Every accepted token has the issuer, the audience and the group that the rule wants, and has not expired."""
    rule = RULE.model_copy(update={"claims": {"groups": ("platform",)}})
    door = door_of(Signer.of("ES256"), rule=rule)
    said = {**(valid(groups=["platform"]) if keep else {}), **claims}
    signed = build.raw({"alg": "ES256", "kid": "k1"}, said).rstrip(".").encode()
    signature = jws._ALGORITHMS["ES256"].sign(signed, Signer.of("ES256").private)
    found: Principal | Failure
    try:
        found = await door.open(f"{signed.decode()}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}")
    except Failure as failure:
        found = failure
    if isinstance(found, Failure):
        assert found.status == 401
        return
    aud, groups = said["aud"], said["groups"]
    assert said["iss"] == ISSUER
    assert AUDIENCE in (aud if isinstance(aud, list) else [aud])
    assert "platform" in (groups if isinstance(groups, list) else [groups])
    assert said["exp"] > time.time() - 61
    assert found.client.name == "ns/dev"


@given(st.binary(max_size=200))
async def test_any_text_is_refused_in_words(text: bytes) -> None:
    door = door_of(Signer.of("ES256"))
    for sent in (text, b"eyJ" + text, base64.urlsafe_b64encode(b'{"' + text) + b".e30.e30"):
        with pytest.raises(Failure) as caught:
            await door.callers.identify({b"x-api-key": sent}, door.issuers)
        assert caught.value.status == 401
