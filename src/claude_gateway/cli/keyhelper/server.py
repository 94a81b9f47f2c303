"""HTTP to Vault and to identity providers: a CA of their own, the environment's proxy, no redirects."""

import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.files import mistakes
from claude_gateway.cli.keyhelper.fresh import PassingTrouble
from claude_gateway.cli.terminal import printable

_LARGEST: Final = 1024 * 1024
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """The status and the JSON object of an answer; empty if it was not an object. It may hold a key."""

    status: int
    value: Mapping[str, Any] = field(repr=False)

    def refused(self, message: str, *, fix: str) -> Trouble:
        """Return the Trouble for this answer, which may pass by itself if the server is overloaded or has failed."""
        return (PassingTrouble if self.status == 429 or self.status >= 500 else Trouble)(message, fix=fix)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would take the token along to another host."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Follow nothing."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server by its URL; ``name`` is what messages call it, ``fix`` what to check if it cannot be reached."""

    name: str
    url: str
    fix: str
    ca: Path | None = None
    timeout: float = 10.0

    def ask(
        self,
        path: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        method: str | None = None,
    ) -> Answer:
        """Send one request. Raises Trouble if no answer comes, or a redirect does."""
        url = f"{self.url}{path}"
        if urlsplit(url).scheme not in ("http", "https"):
            raise Trouble(
                f"{self.url!r} is not the URL of {self.name}", fix=f"Begin it with https:// or http://. {self.fix}"
            )
        request = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)  # noqa: S310
        handlers = (_NoRedirect, urllib.request.HTTPSHandler(context=self._trust()))
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=self.timeout) as answer:
                return Answer(answer.status, _object(answer.read(_LARGEST)))
        except urllib.error.HTTPError as error:
            with error:
                if 300 <= error.code < 400:
                    where = printable(urlsplit(error.headers.get("location", "")).netloc[:_SHOWN])
                    raise Trouble(
                        f"{self.name} redirects to {where or 'another address'}", fix="Use that address directly."
                    ) from None
                return Answer(error.code, _object(error.read(_LARGEST)))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise PassingTrouble(f"{self.name} cannot be reached: {_reason(error)}", fix=self.fix) from None

    def _trust(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca)
        except (OSError, ssl.SSLError):
            raise Trouble(
                f"the CA file {self.ca} of {self.name} cannot be read", fix="It must be a file with PEM certificates."
            ) from None


def words(value: object) -> str:
    """Return a server's own words for a message: printable, without keys, at most 200 characters."""
    return printable(mistakes.without_keys(str(value))[:_SHOWN])


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _reason(error: Exception) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {reason.verify_message}"
    if isinstance(reason, ssl.SSLError):
        what = (reason.reason or "unknown error").replace("_", " ").lower()
        return f"no TLS connection, {what}; the address of a server without TLS begins with http://"
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    return type(reason).__name__ if isinstance(reason, Exception) else words(reason)
