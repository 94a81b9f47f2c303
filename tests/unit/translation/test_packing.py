"""Values in texts that clients send back."""

import base64
import random
import zlib

import pytest

from claude_gateway_proxy.translation.packing import packed, unpacked


@pytest.mark.parametrize(
    "raw", [b"", b"x", b"a" * 100_000, random.Random(1).randbytes(100_000), b"some words " * 3], ids=len
)
def test_what_was_packed_comes_back(raw: bytes) -> None:
    assert unpacked(packed(raw)) == raw


def test_a_text_unpacks_to_a_few_times_its_size() -> None:
    bomb = base64.b64encode(zlib.compress(b"a" * 3_000_000)).decode()
    assert len(bomb) < 5_000
    assert unpacked(bomb) is None
    large = base64.b64encode(zlib.compress(b"a" * 5_000_000, 0)).decode()
    for damaged in (large, "no base64", base64.b64encode(b"no zlib").decode(), "ü"):
        assert unpacked(damaged) is None
