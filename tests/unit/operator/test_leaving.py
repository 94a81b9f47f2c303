"""Which namespaces a release leaves, and how the running operator hears of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from claude_gateway_operator import leaving
from claude_gateway_operator.leaving import ANNOTATION, NOTE_SECONDS, Watched, noted, watched

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


def test_a_note_holds_for_a_while() -> None:
    metadata = {"annotations": {ANNOTATION: leaving.note(frozenset(("b", "a")), NOW)}}
    assert noted(metadata, NOW) == {"a", "b"}
    assert noted(metadata, NOW + timedelta(seconds=NOTE_SECONDS - 1)) == {"a", "b"}
    assert noted(metadata, NOW + timedelta(seconds=NOTE_SECONDS)) == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[]",
        "5",
        '{"namespaces": ["a"]}',
        '{"namespaces": ["a"], "until": "soon"}',
        '{"namespaces": ["a"], "until": 5}',
        '{"namespaces": 5, "until": "2099-01-01T00:00:00+00:00"}',
        '{"namespaces": ["a"], "until": "2099-01-01T00:00:00"}',
    ],
)
def test_what_is_no_note_stops_nothing(text: str | None) -> None:
    assert noted({"annotations": None if text is None else {ANNOTATION: text}}, NOW) == frozenset()
    assert noted({}, NOW) == frozenset()


@pytest.mark.parametrize(
    ("container", "found"),
    [
        ({}, {"home"}),
        ({"env": [{"name": "CLAUDE_GATEWAY_OPERATOR_ALL_NAMESPACES", "value": "false"}]}, {"home"}),
        ({"env": None}, {"home"}),
        ({"env": [{"name": "OTHER", "value": "x"}]}, {"home"}),
        ({"env": [{"name": "CLAUDE_GATEWAY_OPERATOR_WATCH_NAMESPACES"}]}, {"home"}),
        ({"env": [{"name": "CLAUDE_GATEWAY_OPERATOR_WATCH_NAMESPACES", "value": "a, b,"}]}, {"home", "a", "b"}),
    ],
)
def test_the_deployment_says_what_is_watched(container: dict[str, Any], found: set[str]) -> None:
    live = {"spec": {"template": {"spec": {"containers": [container]}}}}
    assert watched(live, "home") == Watched(frozenset(found), False)
    assert watched(None, "home") == Watched(frozenset({"home"}), False)


@pytest.mark.parametrize(("name", "value"), [("ALL_NAMESPACES", "true"), ("NAMESPACE_SELECTOR", "ai=enabled")])
def test_the_deployment_says_whether_it_serves_what_it_does_not_list(name: str, value: str) -> None:
    container = {"env": [{"name": f"CLAUDE_GATEWAY_OPERATOR_{name}", "value": value}]}
    live = {"spec": {"template": {"spec": {"containers": [container]}}}}
    assert watched(live, "home") == Watched(frozenset({"home"}), True)
