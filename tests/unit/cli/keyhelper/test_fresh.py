"""Keys and their ends."""

import base64
import json

import pytest
from tests.support.builders.service_accounts import Cluster

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.keyhelper import fresh

KEY = "cgw_fresh-0123456789abcdef"


def token(claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{payload}.c2ln"


def test_a_key_is_taken_without_white_space_and_has_no_known_end() -> None:
    key = fresh.made(f" {KEY}\n", now=100.0, source="it")
    assert (key.value, key.fetched, key.expires) == (KEY, 100.0, None)
    assert KEY not in repr(key)


@pytest.mark.parametrize(
    "text",
    [
        *("", "\n", "two words", "two\nlines", "k\u00e4y", "a" * 8193, "sk-ant-api03-x", "Sk-Ant-x"),
        *(f'"{KEY}"', f"'{KEY}'", f'{{"key":"{KEY}"}}', f'["{KEY}"]', f"KEY={KEY}", 'KEY="other-key"'),
    ],
)
def test_what_is_no_key_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(Trouble) as caught:
        fresh.made(text, now=0.0, source="the field key")
    assert "the field key" in caught.value.message
    assert not text.strip() or text.strip() not in caught.value.message + caught.value.fix


def test_what_looks_like_a_wrapped_key_is_taken() -> None:
    for text in ("KEY=", "c2VjcmV0a2V5==", "a=b"):
        assert fresh.made(text, now=0.0, source="it").value == text


def test_the_earlier_of_two_ends_counts() -> None:
    signed = Cluster().token(lifetime=600)
    end = fresh.expiry_of(signed)
    assert end is not None
    assert fresh.made(signed, now=end - 600, source="it", lifetime=60).expires == end - 540
    assert fresh.made(signed, now=end - 600, source="it", lifetime=6000).expires == end
    assert fresh.made(KEY, now=10.0, source="it", lifetime=0).expires is None


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        "a.b",
        "a.!.c",
        "a..c",
        f"a.{'x' * 9000}.c",
        token([]),
        token({}),
        token({"exp": "soon"}),
        token({"exp": 10**400}),
        token({"exp": True}),
        token({"exp": -1}),
        token({"exp": 1e300}),
    ],
)
def test_what_has_no_end_has_none(text: str) -> None:
    assert fresh.expiry_of(text) is None


def test_how_long_a_key_lasts() -> None:
    endless, ending = fresh.Key(KEY, fetched=0.0), fresh.Key(KEY, fetched=0.0, expires=100.0)
    assert endless.lasts(1e9, ttl=300)
    assert [ending.lasts(now, ttl=40) for now in (0, 60, 61)] == [True, True, False]
    assert [endless.usable(now, grace=50) for now in (-1, 0, 50, 51)] == [False, True, True, False]
    # A request needs a moment to arrive.
    assert [ending.usable(now, grace=1000) for now in (90, 94, 95, 101)] == [True, True, False, False]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(60, 60.0), (0.5, 0.5), ("3599", 3599.0), ("1h", None), (0, None), (True, None), (10**400, None)],
)
def test_a_servers_seconds(value: object, seconds: float | None) -> None:
    assert fresh.seconds_of(value) == seconds
