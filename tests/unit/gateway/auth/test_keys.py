"""Who a request is from."""

from base64 import b64encode
from collections.abc import Callable, Container, Mapping
from hashlib import sha256
from urllib.parse import quote

import pytest

from claude_gateway.contract.client import Client
from claude_gateway_proxy.gateway.auth.callers import Callers
from claude_gateway_proxy.gateway.auth.issuers import Issuers
from claude_gateway_proxy.gateway.auth.keys import PersonalKey, own_login
from claude_gateway_proxy.gateway.auth.principal import Principal, Proof
from claude_gateway_proxy.gateway.auth.spellings import holds_key
from claude_gateway_proxy.gateway.errors import Failure
from claude_gateway_proxy.gateway.upstream import documents


async def identify(headers: dict[bytes, bytes], keys: Mapping[str, Client | PersonalKey]) -> Client:
    """Who sent a request, where no token is accepted."""
    return (await Callers(keys=keys).identify(headers, Issuers(documents.fetch))).client


_ANN, _BOB = Client(name="ns/ann"), Client(name="ns/bob")
_KEYS = {sha256(b"cgw_key_ann").hexdigest(): _ANN, sha256(b"cgw_key_bob").hexdigest(): _BOB}


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ({b"authorization": b"Bearer cgw_key_ann"}, _ANN),
        ({b"authorization": b"bearer   cgw_key_ann "}, _ANN),
        ({b"x-api-key": b"cgw_key_bob"}, _BOB),
        ({b"authorization": b"Bearer cgw_key_ann", b"x-api-key": b"cgw_key_bob"}, _ANN),
        ({b"authorization": b"Bearer cgw_key_ann", b"x-api-key": b"wrong"}, _ANN),
        ({b"authorization": b"Bearer ", b"x-api-key": b"cgw_key_bob"}, _BOB),
        ({b"authorization": b"Bearer", b"x-api-key": b"cgw_key_bob"}, _BOB),
        ({b"authorization": b"Basic Y2d3", b"x-api-key": b"cgw_key_bob"}, _BOB),
    ],
)
async def test_a_key_is_taken_as_bearer_first_and_then_as_api_key(headers: dict[bytes, bytes], client: Client) -> None:
    assert await identify(headers, _KEYS) is client


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"authorization": b"Bearer nobody"},
        {b"authorization": b"cgw_key_ann"},
        {b"x-api-key": b""},
        {b"authorization": b"Bearer wrong", b"x-api-key": b"cgw_key_bob"},
        {b"authorization": b"Bearer " + b"x" * 5000},
        {b"x-api-key": sha256(b"cgw_key_ann").hexdigest().encode()},
    ],
)
async def test_every_other_key_is_refused(headers: dict[bytes, bytes]) -> None:
    with pytest.raises(Failure) as caught:
        await identify(headers, _KEYS)
    assert (caught.value.status, caught.value.retry) == (401, False)


_OAUTH = b"Bearer sk-ant-oat01-private"


@pytest.mark.parametrize("sent", [b"cgw_key_ann", b" cgw_key_ann ", b"Bearer cgw_key_ann", b"bearer  cgw_key_ann"])
async def test_a_gateway_key_comes_first_and_leaves_the_rest_to_the_upstream(sent: bytes) -> None:
    headers = ((b"x-gateway-key", sent), (b"authorization", _OAUTH), (b"x-api-key", b"sk-ant-x"), (b"cookie", b"c"))
    assert await identify(dict(headers), _KEYS) is _ANN
    assert own_login(headers, _KEYS) == ((b"authorization", _OAUTH), (b"x-api-key", b"sk-ant-x"))


@pytest.mark.parametrize("sent", [b"", b"Bearer ", b"nobody", b"x" * 5000])
async def test_a_bad_gateway_key_is_refused_whatever_else_was_sent(sent: bytes) -> None:
    with pytest.raises(Failure):
        await identify(
            {b"x-gateway-key": sent, b"authorization": b"Bearer cgw_key_ann", b"x-api-key": b"cgw_key_bob"}, _KEYS
        )


def test_without_a_gateway_key_nothing_is_the_callers_own_login() -> None:
    assert own_login(((b"authorization", b"Bearer cgw_key_ann"), (b"x-api-key", b"cgw_key_ann")), _KEYS) == ()


def test_an_empty_login_is_none() -> None:
    assert own_login(((b"x-gateway-key", b"cgw_key_ann"), (b"authorization", b" "), (b"x-api-key", b"")), _KEYS) == ()


