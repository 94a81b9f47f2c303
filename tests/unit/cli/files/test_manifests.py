"""YAML with places: every field is found again, and what is no YAML says where."""

from pathlib import Path

import pytest

from claude_gateway.cli.files import manifests
from claude_gateway.cli.files.manifests import UnreadableFileError

PATH = Path("x.yaml")
TEXT = """\
# a comment
kind: ModelRoute
metadata: {name: a}
spec:
  models: [x, y]
  targets:
    - model: openai/x
      credential: c
    - model: openai/y
---
kind: Secret
metadata:
  name: s
stringData:
  key: v
  tls.crt: w
"""


@pytest.mark.parametrize(
    ("document", "field", "line", "column"),
    [
        (0, "", 2, 1),
        (0, "metadata.name", 3, 12),
        (0, "spec.models[1]", 5, 15),
        (0, "spec.targets[0].credential", 8, 7),
        (0, "spec.targets[1]", 9, 7),
        (0, "spec.targets[1].credential", 9, 7),
        (0, "spec.targets[7].credential", 6, 3),
        (0, "spec.timeouts.idle", 4, 1),
        (0, "nowhere.at.all", 2, 1),
        (1, "stringData.key", 15, 3),
        (1, "stringData.tls.crt", 16, 3),
        (1, "stringData.missing", 14, 1),
    ],
)
def test_a_field_has_a_place_or_its_nearest_ancestor_has(document: int, field: str, line: int, column: int) -> None:
    place = manifests.parse(TEXT, path=PATH)[document].place(field)
    assert (place.line, place.column) == (line, column)
    assert str(place) == f"x.yaml:{line}:{column}"


def test_the_items_of_a_list_are_manifests_with_places_of_their_own() -> None:
    text = "kind: List\nitems:\n- kind: A\n  spec: {x: 1}\n- kind: B\n"
    first, second = manifests.parse(text, path=PATH)
    assert (first.manifest["kind"], second.manifest["kind"]) == ("A", "B")
    assert first.place("spec.x").line == 4
    assert second.place("").line == 5


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: [\n", 3, "not valid YAML"),
        ("a: 1\n  b: 2\n", 2, "not valid YAML"),
        ("kind: A\nspec:\n  x: 1\n  x: 2\n", 4, "the key x is written twice"),
        ("kind: A\n---\n- 1\n", 3, "not an object"),
        ("just text\n", 1, "not an object"),
        ("a: &a [*a]\n", 1, "an alias contains itself"),
        ("a: !!python/object:os.system {}\n", 1, "not valid YAML"),
        ("a: 2026-13-45\n", 1, "looks like a number or a date"),
        ("a: 1\nb: \x01\n", 2, "not valid YAML"),
        ("a: " + "[" * 500 + "]" * 500, 1, "too deep"),
    ],
)
def test_what_is_no_manifest_says_where_and_what_to_do(text: str, line: int, message: str) -> None:
    with pytest.raises(UnreadableFileError, match=message) as caught:
        manifests.parse(text, path=PATH)
    assert caught.value.place.line == line
    assert caught.value.fix


def test_messages_never_quote_the_file() -> None:
    with pytest.raises(UnreadableFileError) as caught:
        manifests.parse("stringData:\n  key: 'sk-secret-value\n", path=PATH)
    assert "sk-secret" not in str(caught.value)


def test_empty_documents_and_shared_values_are_fine() -> None:
    found = manifests.parse("---\n---\nkind: A\nx: &x {y: 1}\nz: *x\n---\n", path=PATH)
    assert [document.manifest for document in found] == [{"kind": "A", "x": {"y": 1}, "z": {"y": 1}}]


def test_the_values_of_a_document_are_not_in_its_repr() -> None:
    assert "v" not in repr(manifests.parse(TEXT, path=Path("n"))[1]).replace("Document(path=PosixPath('n'))", "")


def test_a_folder_gives_its_yaml_and_json_files_and_no_others(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yaml", "c.txt", ".hidden.yaml", "d.yaml~", "f.json", "g.jsonl"):
        (tmp_path / name).write_text("")
    (tmp_path / "e.yaml").mkdir()
    assert [path.name for path in manifests.files(tmp_path)] == ["a.yaml", "b.yml", "f.json"]
    assert manifests.files(tmp_path / "a.yaml") == [tmp_path / "a.yaml"]


@pytest.mark.parametrize("opened", ["[", "- ", "{a: ", "? "])
def test_no_depth_ends_the_process(opened: str) -> None:
    with pytest.raises(UnreadableFileError, match="nested too deeply"):
        manifests.parse(opened * 200_000, path=Path("x.yaml"))
    assert len(manifests.parse("a: [1]\n---\n" * 2_000, path=Path("x.yaml"))) == 2_000


def test_json_is_read_as_programs_write_it() -> None:
    text = '{\n\t"kind": "List",\n\t"items": [{"a": "\\ud83d\\ude00 \\/ \\\\ud83d\\\\ude00"}]\n}\n'
    (document,) = manifests.parse(text, path=Path("x.json"))
    assert document.manifest == {"a": "\U0001f600 / \\ud83d\\ude00"}
    assert str(document.place("a")) == "x.json:3:13"
    with pytest.raises(UnreadableFileError, match="not valid YAML: while") as caught:
        manifests.parse('{\n\t"a": 1,\n\t"b" 2\n}', path=Path("x.json"))
    assert caught.value.place.line == 3


def test_files_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe4\n")
    with pytest.raises(UnreadableFileError, match="UTF-8"):
        manifests.read(tmp_path / "latin.yaml")
    with pytest.raises(UnreadableFileError, match="No such file"):
        manifests.read(tmp_path / "gone.yaml")
