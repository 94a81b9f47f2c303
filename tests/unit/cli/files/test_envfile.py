"""Env files, and which values of a Secret name a variable."""

from pathlib import Path

import pytest

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import envfile


def test_lines_are_names_and_values() -> None:
    text = (
        "# comment\n\nA=1\nexport B = two words \nC='single # kept'\n"
        'D="double" # gone\nE=a#b # c\nF=\nG=it\'s\nH=$A\nI=a=b\n'
    )
    assert envfile.parse(text, path=Path(".env")) == {
        "A": "1",
        "B": "two words",
        "C": "single # kept",
        "D": "double",
        "E": "a#b",
        "F": "",
        "G": "it's",
        "H": "$A",
        "I": "a=b",
    }


def test_a_bad_line_is_named_by_its_number_and_not_shown() -> None:
    with pytest.raises(Trouble) as caught:
        envfile.parse("A=1\nsk-secret value\n", path=Path(".env"))
    assert ".env:2" in caught.value.message
    assert "sk-secret" not in caught.value.message + caught.value.fix


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("$NAME", "NAME"),
        ("${NAME}", "NAME"),
        ("$_a1", "_a1"),
        ("$NAME ", None),
        ("x$NAME", None),
        ("$NAME$B", None),
        ("${NAME", None),
        ("$1", None),
        ("$", None),
        ("", None),
        ("$NAME\n", None),
    ],
)
def test_only_a_whole_value_names_a_variable(value: str, name: str | None) -> None:
    assert envfile.reference(value) == name


def test_the_file_wins_over_the_environment(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=file\n")
    found = envfile.environment({"A": "ambient", "B": "b"}, tmp_path / ".env")
    assert (found["A"], found["B"]) == ("file", "b")
    assert envfile.environment({"A": "ambient"}, None) == {"A": "ambient"}
