"""The redirect of a browser to an OpenID Connect provider, and the cookie that it brings back."""

import json
from dataclasses import dataclass, field
from typing import Final

from fastapi import Request
from fastapi.responses import RedirectResponse
from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.responses import Response

from claude_gateway_auth.oidc import Identity, Oidc, OidcError

COOKIE: Final = "claude-gateway-auth-oidc"
PATH: Final = "/auth/oidc"
DEVICE: Final = "/auth/device"
_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who signed in at the provider; ``device`` is the code of the device for which they did, empty for the page."""

    identity: Identity = field(repr=False)
    device: str


async def redirect_to_provider(request: Request, *, scope: str, device: str = "") -> Response:
    """Send the browser to the provider."""
    provider: Oidc = request.app.state.oidc
    begun = await provider.begin(_redirect(request), scope=scope)
    response = RedirectResponse(begun.url, status_code=303)
    content = {"state": begun.state, "nonce": begun.nonce, "verifier": begun.verifier, "device": device}
    response.set_cookie(
        COOKIE,
        str(_serializer(request).dumps(content)),
        max_age=_SECONDS,
        path=PATH,
        httponly=True,
        secure=request.app.state.secure,
        samesite="lax",
    )
    return response


async def finish(request: Request, *, code: str, state: str) -> SignedIn:
    """Return who signed in at the provider. Raises OidcError."""
    provider: Oidc | None = request.app.state.oidc
    try:
        kept = _serializer(request).loads(request.cookies.get(COOKIE, ""), max_age=_SECONDS)
        if provider is None or not code or kept["state"] != state:
            raise OidcError("The identity provider confirmed nobody, or this is an old address. Start again.")
        redirect, nonce, verifier = _redirect(request), kept["nonce"], kept["verifier"]
        identity = await provider.finish(code, redirect=redirect, nonce=nonce, verifier=verifier)
        return SignedIn(identity, str(kept["device"]))
    except (BadData, KeyError, TypeError, json.JSONDecodeError):
        raise OidcError("This sign-in took too long or was begun in another browser. Start again.") from None


def is_for_a_device(request: Request) -> bool:
    """Return whether the browser is on its way for a device, and not for the page itself."""
    try:
        return bool(_serializer(request).loads(request.cookies.get(COOKIE, ""), max_age=_SECONDS)["device"])
    except (BadData, KeyError, TypeError, json.JSONDecodeError):
        return False


def _serializer(request: Request) -> URLSafeTimedSerializer:
    secret: bytes = request.app.state.secret
    return URLSafeTimedSerializer(secret, salt="oidc")


def _redirect(request: Request) -> str:
    base = request.app.state.public_url or str(request.base_url)
    return f"{base.rstrip('/')}{PATH}/callback"
