"""People from a CSV file, who each get a key: name, team, and optionally a public key that seals their hand-out."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from claude_gateway.api.base import OWNER
from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.terminal import printable

MOST: Final = 10_000
_LARGEST: Final = 8 * 1024 * 1024
_LONGEST_CELL: Final = 4096
_NAME: Final = re.compile(OWNER)
_LONGEST_NAME: Final = 254
# age's own keys, and the SSH keys that age can seal for.
_PUBLIC: Final = re.compile(r"age1[0-9a-z]{20,4000}|ssh-(ed25519|rsa) [A-Za-z0-9+/=]{20,4000}( [ -~]*)?")
_COLUMNS: Final[Mapping[str, str]] = {
    "name": "name",
    "email": "email",
    "e-mail": "email",
    "mail": "email",
    "team": "team",
    "public_key": "public_key",
    "publickey": "public_key",
    "ssh_key": "public_key",
}
_SHOWN: Final = 20
"""Mistakes that one message lists."""


@dataclass(frozen=True, slots=True)
class Person:
    """One person: ``name`` identifies them in the list of hashes and in logs, such as their e-mail address."""

    name: str
    team: str = ""
    public_key: str = ""


def read(path: Path) -> tuple[Person, ...]:
    """Read a CSV file. Raises Trouble that names every line with a mistake."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise Trouble(f"{path} cannot be read: {error.strerror}", fix="Check the path after --from.") from None
    except UnicodeDecodeError:
        raise Trouble(f"{path} is not a text file in UTF-8", fix="Save it as CSV in UTF-8.") from None
    if len(content) > _LARGEST:
        raise Trouble(f"{path} is larger than {_LARGEST // 1024**2} MiB", fix="Split it into several files.")
    return parse(text, path=path)


def parse(text: str, *, path: Path) -> tuple[Person, ...]:
    """Parse CSV with a header line; the separator is a comma, or a semicolon if the header has that. Raises Trouble."""
    header = text.partition("\n")[0]
    separator = ";" if ";" in header and "," not in header else ","
    # Strict: a quote that is never closed would otherwise take in the rest of the file.
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        columns = _columns(next(rows, []), path)
        numbered = [(rows.line_num, row) for row in rows if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise Trouble(f"{path}:{rows.line_num}: not valid CSV: {error}", fix="Check the quotes in this line.") from None
    if not numbered:
        raise Trouble(f"{path} has no people", fix="Write one line per person below the header.")
    if len(numbered) > MOST:
        raise Trouble(
            f"{path} has more than {MOST} people", fix="Split it into several files, each with its own Secret."
        )
    return _people(numbered, columns, path=path)


def _columns(header: Sequence[str], path: Path) -> list[str]:
    known = sorted({name for name in _COLUMNS if name == _COLUMNS[name]})
    names = [cell.strip().lower().replace(" ", "_") for cell in header]
    unknown = [printable(cell) for cell, name in zip(header, names, strict=True) if name not in _COLUMNS]
    if unknown:
        raise Trouble(
            f"{path}:1: unknown column {', '.join(unknown)[:200]}",
            fix=f"The first line names the columns: {', '.join(known)}; one of name and email is needed.",
        )
    found = [_COLUMNS[name] for name in names]
    if len(set(found)) != len(found):
        raise Trouble(f"{path}:1: a column is there twice", fix="Remove one of the two.")
    if not {"name", "email"} & set(found):
        raise Trouble(f"{path}:1: there is no column name or email", fix=f"Name the columns: {', '.join(known)}.")
    return found


def _people(rows: Sequence[tuple[int, Sequence[str]]], columns: Sequence[str], *, path: Path) -> tuple[Person, ...]:
    people: list[Person] = []
    mistakes: list[str] = []
    lines: dict[str, int] = {}
    for line, row in rows:
        if len(row) != len(columns):
            mistakes.append(f"{path}:{line}: {len(row)} cells, but the header has {len(columns)}")
            continue
        cells = {column: cell.strip() for column, cell in zip(columns, row, strict=True)}
        person = Person(cells.get("email") or cells.get("name", ""), cells.get("team", ""), cells.get("public_key", ""))
        wrong = list(_mistakes(person))
        before = lines.setdefault(person.name.lower(), line)
        if not wrong and before != line:
            wrong.append(f"{person.name} is in line {before} already")
        mistakes.extend(f"{path}:{line}: {each}" for each in wrong)
        people.append(person)
    if mistakes:
        more = len(mistakes) - _SHOWN
        listed = "\n".join(mistakes[:_SHOWN]) + (f"\nand {more} more" if more > 0 else "")
        raise Trouble(listed, fix="Nothing was written. Correct these lines and try again.")
    return tuple(people)


def _mistakes(person: Person) -> Iterator[str]:
    if not person.name:
        yield "the person has no name and no email"
    elif not _named(person.name):
        yield f"{_quoted(person.name)} is not one person's e-mail address or user name: write it without spaces"
    if person.team and not _named(person.team):
        yield f"the team {_quoted(person.team)} must be one word of letters, digits and `-._+@`"
    if person.public_key and (len(person.public_key) > _LONGEST_CELL or not _PUBLIC.fullmatch(person.public_key)):
        yield "the public key is not one of age (age1...) or SSH (ssh-ed25519 or ssh-rsa)"


def _named(text: str) -> bool:
    return len(text) <= _LONGEST_NAME and _NAME.fullmatch(text) is not None


def _quoted(text: str) -> str:
    return repr(printable(text[:60]))
