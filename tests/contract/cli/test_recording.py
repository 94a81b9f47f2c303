"""The README's recording shows what the commands print today."""

import json

from tests.support.clients import recording


def test_the_recording_is_what_the_commands_print() -> None:
    """If this fails, run: make recording generate"""
    assert recording.record().splitlines() == recording.CAST.read_text(encoding="utf-8").splitlines()


def test_it_takes_twenty_seconds_at_most_and_shows_no_key() -> None:
    _, *events = (json.loads(line) for line in recording.CAST.read_text(encoding="utf-8").splitlines())
    assert events[-1][0] <= 20
    assert "cgw_" not in "".join(data for _, _, data in events)
