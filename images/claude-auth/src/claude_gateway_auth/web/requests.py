"""Who sent a request, and protection against cross-site requests of browsers."""

from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.responses import Response

from claude_gateway_auth.web.access import COOKIE, SESSION_SECONDS, Access, Person, Session

POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
_SAFE: Final = frozenset(("GET", "HEAD"))


class NotSignedInError(Exception):
    """The request brings neither a session nor the key."""


class ForgedError(Exception):
    """The request did not come from a page of this service."""


class BlockedError(Exception):
    """Too many requests; ``seconds`` is how long to wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"wait {seconds:.0f} s")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Caller:
    """The session of a request, and the address that it came from."""

    session: Session
    address: str


def get_access(request: Request) -> Access:
    """Return the access of the app."""
    found: Access = request.app.state.access
    return found


def get_caller(request: Request, access: Annotated[Access, Depends(get_access)]) -> Caller:
    """Return who calls, without asking for more."""
    address = request.client.host if request.client else ""
    return Caller(access.session(request.cookies.get(COOKIE)), address)


def get_person(
    request: Request, access: Annotated[Access, Depends(get_access)], who: Annotated[Caller, Depends(get_caller)]
) -> Person:
    """Return the person of a request. Raises NotSignedInError, ForgedError and BlockedError.

    The key comes as a bearer token. A session's request that changes something must carry the session's token, which
    another site cannot know; pages check it with the rest of their form.
    """
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        wait = access.blocked(who.address)
        if wait:
            raise BlockedError(wait)
        if not access.accepts(key.strip(), address=who.address):
            raise NotSignedInError
        return Person("key", "key", everything=True, by_key=True)
    found = who.session.person
    if found is None:
        raise NotSignedInError
    if request.method not in _SAFE:
        if not same_site(request):
            raise ForgedError
        wait = access.busy(found.session)
        if wait:
            raise BlockedError(wait)
    return found


def same_site(request: Request) -> bool:
    """Whether a browser says that a page of this service sent the request; true if it does not say."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        return site in ("same-origin", "none")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def remember(response: Response, session: Session, request: Request) -> None:
    """Set the session's cookie."""
    access = get_access(request)
    response.set_cookie(
        COOKIE,
        access.cookie(session),
        max_age=SESSION_SECONDS,
        path="/auth",
        httponly=True,
        secure=request.app.state.secure or request.url.scheme == "https",
        # Lax, since the way back from an OIDC provider is a navigation from another site.
        samesite="lax",
    )