async def test_a_key_that_is_too_long_is_refused_even_if_it_were_known() -> None:
    long = b"x" * 5000
    with pytest.raises(Failure):
        await identify({b"x-api-key": long}, {sha256(long).hexdigest(): _ANN})


async def test_without_any_key_the_answer_says_how_to_make_one() -> None:
    with pytest.raises(Failure, match="claude-gateway key new"):
        await identify({b"authorization": b"Bearer cgw_key_ann"}, {})


def _packed(text: bytes) -> bytes:
    return b64encode(text)


_SPELLINGS = [
    lambda key: key,
    lambda key: b" " + key + b" ",
    lambda key: b"Bearer " + key,
    lambda key: b"bearer  " + key,
    lambda key: b"Token token=" + key,
    lambda key: b"key:" + key + b";x",
    lambda key: quote(key.replace(b"_", b"%5f"), safe="%").encode(),
    lambda key: b"Bearer " + b"".join(b"%%%02X" % byte for byte in key),
    lambda key: b"".join(b"%%25%02x" % byte for byte in key),
    lambda key: b"Basic " + _packed(b"user:" + key),
    lambda key: b"basic " + _packed(key + b":").rstrip(b"="),
    lambda key: b"Basic " + quote(_packed(b"a:" + key), safe="").encode(),
    lambda key: b"Basic " + _packed(b"u:" + b"".join(b"%%%02x" % byte for byte in key)),
    lambda key: _packed(_packed(b":" + key)),
    lambda key: b"AWS4-HMAC-SHA256 Credential=" + key + b"/20260101/x/bedrock/aws4_request, SignedHeaders=host",
]


@pytest.mark.parametrize("name", [b"authorization", b"x-api-key"])
@pytest.mark.parametrize("key", [b"cgw_key_ann", b"cgw_key_bob"])
@pytest.mark.parametrize("spelled", _SPELLINGS)
def test_a_key_of_this_gateway_is_nobodys_login(spelled: Callable[[bytes], bytes], key: bytes, name: bytes) -> None:
    """Neither the key that the request itself shows nor that of another client."""
    other = b"x-api-key" if name == b"authorization" else b"authorization"
    headers = ((b"x-gateway-key", b"cgw_key_ann"), (name, spelled(key)), (other, _OAUTH))
    assert own_login(headers, _KEYS) == ((other, _OAUTH),)


def test_a_login_that_only_resembles_a_key_stays() -> None:
    login = ((b"authorization", b"Bearer cgw_key_an"), (b"x-api-key", b"%zz cgw_key_bo= b"))
    assert own_login(((b"x-gateway-key", b"cgw_key_ann"), *login), _KEYS) == login


def test_the_cost_of_looking_for_keys_grows_with_the_header_alone() -> None:
    """Nested encodings and many short words are looked at a bounded number of times."""
    for piece in (b"%25", b"QUFBQUFBQUFB", b"a b", b"abcdefgh "):
        seen = [_Counting(), _Counting()]
        for keys, size in zip(seen, (1_000, 2_000), strict=True):
            assert not holds_key(piece * size, sent=b"cgw_key_ann", keys=keys)
        assert seen[1].asked <= 2 * seen[0].asked + 8


class _Counting(Container[str]):
    """Counts how often a key is requested."""

    def __init__(self) -> None:
        self.asked = 0

    def __contains__(self, key: object) -> bool:
        self.asked += 1
        return False


@pytest.mark.parametrize("long_gone", [1, 1_700_000_000])
async def test_a_key_that_ended_is_refused_at_that_moment_and_says_so(long_gone: int) -> None:
    digest = sha256(b"cgw_key_ann").hexdigest()
    with pytest.raises(Failure, match="expired") as caught:
        await identify({b"x-api-key": b"cgw_key_ann"}, {digest: PersonalKey(_ANN, "ann", "", long_gone)})
    assert (caught.value.status, caught.value.retry) == (401, False)


async def test_a_key_names_its_person_and_team() -> None:
    keys = {sha256(b"cgw_key_ann").hexdigest(): PersonalKey(_ANN, "ann@example.com", "red", 4_000_000_000)}
    found = await Callers(keys=keys).identify({b"x-api-key": b"cgw_key_ann"}, Issuers(documents.fetch))
    assert found == Principal(_ANN, Proof.KEY, user="ann@example.com", team="red")
