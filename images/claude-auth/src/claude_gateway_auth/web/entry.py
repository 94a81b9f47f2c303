"""The way to an OpenID Connect provider and back."""

import json
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.responses import Response

from claude_gateway_auth.web.oidc import Oidc, OidcError
from claude_gateway_auth.web.pages import Doors, message
from claude_gateway_auth.web.requests import remember

router: Final = APIRouter(prefix="/auth/oidc")
_COOKIE: Final = "claude-gateway-auth-oidc"
_SECONDS: Final = 600


@router.get("/start")
async def start(request: Request) -> Response:
    """Send the browser to the provider."""
    provider: Oidc | None = request.app.state.oidc
    if provider is None:
        return message(request, status=404, title="Not here", text="No identity provider is set up. Use the key.")
    begun = await provider.begin(_redirect(request))
    response = RedirectResponse(begun.url, status_code=303)
    kept = _serializer(request).dumps({"state": begun.state, "nonce": begun.nonce, "verifier": begun.verifier})
    response.set_cookie(
        _COOKIE,
        str(kept),
        max_age=_SECONDS,
        path="/auth/oidc",
        httponly=True,
        secure=request.app.state.secure,
        samesite="lax",
    )
    return response


@router.get("/callback")
async def callback(request: Request, doors: Doors, code: str = "", state: str = "") -> Response:
    """Begin a session for whom the provider confirms."""
    provider: Oidc | None = request.app.state.oidc
    try:
        kept = _serializer(request).loads(request.cookies.get(_COOKIE, ""), max_age=_SECONDS)
        if provider is None or not code or kept["state"] != state:
            raise OidcError("The identity provider confirmed nobody, or this is an old address. Start again.")
        email = await provider.finish(code, redirect=_redirect(request), nonce=kept["nonce"], verifier=kept["verifier"])
    except (BadData, KeyError, TypeError, json.JSONDecodeError):
        raise OidcError("This sign-in took too long or was begun in another browser. Start again.") from None
    response = RedirectResponse("/auth/", status_code=303)
    response.delete_cookie(_COOKIE, path="/auth/oidc")
    remember(response, doors.entered(email, everything=False), request)
    return response


def _serializer(request: Request) -> URLSafeTimedSerializer:
    secret: bytes = request.app.state.secret
    return URLSafeTimedSerializer(secret, salt="oidc")


def _redirect(request: Request) -> str:
    base = request.app.state.public_url or str(request.base_url)
    return f"{base.rstrip('/')}/auth/oidc/callback"
