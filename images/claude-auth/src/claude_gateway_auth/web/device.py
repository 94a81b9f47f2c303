"""Signing in a device: OAuth's endpoints for Claude Code, and the page on which a person approves it.

Sources: RFC 8628 (device flow), RFC 7009 (revocation), RFC 8414 (metadata), and the protocol that Claude Code's own
gateway documents at ``GET /protocol``.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from claude_gateway_auth.devices.codes import INTERVAL_SECONDS, LIFETIME_SECONDS, Devices, FullError, Waiting
from claude_gateway_auth.devices.grants import GRANTS, Granted, Grants, refusal
from claude_gateway_auth.devices.tokens import Issuer
from claude_gateway_auth.oidc import Identity
from claude_gateway_auth.web import oidc_redirect
from claude_gateway_auth.web.pages import CurrentAccess, CurrentCaller, Token, message, page
from claude_gateway_auth.web.rate import Rate
from claude_gateway_auth.web.requests import BlockedError, Caller, ForgedError, remember, same_site

router: Final = APIRouter()
_BEGUN: Final = 120
"""Sign-ins that one address may begin in a minute; all devices behind a gateway have its address."""
_TRIED: Final = 10
"""Codes that one address may try in a minute (RFC 8628, 5.1)."""
_LONGEST: Final = 32 * 1024

Code = Annotated[str, Form(max_length=64)]


@dataclass(frozen=True, slots=True)
class SignIns:
    """The dependencies of the routes; ``scope`` is the scope requested from the identity provider."""

    devices: Devices
    issuer: Issuer
    grants: Grants
    scope: str
    begun: Rate
    tried: Rate

    @classmethod
    def of(cls, *, devices: Devices, issuer: Issuer, grants: Grants, scope: str) -> "SignIns":
        """Return them with their limits."""
        return cls(devices, issuer, grants, scope, Rate(_BEGUN, seconds=60), Rate(_TRIED, seconds=60))


def _sign_ins(request: Request) -> SignIns:
    found: SignIns | None = request.app.state.sign_ins
    if found is None:
        raise HTTPException(404)
    return found


@router.get("/auth/.well-known/openid-configuration")
async def metadata(request: Request) -> Response:
    """Say who issues the tokens, and where their keys are."""
    issuer = _sign_ins(request).issuer
    return JSONResponse(
        {
            "issuer": issuer.name,
            "jwks_uri": f"{_base(request)}/auth/keys",
            "device_authorization_endpoint": f"{_base(request)}/oauth/device_authorization",
            "token_endpoint": f"{_base(request)}/oauth/token",
            "revocation_endpoint": f"{_base(request)}/oauth/revoke",
            "grant_types_supported": list(GRANTS),
            "id_token_signing_alg_values_supported": ["ES256"],
        }
    )


@router.get("/auth/keys")
async def keys(request: Request) -> Response:
    """Return the public keys of the tokens."""
    return JSONResponse(_sign_ins(request).issuer.key_set())


@router.post("/oauth/device_authorization")
async def begin(request: Request, caller: CurrentCaller) -> Response:
    """Begin the sign-in of a device; its form's fields are ignored, as RFC 8628, 3.1 requires."""
    sign_ins = _sign_ins(request)
    wait = sign_ins.begun.take(caller.address)
    if wait:
        return _answer(refusal(429, "slow_down", f"wait {wait:.0f} seconds"))
    try:
        begun = sign_ins.devices.begin()
    except FullError:
        return _answer(refusal(503, "temporarily_unavailable", "too many devices wait for their sign-in"))
    uri = f"{_base(request)}{oidc_redirect.DEVICE}"
    return _answer(
        Granted(
            200,
            {
                "device_code": begun.device_code,
                "user_code": begun.user_code,
                "verification_uri": uri,
                "verification_uri_complete": f"{uri}?user_code={quote(begun.user_code)}",
                "expires_in": LIFETIME_SECONDS,
                "interval": INTERVAL_SECONDS,
            },
        )
    )


@router.post("/oauth/token")
async def token(request: Request) -> Response:
    """Answer a device that polls, or that renews its token."""
    return _answer(await _sign_ins(request).grants.token(await _form(request)))


@router.post("/oauth/revoke")
async def revoke(request: Request) -> Response:
    """End a sign-in; the answer is the same for tokens that are not known (RFC 7009, 2.2)."""
    await _sign_ins(request).grants.revoke((await _form(request)).get("token", ""))
    return _answer(Granted(200, {}))


