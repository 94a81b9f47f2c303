"""The page: HTML made here, forms that work without JavaScript."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Request, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import Response

from claude_gateway.contract.login import LONGEST
from claude_gateway_auth.credential import Ref
from claude_gateway_auth.flow import SENTENCES, Phase, Trouble
from claude_gateway_auth.service import Service
from claude_gateway_auth.sign_in_runner import BusyError
from claude_gateway_auth.web import oidc_redirect
from claude_gateway_auth.web.access import Access, Person, Session
from claude_gateway_auth.web.requests import (
    BlockedError,
    Caller,
    ForgedError,
    get_access,
    get_caller,
    get_person,
    remember,
    same_site,
)

router: Final = APIRouter(prefix="/auth")
_templates: Final = Environment(
    loader=PackageLoader("claude_gateway_auth.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
DONE: Final = {
    "signed-out": "Signed out. The login is removed, and Anthropic was asked to revoke it.",
    "nothing": "Nobody was signed in.",
    "imported": "The login is stored.",
    "ok": "Anthropic says that the login is valid.",
    "rejected": "Anthropic rejected the login. Sign in again.",
    "unavailable": "Anthropic gave no answer about the login. Check again in a minute.",
    "gone": " ".join(SENTENCES[Trouble.RESTARTED]),
}
"""The page's message after an action, by the word in its address."""

CurrentPerson = Annotated[Person, Depends(get_person)]
CurrentCaller = Annotated[Caller, Depends(get_caller)]
CurrentAccess = Annotated[Access, Depends(get_access)]
Token = Annotated[str, Form(max_length=256)]
Identifier = Annotated[str, Form(max_length=64)]


def get_service(request: Request) -> Service:
    """Return the actions of the app."""
    found: Service = request.app.state.service
    return found


Actions = Annotated[Service, Depends(get_service)]


async def form_sender(who: CurrentPerson, caller: CurrentCaller, access: CurrentAccess, csrf: Token = "") -> Person:
    """Return the person of a form that the session's own page sent. Raises ForgedError."""
    if not access.is_genuine(caller.session, csrf):
        raise ForgedError
    return who


FormSender = Annotated[Person, Depends(form_sender)]


