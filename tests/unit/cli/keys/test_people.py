"""People from CSV files, as spreadsheets write them, and every mistake with its line."""

from pathlib import Path

import pytest

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.keys import people
from claude_gateway.cli.keys.people import Person

AGE = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
SSH = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN alice@laptop"


def parse(text: str) -> tuple[Person, ...]:
    return people.parse(text, path=Path("people.csv"))


@pytest.mark.parametrize(
    "text",
    [
        "name,email,team,public_key\nAlice Smith,alice@example.com,platform,\nBob,bob@example.com,data,\n",
        "Name;E-Mail;Team\r\nAlice Smith;alice@example.com;platform\r\nBob;bob@example.com;data\r\n",
        'email,team\n"alice@example.com", platform \n\nbob@example.com,data\n,\n',
        "team,mail\nplatform,alice@example.com\ndata,bob@example.com",
    ],
)
def test_what_spreadsheets_write(text: str) -> None:
    assert parse(text) == (Person("alice@example.com", "platform"), Person("bob@example.com", "data"))


def test_a_name_alone_and_keys_that_seal() -> None:
    found = parse(f"name,ssh_key\nci-1,\nalice,{SSH}\nbob,{AGE}\n")
    assert found == (Person("ci-1"), Person("alice", public_key=SSH), Person("bob", public_key=AGE))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no column name or email"),
        ("team\nplatform\n", "no column name or email"),
        ("name,phone\nalice,1\n", "unknown column phone"),
        ("name,name\nalice,alice\n", "a column is there twice"),
        ("email\n", "has no people"),
        ("email\nalice@example.com\nAlice Smith\n", "people.csv:3: 'Alice Smith' is not one person's"),
        ("email\n-x\n", "people.csv:2: '-x'"),
        ("email\n../x\n", "people.csv:2: '../x'"),
        ("email\n=cmd()\n", "people.csv:2: '=cmd()'"),
        ("email,team\n,platform\n", "people.csv:2: the person has no name"),
        ("email,team\na@x.de,two words\n", "people.csv:2: the team 'two words'"),
        ("email\na@x.de,b\n", "people.csv:2: 2 cells, but the header has 1"),
        ("email\na@x.de\nb@x.de\nA@x.de\n", "people.csv:4: A@x.de is in line 2 already"),
        ("email,public_key\na@x.de,ssh-dss AAAA\n", "people.csv:2: the public key"),
        ("email,public_key\na@x.de,--recipients-file=/etc/passwd\n", "people.csv:2: the public key"),
        ('email,team\n"a@x.de,b\nb@x.de,c\n', "not valid CSV"),
        ('email,team\na"b@x.de,c\n"a"b,c\n', "not valid CSV"),
        (f"email\n{'x' * 300}\n", "people.csv:2:"),
        (f"email\n{'x' * 200_000}\n", "not valid CSV"),
        ("email\n" + "".join(f"u{number}\n" for number in range(people.MOST + 1)), "more than 10000 people"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(Trouble) as caught:
        parse(text)
    assert said in caught.value.message
    assert len(caught.value.message) < 4000


def test_all_lines_with_mistakes_are_named_at_once() -> None:
    with pytest.raises(Trouble) as caught:
        parse("email\n" + "not a name\n" * 30)
    assert caught.value.message.count("people.csv:") == 20
    assert "and 10 more" in caught.value.message


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    for content in (None, b"\xff\xfe", b"email\n" + b"x" * (9 * 1024 * 1024)):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(Trouble):
            people.read(path)
    path.write_bytes(b"\xef\xbb\xbfemail\nalice\n")
    assert people.read(path) == (Person("alice"),)
