"""The pages that lead to an OpenID Connect provider and back."""

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from claude_gateway_auth.oidc import OidcError
from claude_gateway_auth.web import device, oidc_redirect
from claude_gateway_auth.web.pages import CurrentAccess, CurrentCaller, message
from claude_gateway_auth.web.requests import remember

router: Final = APIRouter(prefix=oidc_redirect.PATH)
_SCOPE: Final = "openid email"


@router.get("/start")
async def start(request: Request) -> Response:
    """Send the browser to the provider."""
    if request.app.state.oidc is None:
        return message(request, status=404, title="Not here", text="No identity provider is set up. Use the key.")
    return await oidc_redirect.redirect_to_provider(request, scope=_SCOPE)


@router.get("/callback")
async def callback(
    request: Request, access: CurrentAccess, caller: CurrentCaller, code: str = "", state: str = ""
) -> Response:
    """Begin a session for whom the provider confirms, or lead back to the device for which they signed in."""
    found = await oidc_redirect.finish(request, code=code, state=state)
    if found.device:
        response = device.came_back(request, caller, user_code=found.device, identity=found.identity)
    elif found.identity.email in request.app.state.emails:
        response = RedirectResponse("/auth/", status_code=303)
        remember(response, access.new_session(found.identity.email, everything=False), request)
    else:
        raise OidcError("This account may not use this page. Ask whoever installed it to allow your address.")
    response.delete_cookie(oidc_redirect.COOKIE, path=oidc_redirect.PATH)
    return response