@router.get(oidc_redirect.DEVICE)
async def ask(request: Request, caller: CurrentCaller, user_code: str = "") -> Response:
    """Ask for the code of a device; one that is in the address is shown and not sent."""
    _sign_ins(request)
    response = page(request, "device.html", caller.session, code=user_code[:16], wrong=False)
    remember(response, caller.session, request)
    return response


@router.post(oidc_redirect.DEVICE)
async def enter(
    request: Request, caller: CurrentCaller, access: CurrentAccess, user_code: Code = "", csrf: Token = ""
) -> Response:
    """Take the code of a device.

    The answer is a page with a link and no redirect: browsers refuse to follow one from a form to another site, as the
    page's policy wants it.
    """
    _check(request, caller, access, csrf)
    waiting = _tried(request, caller, user_code)
    if waiting is None:
        return page(request, "device.html", caller.session, status=404, code=user_code[:16], wrong=True)
    return page(request, "device_continue.html", caller.session, code=waiting.user_code)


@router.get(f"{oidc_redirect.DEVICE}/sign-in")
async def sign_in(request: Request, caller: CurrentCaller, user_code: str = "") -> Response:
    """Lead to the identity provider; nothing is approved yet when the browser comes back."""
    waiting = _tried(request, caller, user_code)
    if waiting is None:
        return _gone(request)
    return await oidc_redirect.redirect_to_provider(request, scope=_sign_ins(request).scope, device=waiting.user_code)


def came_back(request: Request, caller: Caller, *, user_code: str, identity: Identity) -> Response:
    """Note who signed in for a device, and lead to their decision."""
    waiting = _sign_ins(request).devices.find(user_code)
    if waiting is None:
        return _gone(request)
    waiting.identity, waiting.session = identity, caller.session.id
    response = RedirectResponse(f"{oidc_redirect.DEVICE}/confirm?user_code={quote(waiting.user_code)}", status_code=303)
    remember(response, caller.session, request)
    return response


@router.get(f"{oidc_redirect.DEVICE}/confirm")
async def confirm(request: Request, caller: CurrentCaller, user_code: str = "") -> Response:
    """Show who would be signed in, and on which code."""
    waiting = _own(request, caller, user_code)
    if waiting is None or waiting.identity is None:
        return _gone(request)
    return page(request, "device_confirm.html", caller.session, code=waiting.user_code, email=waiting.identity.email)


@router.post(f"{oidc_redirect.DEVICE}/confirm")
async def decide(
    request: Request,
    caller: CurrentCaller,
    access: CurrentAccess,
    user_code: Code = "",
    decision: Annotated[str, Form(max_length=16)] = "",
    csrf: Token = "",
) -> Response:
    """Approve or deny a device."""
    _check(request, caller, access, csrf)
    waiting = _own(request, caller, user_code)
    if waiting is None or waiting.identity is None:
        return _gone(request)
    waiting.approved = decision == "approve"
    return page(request, "device_done.html", caller.session, approved=waiting.approved, email=waiting.identity.email)


def _tried(request: Request, caller: Caller, user_code: str) -> Waiting | None:
    """Return the device with a code. Raises BlockedError for an address that tries too many."""
    sign_ins = _sign_ins(request)
    wait = sign_ins.tried.take(caller.address)
    if wait:
        raise BlockedError(wait)
    return sign_ins.devices.find(user_code)


def _own(request: Request, caller: Caller, user_code: str) -> Waiting | None:
    """Return the device that somebody signed in for with this browser."""
    waiting = _sign_ins(request).devices.find(user_code)
    return waiting if waiting is not None and waiting.session == caller.session.id else None


def _check(request: Request, caller: Caller, access: Any, csrf: str) -> None:
    if not same_site(request) or not access.is_genuine(caller.session, csrf):
        raise ForgedError


def _gone(request: Request) -> Response:
    text = "This code is not known, or it was used or has expired. Start the sign-in in Claude Code again."
    return message(request, status=410, title="Start again", text=text)


def _answer(granted: Granted) -> Response:
    return JSONResponse(dict(granted.document), status_code=granted.status)


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a form, the last one of each name."""
    form = await request.form(max_fields=32, max_part_size=_LONGEST)
    return {name: value for name, value in form.items() if isinstance(value, str)}


def _base(request: Request) -> str:
    base = request.app.state.public_url or str(request.base_url)
    return str(base).rstrip("/")
