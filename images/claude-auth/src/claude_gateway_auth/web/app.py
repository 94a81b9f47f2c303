"""The app: routes, headers, bounds, and what every failure looks like."""

import math
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from claude_gateway_auth.oidc import Oidc, OidcError
from claude_gateway_auth.service import RefusedError, Service, UnknownError
from claude_gateway_auth.sign_in_runner import MOST, BusyError, TooManyError
from claude_gateway_auth.store.store import StoreError
from claude_gateway_auth.web import api, device, oidc_pages, pages
from claude_gateway_auth.web.access import Access
from claude_gateway_auth.web.requests import HEADERS, BlockedError, ForgedError, NotSignedInError
from claude_gateway_runtime.asgi import BodyTooLarge, Message, Receive, Scope, Send, send_document

_LARGEST_BODY: Final = 256 * 1024
_STATIC: Final = {"style.css": "text/css; charset=utf-8", "live.js": "text/javascript; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Failure:
    """What a person reads about a failure: its status, a title and a sentence with the next step."""

    status: int
    title: str
    text: str
    retry_after: int | None = None


def failure_of(error: Exception) -> Failure:
    """Return the failure that an error is."""
    if isinstance(error, ForgedError):
        text = "The form was not sent by this page, or the page was open for too long. Load the page and try again."
        return Failure(403, "Not accepted", text)
    if isinstance(error, BlockedError):
        seconds = max(1, math.ceil(error.seconds))
        return Failure(429, "Too many attempts", f"Wait {seconds} seconds, then try again.", retry_after=seconds)
    if isinstance(error, UnknownError):
        text = "There is no such credential with a subscription, or it belongs to somebody else. Go back to the list."
        return Failure(404, "No such credential", text)
    if isinstance(error, RefusedError):
        return Failure(409, "Not done", str(error))
    if isinstance(error, BusyError):
        text = f"{error.running.by} is signing in to this credential. Wait for them, or take the sign-in over."
        return Failure(409, "Somebody else is signing in", text)
    if isinstance(error, TooManyError):
        return Failure(503, "Busy", f"{MOST} sign-ins are open already. Try again in a few minutes.", retry_after=60)
    if isinstance(error, StoreError):
        return Failure(503, "The logins cannot be reached", f"Nothing was changed: {error}.", retry_after=10)
    if isinstance(error, OidcError):
        return Failure(403, "Not signed in", str(error))
    if isinstance(error, api.GoneError):
        return Failure(410, "Gone", str(error))
    return Failure(400, "Not understood", "Fields are missing or have an unexpected form. Load the page and try again.")


def create(
    *,
    service: Service,
    access: Access,
    oidc: Oidc | None,
    secret: bytes,
    emails: frozenset[str] = frozenset(),
    sign_ins: device.SignIns | None = None,
    public_url: str | None = None,
) -> FastAPI:
    """Return the app. ``emails`` may use the page by OIDC; ``sign_ins``: devices sign in here, too."""
    app = FastAPI(title="Claude Gateway sign-in", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.service = service
    app.state.access = access
    app.state.oidc = oidc
    app.state.secret = secret
    app.state.emails = emails
    app.state.sign_ins = sign_ins
    app.state.public_url = public_url
    app.state.secure = bool(public_url and public_url.startswith("https://"))
    app.include_router(api.router)
    app.include_router(pages.router)
    app.include_router(oidc_pages.router)
    app.include_router(device.router)
    app.add_api_route("/auth/static/{name}", _static, methods=["GET"])
    app.add_api_route("/", _home, methods=["GET"])
    app.add_api_route("/healthz", _health, methods=["GET"])
    app.add_exception_handler(NotSignedInError, _not_signed_in)
    for kind in (
        *(ForgedError, BlockedError, UnknownError, RefusedError, BusyError, TooManyError, StoreError, OidcError),
        *(api.GoneError, RequestValidationError),
    ):
        app.add_exception_handler(kind, _failed)
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(_Bounded)
    return app


class _Bounded:
    """Bounds request bodies, and adds the headers that every answer has."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = 0
        started = False

        async def bounded() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > _LARGEST_BODY:
                raise BodyTooLarge
            return message

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                more = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", ()), *more]
            await send(message)

        try:
            await self._app(scope, bounded, send_with_headers)
        except BodyTooLarge:
            if not started:
                await send_document(
                    send_with_headers, status=413, kind=b"text/plain", body=b"The request is too large.\n"
                )


async def _health() -> Response:
    return Response("ok\n", media_type="text/plain")


async def _home() -> Response:
    return RedirectResponse("/auth/", status_code=307)


async def _static(name: str) -> Response:
    if name not in _STATIC:
        raise HTTPException(404)
    content = (files("claude_gateway_auth.web") / "static" / name).read_bytes()
    return Response(content, media_type=_STATIC[name])


async def _not_signed_in(request: Request, _: Exception) -> Response:
    if request.url.path.startswith("/auth/api/"):
        text = "The key is wrong or missing: send it as `Authorization: Bearer KEY`."
        return JSONResponse({"error": {"title": "Not signed in", "message": text}}, status_code=401)
    return RedirectResponse("/auth/enter", status_code=303)


async def _failed(request: Request, error: Exception) -> Response:
    return _shown(request, failure_of(error))


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    known = {404: ("Not found", "There is no such page. Go to /auth/."), 405: ("Not allowed", "Go to /auth/.")}
    title, text = known.get(status, ("Not done", "Go back and try again."))
    return _shown(request, Failure(status, title, text))


def _shown(request: Request, what: Failure) -> Response:
    headers = {"retry-after": str(what.retry_after)} if what.retry_after else None
    if request.url.path.startswith("/auth/api/"):
        body = {"error": {"title": what.title, "message": what.text}}
        return JSONResponse(body, status_code=what.status, headers=headers)
    page = pages.message(request, status=what.status, title=what.title, text=what.text)
    page.headers.update(headers or {})
    return page
