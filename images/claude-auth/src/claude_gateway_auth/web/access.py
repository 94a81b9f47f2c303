"""Who may do what: a key or an OIDC identity, signed session cookies, and tokens against forged requests."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any, Final

from itsdangerous import BadData, URLSafeTimedSerializer

from claude_gateway_auth.credential import Credential
from claude_gateway_auth.web.rate import Rate
from claude_gateway_runtime.bounded_dict import BoundedDict

COOKIE: Final = "claude-gateway-auth"
SESSION_SECONDS: Final = 12 * 3600
_ENDED: Final = 4096
ATTEMPTS: Final = 10
"""Wrong keys in a minute from one address, after which no key from there is looked at."""
ACTIONS: Final = 60
"""Actions in a minute of one session."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who sends a request. ``everything``: not only for the credentials that they own."""

    name: str
    session: str
    everything: bool
    by_key: bool = False
    """The request brought the key itself, so no other site can have forged it."""

    def may(self, credential: Credential) -> bool:
        """Whether they may sign in to a credential, out of it, and see it."""
        return self.everything or self.name.casefold() == credential.owner.casefold()


@dataclass(frozen=True, slots=True)
class Session:
    """A browser: with a person once they signed in."""

    id: str
    person: Person | None = None


class Access:
    """Keys, sessions and limits."""

    def __init__(self, *, key: str | None, secret: bytes) -> None:
        """``key`` opens everything; without one only OIDC does. ``secret`` signs the sessions."""
        self._key = None if key is None else hashlib.sha256(key.encode()).digest()
        self._secret = secret
        self._serializer = URLSafeTimedSerializer(secret, salt="session")
        self._ended: BoundedDict[str, None] = BoundedDict(_ENDED)
        self._wrong = Rate(ATTEMPTS, seconds=60)
        self._actions = Rate(ACTIONS, seconds=60)

    @property
    def takes_key(self) -> bool:
        """Whether there is a key at all."""
        return self._key is not None

    def accepts(self, key: str, *, address: str) -> bool:
        """Whether this is the key; a wrong one counts against its address."""
        given = hashlib.sha256(key.encode()).digest()
        if self._key is not None and hmac.compare_digest(given, self._key):
            return True
        self._wrong.count(address)
        return False

    def blocked(self, address: str) -> float:
        """Return the seconds until a key from an address is looked at again; 0 if it is now."""
        return self._wrong.wait(address)

    def busy(self, session: str) -> float:
        """Count an action; return the seconds to wait if there were too many."""
        return self._actions.take(session)

    def session(self, cookie: str | None) -> Session:
        """Return the session of a cookie; a new one without a person if there is none, or an old or forged one."""
        try:
            found: Any = self._serializer.loads(cookie or "", max_age=SESSION_SECONDS)
            identifier, name = str(found["id"]), found["name"]
            if identifier not in self._ended:
                person = Person(str(name), identifier, bool(found["everything"])) if name else None
                return Session(identifier, person)
        except (BadData, KeyError, TypeError):
            pass
        return Session(secrets.token_hex(16))

    def cookie(self, session: Session) -> str:
        """Return the cookie of a session."""
        person = session.person
        found = {
            "id": session.id,
            "name": person.name if person else "",
            "everything": bool(person and person.everything),
        }
        return str(self._serializer.dumps(found))

    def new_session(self, name: str, *, everything: bool) -> Session:
        """Return the session of a person who just signed in: a new one, so that its id cannot be known to others."""
        identifier = secrets.token_hex(16)
        return Session(identifier, Person(name, identifier, everything))

    def end(self, session: Session) -> None:
        """End a session, also for other holders of its cookie."""
        self._ended[session.id] = None

    def token(self, session: Session) -> str:
        """Return the token that every form of a session carries."""
        return hmac.new(self._secret, f"form {session.id}".encode(), "sha256").hexdigest()

    def is_genuine(self, session: Session, token: str) -> bool:
        """Whether a form is of the session's own page."""
        return hmac.compare_digest(self.token(session).encode(), token.encode())


def session_secret(*parts: str) -> bytes:
    """Return the secret that signs sessions, from the secrets of the configuration: a restart ends no session.

    Random if there are none.
    """
    given = "\n".join(filter(None, parts))
    return (
        hmac.new(given.encode(), b"claude-gateway-auth session", "sha256").digest()
        if given
        else secrets.token_bytes(32)
    )
