"""The search for leaked secrets finds what it must: a test that asks it relies on that."""

import base64
import gzip
from pathlib import Path

import pytest
from tests.support.builders import scan

SECRET = "cgw_0123456789abcdef"


@pytest.mark.parametrize(
    "text", [SECRET, f"x{SECRET}y", base64.b64encode(SECRET.encode()).decode(), SECRET.encode().hex()]
)
def test_a_secret_is_found_in_every_form(text: str, tmp_path: Path) -> None:
    plain, zipped = tmp_path / "a.log", tmp_path / "b.gz"
    plain.write_text(f'{{"event": "{text}"}}')
    zipped.write_bytes(gzip.compress(text.encode()))
    assert scan.leaks([SECRET], [tmp_path, plain, zipped]) == ["a.log: cgw_0123…", "b.gz: cgw_0123…"]


def test_nothing_is_found_where_nothing_is(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_text("cgw_0123")
    assert scan.leaks([SECRET], [file]) == []
