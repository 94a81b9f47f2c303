"""The gateway's identity at Vertex: a service account's key file from the bundle, or the pod's own identity.

google-auth is imported in a thread, when the first Vertex target is called. A key file names the address that issues
tokens; only Google's own are accepted, because otherwise the author of the file could send the gateway anywhere.
"""

import json
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.gateway.identities.renewed import IdentityError, Lack, Lease

_SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)
_HOSTS: Final = frozenset({"oauth2.googleapis.com", "accounts.google.com", "www.googleapis.com"})
_LIFE_SECONDS: Final = 3600.0
_EARLY_SECONDS: Final = 300.0
_LAST_SECONDS: Final = 30.0


class Tokens:
    """Access tokens of one identity: ``key_file`` is the JSON of a service account, None the pod's own identity."""

    def __init__(self, key_file: str | None, *, egress: Egress) -> None:
        self._key_file = key_file
        self._egress = egress
        self._credentials: Any = None

    def lease(self) -> Lease[str]:
        """Return a new token. Blocks. Raises IdentityError if there is none."""
        from google.auth.exceptions import GoogleAuthError, TransportError
        from google.auth.transport.requests import Request

        try:
            if self._credentials is None:
                self._credentials = self._load()
            self._credentials.refresh(Request())
            token = self._credentials.token
            left = _seconds_left(self._credentials.expiry)
        except IdentityError:
            raise
        except (GoogleAuthError, ValueError, OSError) as error:
            # The messages may quote the key file or the token service's answer.
            for_now = isinstance(error, TransportError) or (isinstance(error, GoogleAuthError) and error.retryable)
            lack = Lack.UNANSWERED if for_now else Lack.MISSING
            raise IdentityError(f"google-auth could not get a token: {type(error).__name__}", lack) from None
        if not isinstance(token, str) or not token:
            raise IdentityError("google-auth returned no token")
        return Lease(token, fresh=left - _EARLY_SECONDS, usable=left - _LAST_SECONDS)

    def _load(self) -> Any:
        if self._key_file is None:
            import google.auth

            credentials, _ = google.auth.default(scopes=_SCOPES)
            return credentials
        from google.oauth2.service_account import Credentials

        info = _checked(self._key_file, self._egress)
        return Credentials.from_service_account_info(info, scopes=_SCOPES)  # type: ignore[no-untyped-call]


def _checked(text: str, egress: Egress) -> dict[str, Any]:
    """Return the content of a key file that may be used.

    Rejects other kinds of credential files: they name files, addresses and even commands of their own.
    """
    info = json.loads(text)
    if not isinstance(info, dict) or info.get("type") != "service_account":
        raise IdentityError("the credential for Vertex is not the key file of a service account")
    url = urlsplit(str(info.get("token_uri", "")))
    name = url.hostname or ""
    if url.scheme == "https" and name in _HOSTS:
        return info
    if name in egress.hosts or (egress.loopback and name in ("localhost", "127.0.0.1", "::1")):
        return info
    raise IdentityError("the key file of the service account names a token address that is not Google's")


def _seconds_left(expiry: datetime | None) -> float:
    """google-auth returns the expiry in UTC, without a time zone."""
    if expiry is None:
        return _LIFE_SECONDS
    aware = expiry if expiry.tzinfo is not None else expiry.replace(tzinfo=UTC)
    return (aware - datetime.now(UTC)).total_seconds()
