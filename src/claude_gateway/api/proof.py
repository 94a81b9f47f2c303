"""Field types of what proves who a caller is: hashes of keys, times, claims of tokens."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import Field

from claude_gateway.api.rule import Rule, cel_string, matches

KEY_HASH: Final = r"^sha256:[0-9a-f]{64}$"
TIMESTAMP: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})$"
CLAIM_NAME: Final = r"^[!-~]+$"
TEXT: Final = r"^[!-~]([ -~]*[!-~])?$"

_TIMESTAMP: Final = re.compile(TIMESTAMP)
_YEARS: Final = range(2000, 9000)


def moment(text: str) -> datetime | None:
    """Return a time in RFC 3339's form with seconds; None for a text that is not a time, or that no calendar has."""
    if not _TIMESTAMP.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


KeyHash = Annotated[
    str,
    Field(min_length=71, max_length=71),
    matches(
        KEY_HASH,
        wrong="not the hash of a key",
        fix="write `sha256:` and the 64 hexadecimal digits that `printf %s KEY | sha256sum` prints",
    ),
]
Timestamp = Annotated[
    str,
    Field(min_length=20, max_length=25),
    matches(
        TIMESTAMP,
        wrong="not a time",
        fix="write date, time and time zone, such as `2027-01-31T00:00:00Z`",
    ),
    Rule(
        cel=f"!self.matches({cel_string(TIMESTAMP)}) || timestamp(self).getFullYear() >= {_YEARS.start}",
        holds=lambda text: (
            not _TIMESTAMP.fullmatch(text) or ((found := moment(text)) is not None and found.year >= _YEARS.start)
        ),
        wrong="no calendar has this time",
        fix="write a date from the year 2000 on, such as `2027-01-31T00:00:00Z`",
    ),
]
ClaimName = Annotated[
    str,
    Field(min_length=1, max_length=128),
    matches(CLAIM_NAME, wrong="not the name of a claim", fix="write it without spaces, such as `groups`"),
]
Text = Annotated[
    str,
    Field(min_length=1, max_length=253),
    matches(TEXT, wrong="not plain text", fix="write printable ASCII without spaces at the ends"),
]
ClaimValue = Annotated[
    str,
    Field(min_length=1, max_length=253),
    matches(TEXT, wrong="not plain text", fix="write printable ASCII without spaces at the ends; numbers in quotes"),
]
