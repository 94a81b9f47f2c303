"""The recorded corpus: complete, readable, and without a trace of the machine that made it."""

import json
import re
from pathlib import Path

import pytest
from tests.support.builders.corpus import FOLDER, Recording, recordings
from tests.support.clients.scenarios import MODES, SCENARIOS

PINS = Path(__file__).parents[2] / "clients"
NAMES = {scenario.name for scenario in (*SCENARIOS, *MODES)} | {"title"}
OWN_ID = re.compile(r"\b(?!0000[0-9a-f]{4}-0000)[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b")
OWN_PATH = re.compile(r"/home/|/root\b|/var/folders|/tmp/(?!c)")


@pytest.mark.parametrize("release", ["newest", "old"])
def test_the_pinned_releases_are_recorded_in_every_scenario(release: str) -> None:
    pinned = json.loads((PINS / f"claude-code-{release}" / "package.json").read_text())["dependencies"]
    found = {one.scenario for one in recordings() if one.version == pinned["@anthropic-ai/claude-code"]}
    assert found == NAMES


@pytest.mark.parametrize("recording", recordings(), ids=str)
def test_a_recording_is_a_request_and_its_answer(recording: Recording) -> None:
    assert recording.status
    if recording.method == "POST":
        assert recording.json["messages"]
        assert dict(recording.headers)["anthropic-version"]
    if recording.content_type.startswith("text/event-stream"):
        assert recording.answer.startswith(b"event: message_start\ndata: ")


def test_nothing_tells_whose_machine_it_was() -> None:
    text = "".join(file.read_text() for file in FOLDER.rglob("*.json"))
    assert OWN_ID.findall(text) == []
    assert [match[0] for match in OWN_PATH.finditer(text)] == []
