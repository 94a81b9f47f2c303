"""The sign-ins of devices that wait for a person, as RFC 8628 describes them. In memory: each lives ten minutes."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from claude_gateway_auth.oidc import Identity

LIFETIME_SECONDS: Final = 600
INTERVAL_SECONDS: Final = 5
_SLOWER_SECONDS: Final = 5
"""What a device that polls too fast must wait longer (RFC 8628, 3.5)."""

_MOST: Final = 2_000
_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""Letters that form no words and cannot be mistaken for each other (RFC 8628, 6.1)."""
_LENGTH: Final = 8


class Answer(StrEnum):
    """What a device learns that is not signed in; the errors of RFC 8628, 3.5."""

    PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    DENIED = "access_denied"
    EXPIRED = "expired_token"


class FullError(Exception):
    """Too many devices wait."""


@dataclass(slots=True)
class Waiting:
    """One device. ``session`` is the browser that entered its code, ``identity`` who signed in there.

    ``approved`` is None until that person has decided.
    """

    user_code: str
    expires: float
    interval: float = INTERVAL_SECONDS
    polled: float = float("-inf")
    session: str = ""
    identity: Identity | None = field(default=None, repr=False)
    approved: bool | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """The two codes of a new sign-in."""

    device_code: str = field(repr=False)
    user_code: str


class Devices:
    """All devices that wait; ``clock`` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._waiting: dict[str, Waiting] = {}
        self._by_user_code: dict[str, Waiting] = {}

    def begin(self) -> Begun:
        """Begin a sign-in. Raises FullError."""
        self._expire()
        if len(self._waiting) >= _MOST:
            raise FullError
        device_code = secrets.token_urlsafe(32)
        user_code = _spelled("".join(secrets.choice(_LETTERS) for _ in range(_LENGTH)))
        if user_code in self._by_user_code:
            raise FullError
        waiting = Waiting(user_code, self._clock() + LIFETIME_SECONDS)
        self._waiting[_digest(device_code)] = self._by_user_code[user_code] = waiting
        return Begun(device_code, user_code)

    def find(self, user_code: str) -> Waiting | None:
        """Return the device with a code as a person types it, if it is not approved or denied yet."""
        self._expire()
        found = self._by_user_code.get(_spelled(user_code))
        return found if found is not None and found.approved is None else None

    def poll(self, device_code: str) -> Answer | Identity:
        """Return what a device learns; an identity once, and then never again."""
        key, now = _digest(device_code), self._clock()
        waiting = self._waiting.get(key)
        if waiting is None or now >= waiting.expires:
            return Answer.EXPIRED
        early = now - waiting.polled < waiting.interval
        waiting.polled = now
        if early:
            waiting.interval += _SLOWER_SECONDS
            return Answer.SLOW_DOWN
        if waiting.approved is None:
            return Answer.PENDING
        del self._waiting[key], self._by_user_code[waiting.user_code]
        return waiting.identity if waiting.approved and waiting.identity is not None else Answer.DENIED

    def _expire(self) -> None:
        now = self._clock()
        # The oldest come first, and all live equally long.
        for key, waiting in list(self._waiting.items()):
            if now < waiting.expires:
                break
            del self._waiting[key], self._by_user_code[waiting.user_code]


def _digest(device_code: str) -> str:
    return hashlib.sha256(device_code.encode()).hexdigest()


def _spelled(user_code: str) -> str:
    letters = "".join(char for char in user_code[:64].upper() if char in _LETTERS)
    return f"{letters[:4]}-{letters[4:]}"
