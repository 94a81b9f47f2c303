"""Who a request is from."""

from hashlib import sha256

import pytest

from claude_gateway.contract.policy import Client
from claude_gateway_proxy.gateway.auth import identify
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


def test_a_key_that_is_too_long_is_refused_even_if_it_were_known() -> None:
    long = b"x" * 5000
    with pytest.raises(Failure):
        identify({b"x-api-key": long}, {sha256(long).hexdigest(): _ANN})


def test_without_any_key_the_answer_says_how_to_make_one() -> None:
    with pytest.raises(Failure, match="claude-gateway key new"):
        identify({b"authorization": b"Bearer cgw_ann"}, {})
