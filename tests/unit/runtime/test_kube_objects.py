"""What comes from an API server: events of a watch, entries of an object, and never a word of a Secret in an error."""

import json
from base64 import b64encode
from typing import Any

import pytest

from claude_gateway_runtime.kube import Event, Expired, Retryable, entries

VALUE = "sk-very-secret-value"


def _line(event: object) -> bytes:
    return json.dumps(event).encode() + b"\n"


def test_an_event_carries_its_object_and_where_to_go_on() -> None:
    found = {"kind": "Secret", "metadata": {"resourceVersion": "42"}, "data": {}}

    event = Event.parse(_line({"type": "MODIFIED", "object": found}))

    assert (event.type, event.object, event.version) == ("MODIFIED", found, "42")


@pytest.mark.parametrize(("code", "expired"), [(410, True), (500, False), (None, False)])
def test_an_error_event_says_whether_the_watch_can_resume(code: int | None, expired: bool) -> None:
    status = {"kind": "Status", "message": "too old resource version", "code": code}

    with pytest.raises(Retryable, match="too old resource version") as raised:
        Event.parse(_line({"type": "ERROR", "object": status}))

    assert isinstance(raised.value, Expired) is expired


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'"text"',
        _line({"type": "ADDED"}),
        _line({"type": "ADDED", "object": None}),
        _line({"type": "ADDED", "object": {"data": {"key": VALUE}}}),
        _line({"type": "ADDED", "object": {"metadata": [], "data": {"key": VALUE}}}),
        _line({"type": "ERROR", "object": VALUE}),
    ],
)
def test_a_line_that_is_no_event_is_refused_without_its_content(line: bytes) -> None:
    with pytest.raises(Retryable) as raised:
        Event.parse(line)

    assert str(raised.value) == "the watch sent a line that is not an event"


def test_an_event_does_not_show_its_object() -> None:
    found = {"metadata": {"resourceVersion": "1"}, "data": {"key": VALUE}}

    assert VALUE not in repr(Event.parse(_line({"type": "ADDED", "object": found})))


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({"kind": "ConfigMap", "data": {"a": "ä"}, "binaryData": {"b": "AAE="}}, {"a": "ä".encode(), "b": b"\0\1"}),
        ({"kind": "ConfigMap", "binaryData": {"b": "AAE="}}, {"b": b"\0\1"}),
        ({"kind": "ConfigMap", "data": None}, {}),
        ({"kind": "Secret", "data": {"a": _encoded(VALUE)}, "type": "Opaque"}, {"a": VALUE.encode()}),
        ({"kind": "Secret"}, {}),
    ],
)
def test_entries_are_read_as_their_kind_stores_them(found: dict[str, Any], expected: dict[str, bytes]) -> None:
    assert entries(found) == expected


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"kind": "Secret", "data": {"a": f"{VALUE}!"}},
        {"kind": "Secret", "data": [VALUE]},
        {"kind": "ConfigMap", "binaryData": {"a": 1}},
        {"kind": "ConfigMap", "binaryData": {"a": "ä"}},
        {"kind": "ConfigMap", "data": {"a": "\ud800"}},
    ],
)
def test_entries_that_cannot_be_read_are_refused_without_their_content(found: dict[str, Any]) -> None:
    with pytest.raises(Retryable) as raised:
        entries(found)

    assert str(raised.value) == "an object has entries that cannot be read"
