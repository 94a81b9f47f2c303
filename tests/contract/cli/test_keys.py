"""Keys for many people: from a CSV file to answers, to the next key and to revocation, while ``serve`` runs."""

import re
import sys
from pathlib import Path

import pytest
from tests.support.builders import objects as builders
from tests.support.builders import scan
from tests.support.processes.command import Outcome, call, write
from tests.support.processes.serve import Starter

PEOPLE = "name,email,team\nAlice,alice@example.com,platform\nBob,bob@example.com,data\n"
# What ``age`` does with its recipient is its own matter; here, what it is asked, and that it gets the key on its input.
AGE = """#!{python}
import sys
open("{folder}/asked", "a").write(" ".join(sys.argv[1:]) + "\\n")
print("sealed:" + str(len(sys.stdin.read())))
"""


def bulk(folder: Path, text: str, *arguments: str, path: str | None = None) -> Outcome:
    people = folder / "people.csv"
    people.write_text(text)
    places = ("--from", people, "-o", folder / "developers.yaml", "--handouts", folder / "handouts")
    return call("key", "new", "developers", *places, *arguments, environment={"PATH": path} if path else None)


def key(folder: Path, person: str) -> str:
    path = folder / "handouts" / f"{person}.key"
    assert path.stat().st_mode & 0o777 == 0o600
    return path.read_text().strip()


def test_people_get_keys_and_lose_them(start: Starter, folder: Path) -> None:
    assert bulk(folder, PEOPLE, "--days", "90").code == 0
    alice, bob = key(folder, "alice@example.com"), key(folder, "bob@example.com")
    # The file with the hashes can be committed.
    assert scan.found([alice, bob], (folder / "developers.yaml").read_text()) == []
    serve = start()
    assert [serve.ask(key=each).status_code for each in (alice, bob)] == [200, 200]
    line = serve.wait_for("request")
    assert (line["client"], line["user"], line["team"]) == ("default/developers", "alice@example.com", "platform")

    (folder / "handouts" / "alice@example.com.key").unlink()
    (folder / "handouts" / "bob@example.com.key").unlink()
    more = bulk(folder, f"{PEOPLE}Carol,carol@example.com,\n")
    assert (more.code, "1 new key" in more.stdout, "2 had a key already" in more.stdout) == (0, True, True)
    serve.wait_for("config_live")
    carol = key(folder, "carol@example.com")
    assert [serve.ask(key=each).status_code for each in (alice, bob, carol)] == [200, 200, 200]

    assert call("key", "revoke", "bob@example.com", "-f", folder).code == 0
    serve.wait_for("config_live", count=2)
    assert [serve.ask(key=each).status_code for each in (alice, bob, carol)] == [200, 401, 200]
    assert serve.process.stop() == 0
    assert scan.found([alice, bob, carol], serve.process.output) == []


def test_a_rotation_has_no_gap(start: Starter, folder: Path) -> None:
    bulk(folder, PEOPLE)
    old = key(folder, "alice@example.com")
    for path in (folder / "handouts").iterdir():
        path.unlink()
    serve = start()
    assert serve.ask(key=old).status_code == 200
    assert bulk(folder, PEOPLE, "--rotate").code == 0
    serve.wait_for("config_live")
    new = key(folder, "alice@example.com")
    assert [serve.ask(key=each).status_code for each in (old, new)] == [200, 200]
    assert call("key", "revoke", "alice@example.com", "--old", "-f", folder).code == 0
    serve.wait_for("config_live", count=2)
    assert [serve.ask(key=each).status_code for each in (old, new)] == [401, 200]
    again = call("key", "revoke", "alice@example.com", "--old", "-f", folder)
    assert (again.code, "older key" in again.stderr) == (1, True)


def test_a_list_shows_people_and_never_a_key(folder: Path) -> None:
    bulk(folder, PEOPLE, "--days", "90")
    outcome = call("key", "list", "-f", folder)
    assert outcome.code == 0
    assert re.search(r"^default/developers  2 keys  \*  ", outcome.stdout, re.MULTILINE)
    assert re.search(r"^  bob@example.com  team data  \d{4}-\d\d-\d\d \(0 d old\)  ends ", outcome.stdout, re.MULTILINE)
    assert not re.search("cgw_|sha256|[0-9a-f]{64}", outcome.stdout)


def test_a_mistake_in_the_people_writes_nothing(folder: Path) -> None:
    outcome = bulk(folder, f"{PEOPLE}Alice Again,alice@example.com,\nB B,,\n")
    assert outcome.code == 1
    assert "people.csv:4: alice@example.com is in line 2 already" in outcome.stderr
    assert "people.csv:5: 'B B' is not one person's" in outcome.stderr
    assert not (folder / "handouts").exists()
    assert not (folder / "developers.yaml").exists()


def test_a_handout_is_never_overwritten_and_no_hash_is_without_its_key(folder: Path) -> None:
    handouts = folder / "handouts"
    handouts.mkdir(mode=0o700)
    (handouts / "bob@example.com.key").write_text("precious")
    outcome = bulk(folder, PEOPLE)
    assert (outcome.code, "already exists" in outcome.stderr) == (1, True)
    assert [path.name for path in handouts.iterdir()] == ["bob@example.com.key"]
    assert (handouts / "bob@example.com.key").read_text() == "precious"
    assert not (folder / "developers.yaml").exists()


