"""A list of people with the hashes of their keys, as a GatewayClient's ``hashesFrom`` reads it.

One ``PERSON sha256:HEX [team=TEAM] [expires=TIME]`` a line. A comment with a date says when the lines below were added.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from claude_gateway.cli.keys.people import Person

BY_HAND: Final = "Nothing was changed. Remove this entry from spec.keys; then run this again for the lists."

_DATED: Final = re.compile(r"# (\d{4}-\d{2}-\d{2})")
_PREFIX: Final = "sha256:"


@dataclass(frozen=True, slots=True)
class Entry:
    """One key in a list, by its holder; ``added`` is None if the list does not say when."""

    person: str
    team: str = ""
    added: date | None = None
    expires: datetime | None = None

    def shown(self, today: date) -> str:
        """Return the entry for people: who, team, age and end; never the hash."""
        parts = [self.person]
        if self.team:
            parts.append(f"team {self.team}")
        if self.added is not None:
            parts.append(f"{self.added} ({(today - self.added).days} d old)")
        if self.expires is not None:
            parts.append(f"{'ended' if self.expires.date() < today else 'ends'} {self.expires:%Y-%m-%d}")
        return "  ".join(parts)


def entries(text: str) -> Iterator[Entry]:
    """Yield the entries of a list; other lines are passed over, since ``lint`` reports them."""
    added: date | None = None
    for line in text.split("\n"):
        dated = _DATED.match(line.strip())
        if dated is not None:
            added = _date(dated[1])
        words = line.split()
        if len(words) < 2 or words[0].startswith("#") or not words[1].startswith(_PREFIX):
            continue
        options = dict(word.split("=", 1) for word in words[2:] if "=" in word)
        yield Entry(words[0], options.get("team", ""), added, _moment(options.get("expires", "")))


def holders(text: str) -> frozenset[str]:
    """Return the people of a list, in lower case."""
    return frozenset(entry.person.lower() for entry in entries(text))


def added(text: str, keys: Iterable[tuple[Person, str]], *, today: date, expires: datetime | None) -> str:
    """Return the list with these people's keys at its end, as hashes."""
    lines = [f"# {today}"]
    for person, key in keys:
        words = [person.name, f"{_PREFIX}{hashlib.sha256(key.encode()).hexdigest()}"]
        words += [f"team={person.team}"] if person.team else []
        words += [f"expires={expires:%Y-%m-%dT%H:%M:%SZ}"] if expires is not None else []
        lines.append(" ".join(words))
    before = text.rstrip("\n")
    return "\n".join([*([before] if before else []), *lines, ""])


def removed(text: str, person: str, *, only_old: bool = False) -> tuple[str, int]:
    """Return the list without a person's keys, and how many these were; ``only_old`` keeps the last one."""
    lines = text.split("\n")
    theirs = [number for number, line in enumerate(lines) if _is_of(line, person)]
    gone = frozenset(theirs[:-1] if only_old else theirs)
    return "\n".join(line for number, line in enumerate(lines) if number not in gone), len(gone)


def _is_of(line: str, person: str) -> bool:
    words = line.split(None, 1)
    return bool(words) and words[0].lower() == person.lower()


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
