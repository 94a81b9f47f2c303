"""Who a request is from."""

from hashlib import sha256

import pytest

from claude_gateway.contract.policy import Client
from claude_gateway_proxy.gateway.auth.keys import identify, own_login
from claude_gateway_proxy.gateway.errors import Failure

_ANN, _BOB = Client(name="ns/ann"), Client(name="ns/bob")
_KEYS = {sha256(b"cgw_ann").hexdigest(): _ANN, sha256(b"cgw_bob").hexdigest(): _BOB}


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ({b"authorization": b"Bearer cgw_ann"}, _ANN),
        ({b"authorization": b"bearer   cgw_ann "}, _ANN),
        ({b"x-api-key": b"cgw_bob"}, _BOB),
        ({b"authorization": b"Bearer cgw_ann", b"x-api-key": b"cgw_bob"}, _ANN),
        ({b"authorization": b"Bearer cgw_ann", b"x-api-key": b"wrong"}, _ANN),
        ({b"authorization": b"Bearer ", b"x-api-key": b"cgw_bob"}, _BOB),
        ({b"authorization": b"Bearer", b"x-api-key": b"cgw_bob"}, _BOB),
        ({b"authorization": b"Basic Y2d3", b"x-api-key": b"cgw_bob"}, _BOB),
    ],
)
def test_a_key_is_taken_as_bearer_first_and_then_as_api_key(headers: dict[bytes, bytes], client: Client) -> None:
    assert identify(headers, _KEYS) is client


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {b"authorization": b"Bearer nobody"},
        {b"authorization": b"cgw_ann"},
        {b"x-api-key": b""},
        {b"authorization": b"Bearer wrong", b"x-api-key": b"cgw_bob"},
        {b"authorization": b"Bearer " + b"x" * 5000},
        {b"x-api-key": sha256(b"cgw_ann").hexdigest().encode()},
    ],
)
def test_every_other_key_is_refused(headers: dict[bytes, bytes]) -> None:
    with pytest.raises(Failure) as caught:
        identify(headers, _KEYS)
    assert (caught.value.status, caught.value.retry) == (401, False)


_OAUTH = b"Bearer sk-ant-oat01-private"


@pytest.mark.parametrize("sent", [b"cgw_ann", b" cgw_ann ", b"Bearer cgw_ann", b"bearer  cgw_ann"])
def test_a_gateway_key_comes_first_and_leaves_the_rest_to_the_upstream(sent: bytes) -> None:
    headers = ((b"x-gateway-key", sent), (b"authorization", _OAUTH), (b"x-api-key", b"cgw_bob"), (b"cookie", b"c"))
    assert identify(dict(headers), _KEYS) is _ANN
    assert own_login(headers) == ((b"authorization", _OAUTH), (b"x-api-key", b"cgw_bob"))


@pytest.mark.parametrize("sent", [b"", b"Bearer ", b"nobody", b"x" * 5000])
def test_a_bad_gateway_key_is_refused_whatever_else_was_sent(sent: bytes) -> None:
    with pytest.raises(Failure):
        identify({b"x-gateway-key": sent, b"authorization": b"Bearer cgw_ann", b"x-api-key": b"cgw_bob"}, _KEYS)


def test_without_a_gateway_key_nothing_is_the_callers_own_login() -> None:
    assert own_login(((b"authorization", b"Bearer cgw_ann"), (b"x-api-key", b"cgw_ann"))) == ()


def test_an_empty_login_is_none() -> None:
    assert own_login(((b"x-gateway-key", b"cgw_ann"), (b"authorization", b" "), (b"x-api-key", b""))) == ()


def test_a_key_that_is_too_long_is_refused_even_if_it_were_known() -> None:
    long = b"x" * 5000
    with pytest.raises(Failure):
        identify({b"x-api-key": long}, {sha256(long).hexdigest(): _ANN})


def test_without_any_key_the_answer_says_how_to_make_one() -> None:
    with pytest.raises(Failure, match="claude-gateway key new"):
        identify({b"authorization": b"Bearer cgw_ann"}, {})
