"""Who may ask: the gateway, which brings a login with each request, and callers whose key opens one login."""

import hashlib
import hmac
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from claude_gateway.names import HEADER_LOGIN
from claude_gateway_claude_code import failures
from claude_gateway_runtime.asgi import Headers
from claude_gateway_runtime.logs import emit

GATEWAY: Final = "gateway"
_log: Final = logging.getLogger(__name__)
_LOGIN: Final = re.compile(r"[!-~]{16,8192}")
_LARGEST: Final = 1024 * 1024
_LEAST_KEY: Final = 16
"""Characters that a key needs at least, so that an empty or cut file opens nothing."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Caller:
    """A known caller, by name, and the access token of the login that answers it."""

    name: str
    login: str = field(repr=False)


class _Entry(msgspec.Struct, frozen=True):
    name: str
    login: str


class Callers:
    """The keys in the two files; a changed file is read with the next request."""

    def __init__(self, *, key_file: Path | None, callers_file: Path | None) -> None:
        """Use the gateway's key in ``key_file`` and the callers in ``callers_file``, if these files exist."""
        self._key = _Watched(key_file, read=_read_key, empty="")
        self._callers: _Watched[Mapping[str, _Entry]] = _Watched(callers_file, read=_read_callers, empty={})

    def identify(self, headers: Headers) -> Caller:
        """Return who sent a request with these headers (names in lower case). Raises Failure (400, 401)."""
        found = dict(headers)
        login = found.get(HEADER_LOGIN.encode(), b"").decode("latin-1").strip()
        gateway, callers = self._key.value(), self._callers.value()
        for key in _keys(found):
            digest = hashlib.sha256(key).hexdigest()
            if gateway and hmac.compare_digest(digest, gateway):
                if not _LOGIN.fullmatch(login):
                    raise failures.no_login()
                return Caller(name=GATEWAY, login=login)
            entry = callers.get(digest)
            if entry is not None:
                if login:
                    raise failures.two_logins()
                return Caller(name=entry.name, login=entry.login)
        raise failures.bad_key()


def _keys(headers: Mapping[bytes, bytes]) -> list[bytes]:
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    keys = [token.strip()] if scheme.lower() == b"bearer" else []
    return [key for key in (*keys, headers.get(b"x-api-key", b"").strip()) if key]


class _Watched(Generic[T]):
    """The value of a file, read again when the file changes; a file that cannot be read changes nothing."""

    def __init__(self, path: Path | None, *, read: Callable[[bytes], T], empty: T) -> None:
        self._path = path
        self._read = read
        self._value = self._empty = empty
        self._stamp: tuple[int, int, int] | None = None

    def value(self) -> T:
        """Return the newest value."""
        if self._path is None:
            return self._value
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self._stamp, self._value = None, self._empty
            return self._value
        stamp = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if stamp == self._stamp:
            return self._value
        self._stamp = stamp
        try:
            self._value = self._read(self._path.read_bytes()[:_LARGEST])
        except (OSError, ValueError) as error:
            # A message of msgspec names the place in the document, and quotes nothing of it.
            emit(_log, "keys_refused", level=logging.ERROR, file=str(self._path), error=str(error))
        return self._value


def _read_key(data: bytes) -> str:
    key = data.strip()
    if len(key) < _LEAST_KEY:
        raise ValueError(f"the key has less than {_LEAST_KEY} characters")
    return hashlib.sha256(key).hexdigest()


def _read_callers(data: bytes) -> Mapping[str, _Entry]:
    entries = msgspec.json.decode(data, type=dict[str, _Entry])
    for entry in entries.values():
        if not _LOGIN.fullmatch(entry.login):
            said = f"the `login` of {entry.name[:64]!r} is not a token: write what `claude setup-token` prints"
            raise ValueError(said)
    return {digest.lower(): entry for digest, entry in entries.items()}