def page(request: Request, name: str, session: Session, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a page."""
    access = get_access(request)
    text = _templates.get_template(name).render(
        csrf=access.token(session),
        person=session.person,
        takes_key=access.takes_key,
        oidc=request.app.state.oidc is not None,
        **values,
    )
    return HTMLResponse(text, status_code=status)


def message(request: Request, *, status: int, title: str, text: str, session: Session | None = None) -> HTMLResponse:
    """Render a page that says one thing."""
    who = session or get_caller(request, get_access(request)).session
    # Whoever signs a device in may not see the list.
    device = request.url.path.startswith(oidc_redirect.DEVICE) or oidc_redirect.is_for_a_device(request)
    return page(request, "message.html", who, status=status, title=title, text=text, device=device)


@router.get("")
def short() -> RedirectResponse:
    """Lead to the list."""
    return RedirectResponse("/auth/", status_code=308)


@router.get("/")
async def overview(request: Request, who: CurrentPerson, caller: CurrentCaller, actions: Actions) -> HTMLResponse:
    """List the credentials."""
    return page(request, "overview.html", caller.session, views=await actions.views(who))


@router.get("/enter")
def enter_page(request: Request, caller: CurrentCaller) -> Response:
    """Ask for the key."""
    if caller.session.person is not None:
        return RedirectResponse("/auth/", status_code=303)
    response = page(request, "enter.html", caller.session, wrong=False)
    remember(response, caller.session, request)
    return response


@router.post("/enter")
async def enter(
    request: Request,
    caller: CurrentCaller,
    access: CurrentAccess,
    key: Annotated[str, Form(max_length=1024)] = "",
    csrf: Token = "",
) -> Response:
    """Begin a session with the key."""
    if not same_site(request) or not access.is_genuine(caller.session, csrf):
        raise ForgedError
    wait = access.blocked(caller.address)
    if wait:
        raise BlockedError(wait)
    if not access.accepts(key.strip(), address=caller.address):
        # As slow as a person types: a wrong key costs its sender more than this process.
        await asyncio.sleep(0.5)
        return page(request, "enter.html", caller.session, status=403, wrong=True)
    response = RedirectResponse("/auth/", status_code=303)
    remember(response, access.new_session("key", everything=True), request)
    return response


@router.post("/leave")
async def leave(request: Request, caller: CurrentCaller, access: CurrentAccess, _: FormSender) -> Response:
    """End the session."""
    access.end(caller.session)
    response = RedirectResponse("/auth/enter", status_code=303)
    remember(response, access.session(None), request)
    return response


@router.get("/credentials/{namespace}/{name}")
async def credential_page(
    request: Request,
    namespace: str,
    name: str,
    who: CurrentPerson,
    caller: CurrentCaller,
    actions: Actions,
    done: str = "",
) -> HTMLResponse:
    """Show one credential, and the sign-in to it."""
    found = await actions.find(Ref(namespace, name), who)
    view = await actions.view(found, who)
    waiting = view.sign_in is not None and view.sign_in.phase in (Phase.STARTING, Phase.CHECKING)
    return page(request, "credential.html", caller.session, view=view, done=DONE.get(done, ""), waiting=waiting)


@router.post("/credentials/{namespace}/{name}/sign-in")
async def start(
    request: Request,
    namespace: str,
    name: str,
    who: FormSender,
    caller: CurrentCaller,
    actions: Actions,
    take_over: Annotated[str, Form(max_length=8)] = "",
) -> Response:
    """Begin a sign-in."""
    found = await actions.find(Ref(namespace, name), who)
    try:
        await actions.start(found, who, take_over=take_over == "yes")
    except BusyError as error:
        view = await actions.view(found, who)
        return page(request, "busy.html", caller.session, status=409, view=view, running=error.running)
    return _back(found.ref)


@router.post("/credentials/{namespace}/{name}/code")
async def code(
    namespace: str,
    name: str,
    who: FormSender,
    actions: Actions,
    code: Annotated[str, Form(max_length=4096)] = "",
    sign_in: Identifier = "",
) -> Response:
    """Take a code."""
    found = await actions.find(Ref(namespace, name), who)
    state = await actions.submit(found, who, identifier=sign_in, code=code)
    return _back(found.ref, "" if state else "gone")


@router.post("/credentials/{namespace}/{name}/cancel")
async def cancel(namespace: str, name: str, who: FormSender, actions: Actions, sign_in: Identifier = "") -> Response:
    """Cancel a sign-in."""
    found = await actions.find(Ref(namespace, name), who)
    state = await actions.cancel(found, who, identifier=sign_in)
    return _back(found.ref, "" if state else "gone")


@router.post("/credentials/{namespace}/{name}/sign-out")
async def sign_out(namespace: str, name: str, who: FormSender, actions: Actions) -> Response:
    """Remove the login."""
    found = await actions.find(Ref(namespace, name), who)
    return _back(found.ref, "signed-out" if await actions.sign_out(found, who) else "nothing")


@router.post("/credentials/{namespace}/{name}/check")
async def check(namespace: str, name: str, who: FormSender, actions: Actions) -> Response:
    """Check the login now."""
    found = await actions.find(Ref(namespace, name), who)
    return _back(found.ref, (await actions.check(found, who)).outcome.value)


@router.post("/credentials/{namespace}/{name}/import")
async def load(namespace: str, name: str, who: FormSender, actions: Actions, file: UploadFile) -> Response:
    """Store an existing login."""
    found = await actions.find(Ref(namespace, name), who)
    await actions.load(found, who, await file.read(LONGEST + 1))
    return _back(found.ref, "imported")


def _back(ref: Ref, done: str = "") -> RedirectResponse:
    query = f"?done={done}" if done else ""
    return RedirectResponse(f"/auth/credentials/{ref.namespace}/{ref.name}{query}", status_code=303)
