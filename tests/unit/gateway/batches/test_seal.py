"""Ids of batches: whose they are, and that nothing else is taken for one."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract.client import Client
from claude_gateway_proxy.gateway.auth.principal import Principal
from claude_gateway_proxy.gateway.batches.seal import PLAIN, opened, sealed

KEY = "sk-ant-api03-a"
PLAIN_ID = "msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d"
_IDS = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=128)
_MODELS = st.text(min_size=1, max_size=256).filter(lambda text: text.isprintable())


def caller(client: str = "ns/dev", user: str = "") -> Principal:
    return Principal(Client(name=client), user=user)


@given(plain=_IDS, model=_MODELS)
def test_an_id_says_what_it_was_made_of(plain: str, model: str) -> None:
    text = sealed(plain, model, key=KEY, principal=caller())
    found = opened(text)
    assert found is not None
    assert (found.plain, found.model, found.is_own) == (plain, model, False)
    assert found.fits(KEY, caller())
    # Nothing in it has a meaning in the path of an URL.
    assert set(text) <= set(string.ascii_letters + string.digits + "_-.")
    assert len(text) <= 2048


@pytest.mark.parametrize(
    ("key", "principal"),
    [
        ("sk-ant-api03-b", caller()),
        ("", caller()),
        (KEY, caller("ns/other")),
        (KEY, caller(user="jo")),
        (KEY, caller("ns/de", user="v")),
    ],
)
def test_it_fits_nobody_else(key: str, principal: Principal) -> None:
    found = opened(sealed(PLAIN_ID, "c", key=KEY, principal=caller()))
    assert found is not None
    assert not found.fits(key, principal)


def test_the_people_of_a_client_have_their_own() -> None:
    found = opened(sealed(PLAIN_ID, "c", key=KEY, principal=caller(user="jo")))
    assert found is not None
    assert [found.fits(KEY, caller(user=user)) for user in ("jo", "al", "")] == [True, False, False]


def test_every_part_is_sealed() -> None:
    plain, model, mark = sealed(PLAIN_ID, "c", key=KEY, principal=caller()).split(".")
    other = sealed("msgbatch_2", "d", key=KEY, principal=caller()).split(".")
    for text in (f"{other[0]}.{model}.{mark}", f"{plain}.{other[1]}.{mark}", f"{plain}.{model}.{other[2]}"):
        found = opened(text)
        assert found is not None
        assert not found.fits(KEY, caller())


def test_a_key_is_not_in_an_id() -> None:
    assert KEY not in sealed(PLAIN_ID, "c", key=KEY, principal=caller())


def test_a_login_of_the_clients_own_needs_no_seal() -> None:
    found = opened(sealed(PLAIN_ID, "c", key=None, principal=caller()))
    assert found is not None
    assert found.is_own
    assert not found.fits(KEY, caller())


@pytest.mark.parametrize(
    "text",
    [
        "",
        PLAIN_ID,
        f"{PLAIN_ID}.Yw",
        "..",
        f"../x.Yw.{'a' * 24}",
        "a.Y.0",
        "a._w.0",
        "a.Yw.",
        "a.Yw.0.0",
        "a b.Yw.0",
        f"{PLAIN_ID}.Yw.{'a' * 25}",
        f"{'a' * 129}.Yw.0",
        f"a.{'Yw' * 1000}.0",
        "a.Yw.0\n",
        "\na.Yw.0",
    ],
)
def test_what_else_is_sent_is_no_id(text: str) -> None:
    assert opened(text) is None


@pytest.mark.parametrize("text", ["", "a/b", "a?b", "..", "a%2fb", "a\n", "a" * 129])
def test_an_upstreams_id_is_one_segment_of_a_path(text: str) -> None:
    assert PLAIN.fullmatch(text) is None