def test_a_folder_that_others_can_enter_gets_no_key(folder: Path) -> None:
    (folder / "handouts").mkdir(mode=0o755)
    outcome = bulk(folder, PEOPLE)
    assert (outcome.code, "chmod 700" in outcome.stderr) == (1, True)


@pytest.mark.parametrize("text", ["kind: ConfigMap\n", "", "not: [yaml\n"])
def test_a_file_of_somebody_else_is_not_changed(folder: Path, text: str) -> None:
    (folder / "developers.yaml").write_text(text)
    outcome = bulk(folder, PEOPLE)
    assert (outcome.code, "already exists" in outcome.stderr) == (1, True)
    assert (folder / "developers.yaml").read_text() == text
    assert not (folder / "handouts").exists() or not list((folder / "handouts").iterdir())


def test_a_public_key_seals_the_handout(folder: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "age").write_text(AGE.format(python=sys.executable, folder=tools))
    (tools / "age").chmod(0o700)
    public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN alice"
    text = f"email,public_key\nalice@example.com,{public}\n"
    outcome = bulk(folder, text, path=str(tools))
    assert (outcome.code, "1 sealed" in outcome.stdout) == (0, True)
    sealed = folder / "handouts" / "alice@example.com.key.age"
    assert (sealed.read_text(), sealed.stat().st_mode & 0o777) == ("sealed:48\n", 0o600)
    assert [path.name for path in (folder / "handouts").iterdir()] == [sealed.name]
    assert (tools / "asked").read_text() == f"--encrypt --armor --recipient {public}\n"
    (tools / "age").unlink()
    missing = bulk(folder, text.replace("alice@", "bob@"), path=str(tools))
    assert (missing.code, "Install age" in missing.stderr) == (1, True)
    assert "bob@" not in (folder / "developers.yaml").read_text()


def test_a_client_is_revoked_with_its_own_secret(folder: Path) -> None:
    """A file that people wrote keeps its comments, its layout and everybody else's objects."""
    mine = folder / "mine.yaml"
    assert call("key", "new", "ci", "-o", folder / "ci.yaml").code == 0
    mine.write_text(
        "# ours\n" + (folder / "ci.yaml").read_text().replace("name: ci", "name: cd  # deploys") + "---\n# the next\n"
        "kind: Secret\napiVersion: v1\nmetadata: {name: other}\nstringData: {key: $HOME}\n"
    )
    before = call("key", "list", "-f", folder).stdout
    assert "default/cd" in before
    assert call("key", "revoke", "cd", "-f", folder).code == 0
    assert mine.read_text() == (
        "# ours\n---\n# the next\nkind: Secret\napiVersion: v1\nmetadata: {name: other}\nstringData: {key: $HOME}\n"
    )
    assert call("key", "revoke", "default/ci", "-f", folder).code == 0
    assert "default/ci" not in call("key", "list", "-f", folder).stdout
    assert call("key", "revoke", "nobody", "-f", folder).code == 1


def test_a_key_of_one_client_has_an_end(folder: Path) -> None:
    assert call("key", "new", "ci", "--days", "30", "-o", folder / "ci.yaml").code == 0
    assert "expiresAt" in (folder / "ci.yaml").read_text()
    assert call("lint", "-f", folder).code == 0


def test_a_person_in_the_client_itself_is_not_forgotten(folder: Path) -> None:
    """Removing only the lines of the lists would leave the person a key."""
    bulk(folder, PEOPLE)
    entry = {"hash": f"sha256:{'0' * 64}", "user": "bob@example.com"}
    write(folder / "more.yaml", {**builders.client(), "metadata": {"name": "more"}, "spec": {"keys": [entry]}})
    before = (folder / "developers.yaml").read_text()
    outcome = call("key", "revoke", "bob@example.com", "-f", folder)
    assert (outcome.code, f"{folder}/more.yaml:" in outcome.stderr) == (1, True)
    assert (folder / "developers.yaml").read_text() == before


def test_a_layout_that_cannot_be_edited_is_not_changed(folder: Path) -> None:
    bulk(folder, PEOPLE)
    path = folder / "developers.yaml"
    listed = path.read_text()
    line = next(line.strip() for line in listed.splitlines() if "bob@" in line)
    head, _, rest = listed.partition("  key: |")
    path.write_text(f'{head}  key: "{line}\\n"\n{rest[rest.index("---") :]}')
    before = path.read_text()
    outcome = call("key", "revoke", "bob@example.com", "-f", folder)
    assert (outcome.code, "by hand" in outcome.stderr) == (1, True)
    assert path.read_text() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("list",),
        ("revoke", "x"),
        ("list", "--cluster", "-f", "."),
        ("list", "-f", ".", "-n", "x"),
        ("new", "x", "--rotate"),
        ("new", "x", "--from", __file__),
        ("new", "Not A Name", "--from", __file__, "-o", "x.yaml", "--handouts", "x"),
    ],
)
def test_wrong_usage_is_said(arguments: tuple[str, ...]) -> None:
    assert call("key", *arguments).code == 2
