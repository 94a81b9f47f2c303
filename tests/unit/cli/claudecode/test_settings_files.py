"""Claude Code's settings files: a merge that keeps what is there, and which file wins."""

import json
from pathlib import Path

import pytest

from claude_gateway.cli.claudecode import settings_files
from claude_gateway.cli.errors import Trouble

ENV = {"ANTHROPIC_BASE_URL": "https://llm.example.com", "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1"}


def settings(tmp_path: Path, text: str) -> settings_files.Settings:
    path = tmp_path / "settings.json"
    path.write_text(text)
    return settings_files.read(path)


def test_a_merge_keeps_everything_else_and_its_order(tmp_path: Path) -> None:
    text = '{\n\t"model": "opus",\n\t"env": {"FOO": "1", "ANTHROPIC_AUTH_TOKEN": "old"},\n\t"hooks": {"ü": []}\n}\n'
    before = settings(tmp_path, text)
    after = settings_files.merged(before, env=ENV, helper="h", without=("ANTHROPIC_AUTH_TOKEN",))
    assert json.loads(after) == {"model": "opus", "env": {"FOO": "1", **ENV}, "hooks": {"ü": []}, "apiKeyHelper": "h"}
    assert list(json.loads(after)) == ["model", "env", "hooks", "apiKeyHelper"]
    assert after.splitlines()[1].startswith("\t")
    assert "ü" in after


def test_a_merge_that_changes_nothing_keeps_the_text(tmp_path: Path) -> None:
    text = f'{{"env":{json.dumps(ENV)},   "apiKeyHelper":"h"}}'
    assert (
        settings_files.merged(settings(tmp_path, text), env=ENV, helper="h", without=("ANTHROPIC_AUTH_TOKEN",)) == text
    )
    first = settings_files.merged(settings_files.read(tmp_path / "none.json"), env=ENV, helper=None)
    assert settings_files.merged(settings(tmp_path, first), env=ENV, helper=None) == first


@pytest.mark.parametrize(
    ("text", "said"),
    [("{\n,}", "settings.json:2:1: not valid JSON"), ("[]", "not a JSON object"), ("[" * 100_000, "not JSON")],
)
def test_a_file_that_is_no_json_object_is_said_and_not_quoted(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Trouble) as caught:
        settings(tmp_path, text)
    assert said in caught.value.message


def test_an_empty_file_and_none_are_empty(tmp_path: Path) -> None:
    assert settings(tmp_path, "\n").values == {}
    missing = settings_files.read(tmp_path / "none.json")
    assert (missing.values, missing.text, missing.env, missing.helper) == ({}, None, {}, None)


def test_values_are_text_as_claude_code_reads_them(tmp_path: Path) -> None:
    found = settings(tmp_path, '{"env": {"A": 1, "B": true, "C": "x"}, "apiKeyHelper": 5}')
    assert found.env == {"A": "1", "B": "true", "C": "x"}
    assert found.helper is None
    assert settings(tmp_path, '{"env": []}').env == {}


def test_who_wins(tmp_path: Path) -> None:
    managed, project = tmp_path / "managed", tmp_path / "project"
    (managed / "managed-settings.d").mkdir(parents=True)
    (project / ".claude").mkdir(parents=True)
    places = [
        managed / "managed-settings.d" / "20-b.json",
        managed / "managed-settings.d" / "10-a.json",
        managed / "managed-settings.json",
        project / ".claude" / "settings.local.json",
        project / ".claude" / "settings.json",
    ]
    for place in places:
        place.write_text('{"model": "x"}')
    assert [found.path for found in settings_files.above(project, managed)] == places
    places[2].write_text("{broken")
    places[3].write_text("{}")
    assert [found.path for found in settings_files.above(project, managed)] == [*places[:2], places[4]]


def test_where_the_users_file_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert settings_files.user_file({}) == tmp_path / ".claude" / "settings.json"
    assert settings_files.user_file({"CLAUDE_CONFIG_DIR": "/x"}) == Path("/x/settings.json")
    assert settings_files.managed_folder().is_absolute()
