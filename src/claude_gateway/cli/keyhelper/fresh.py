"""A key with the time at which it ends, and whether it is still good to print."""

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from typing import Final

from claude_gateway.cli.errors import Trouble

_SENDABLE: Final = re.compile(r"[!-~]{1,8192}")
# Tools print a key so unless they are asked for the value alone: JSON text, an object, a line of a .env file.
_WRAPPED: Final = re.compile(r"[\"'{\[].*|[A-Za-z_][A-Za-z0-9_]*=(?:cgw_|[\"']).*")
_LONGEST_JWT: Final = 8192
_LAST_MOMENT: Final = 5.0
"""Seconds before its end from which a key is not handed out any more: a request needs time to arrive."""


class PassingTrouble(Trouble):
    """A fetch that failed for a reason that may pass by itself: the last key may stand in for now."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key, when it was fetched and when it ends, in Unix seconds; ``expires`` is None if its end is not known."""

    value: str = field(repr=False)
    fetched: float
    expires: float | None = None

    def left(self, now: float) -> float | None:
        """Return how many seconds the key still works; None if that is not known."""
        return None if self.expires is None else self.expires - now

    def lasts(self, now: float, *, ttl: float) -> bool:
        """Return whether the key works for at least ``ttl`` seconds, as far as its end is known."""
        left = self.left(now)
        return left is None or left >= ttl

    def usable(self, now: float, *, grace: float) -> bool:
        """Return whether a key can stand in for a fresh one: it has not ended, and is at most ``grace`` seconds old."""
        left = self.left(now)
        return 0 <= now - self.fetched <= grace and (left is None or left > _LAST_MOMENT)


def made(text: str, *, now: float, source: str, lifetime: float | None = None) -> Key:
    """Return the key in ``text``; it ends after ``lifetime`` seconds, or at its own ``exp`` if it is a JWT.

    Raises Trouble, which names the ``source`` and never quotes the text.
    """
    value = text.strip()
    if not value:
        raise Trouble(f"{source} is empty", fix="Store the key there, and nothing else.")
    if not _SENDABLE.fullmatch(value):
        raise Trouble(
            f"{source} is not a single key", fix="It must be one line of printable ASCII without spaces: the key alone."
        )
    if _WRAPPED.fullmatch(value):
        raise Trouble(
            f"{source} is not a key alone: it has quotes, braces or a name around it, which would be sent",
            fix="Print the value alone: `vault kv get -field=key` without -format, `jq -r`, `--output text`.",
        )
    if value.lower().startswith("sk-ant-"):
        raise Trouble(
            f"{source} looks like an Anthropic API key (`sk-ant-...`), which Claude Code also sends to Anthropic",
            fix="Use a client key of the gateway: claude-gateway key new NAME.",
        )
    ends = [end for end in (None if not lifetime else now + lifetime, expiry_of(value)) if end is not None]
    return Key(value, fetched=now, expires=min(ends, default=None))


def expiry_of(token: str) -> float | None:
    """Return the ``exp`` of a JWT, in Unix seconds; None for anything else. The signature is not checked."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > _LONGEST_JWT:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    end = claims.get("exp") if isinstance(claims, dict) else None
    return seconds_of(end)


def seconds_of(value: object) -> float | None:
    """Return a server's number of seconds, which some write as text; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value):
        value = int(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e12 else None
