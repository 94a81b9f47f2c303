"""What the real CLI asks, in every other format, is what was reviewed (``python -m tests.support.builders.golden``)."""

import pytest
from tests.support.builders.golden import FOLDER, TARGETS, translated, upstreams


@pytest.mark.parametrize("kind", TARGETS)
def test_translations_are_those_reviewed(kind: str) -> None:
    with upstreams() as (upstream, worker):
        found = translated(kind, upstream, worker)
    committed = {path.name: path.read_text() for path in FOLDER.glob(f"*.{kind}.json")}
    assert found.keys() == committed.keys()
    for name, text in found.items():
        assert text.splitlines() == committed[name].splitlines(), name
