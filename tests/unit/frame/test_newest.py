"""The weekly report: what moved, what failed, and what a pull request may change."""

import shlex
from pathlib import Path
from typing import Final

import pytest
from tools import newest

BEFORE: Final = {"litellm": "1.0.0", "@openai/codex": "2.0.0"}
AFTER: Final = {"litellm": "1.1.0", "@openai/codex": "2.0.0"}


def test_pins_of_this_tree_are_found() -> None:
    found = newest.versions(newest.ROOT)
    assert {"litellm", "@anthropic-ai/claude-code", "@openai/codex", "opencode-linux-x64", "ai"} <= set(found)
    assert all(version[0].isdigit() for version in found.values())


def test_the_report_names_what_moved_and_how_the_tests_went() -> None:
    text = newest.report(BEFORE, AFTER, {"Conformance suite": "", "Real clients": "boom"})
    assert "| litellm | 1.0.0 | 1.1.0 |" in text
    assert "codex" not in text
    assert "- Conformance suite: passed\n- Real clients: **failed**\n" in text
    assert "### Real clients\n\n```text\nboom\n```" in text


def test_output_of_a_test_cannot_leave_its_block() -> None:
    assert newest.report({}, {}, {"Real clients": "```\n@everyone"}).count("```") == 2


def test_the_title_says_what_is_new() -> None:
    assert newest.title(BEFORE, AFTER, {"a": ""}) == "Tests pass with newer litellm"
    assert newest.title(BEFORE, AFTER, {"a": "boom"}) == "Tests fail with newer litellm"
    assert newest.title(AFTER, AFTER, {"a": "boom"}) == "Tests fail with the pinned versions"
    assert newest.title(AFTER, AFTER, {"a": ""}) == ""


def test_a_pull_request_changes_pins_and_pages_alone() -> None:
    assert {pattern.split("/")[0] for pattern in newest.CHANGED} == {"tests", "locks", "docs"}


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ("[]", ["list --state open --head newest --json number", "create --head newest --title T --body-file b"]),
        ('[{"number": 7}]', ["list --state open --head newest --json number", "edit 7 --title T --body-file b"]),
    ],
)
def test_a_report_that_is_still_open_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: str, said: list[str]
) -> None:
    log = tmp_path / "log"
    (tmp_path / "gh").write_text(f'#!/bin/sh\necho "$*" >> {log}\necho {shlex.quote(listed)}\n')
    (tmp_path / "gh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    newest.say("pr", "T", "b", "--head", "newest")
    assert log.read_text().splitlines() == [f"pr {each}" for each in said]
