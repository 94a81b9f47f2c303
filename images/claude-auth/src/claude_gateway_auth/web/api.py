"""The JSON API: what the page does, for programs. The key comes as ``Authorization: Bearer``."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from claude_gateway_auth.credential import Credential, Ref
from claude_gateway_auth.flow import SENTENCES, SignIn, Trouble
from claude_gateway_auth.service import Service
from claude_gateway_auth.web.access import Person
from claude_gateway_auth.web.pages import get_service
from claude_gateway_auth.web.requests import ForgedError, get_access, get_caller, get_person
from claude_gateway_auth.web.view import sign_in_document

router: Final = APIRouter(prefix="/auth/api")


class Body(BaseModel):
    """What a request carries."""

    model_config = ConfigDict(
        extra="forbid", alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True
    )


class Start(Body):
    """Begin a sign-in; ``takeOver`` ends one that somebody else began."""

    take_over: bool = False


class Code(Body):
    """The code of a sign-in."""

    id: Annotated[str, Field(max_length=64)]
    code: Annotated[str, Field(max_length=4096, repr=False)]


class Which(Body):
    """A sign-in."""

    id: Annotated[str, Field(max_length=64)]


class GoneError(Exception):
    """The sign-in is gone."""


async def changing(request: Request, who: Annotated[Person, Depends(get_person)]) -> Person:
    """Return the person of a request that changes something: with the key, or with the token of a page's session."""
    access = get_access(request)
    if not who.by_key and not access.is_genuine(
        get_caller(request, access).session, request.headers.get("x-csrf-token", "")
    ):
        raise ForgedError
    return who


Reader = Annotated[Person, Depends(get_person)]
Writer = Annotated[Person, Depends(changing)]
Actions = Annotated[Service, Depends(get_service)]


async def found(namespace: str, name: str, who: Annotated[Person, Depends(get_person)], actions: Actions) -> Credential:
    """Return the credential of a path. Raises UnknownError."""
    return await actions.find(Ref(namespace, name), who)


Found = Annotated[Credential, Depends(found)]
_ONE: Final = "/credentials/{namespace}/{name}"


@router.get("/credentials")
async def listed(who: Reader, actions: Actions) -> dict[str, Any]:
    """List the credentials with their states."""
    return {"credentials": [view.document for view in await actions.views(who)]}


@router.get(_ONE)
async def one(who: Reader, credential: Found, actions: Actions) -> dict[str, Any]:
    """Return one credential."""
    return (await actions.view(credential, who)).document


@router.post(f"{_ONE}/sign-in")
async def start(who: Writer, credential: Found, actions: Actions, body: Start | None = None) -> dict[str, Any]:
    """Begin a sign-in; also to replace a login."""
    take_over = body is not None and body.take_over
    return _shown(await actions.start(credential, who, take_over=take_over))


@router.post(f"{_ONE}/code")
async def code(who: Writer, credential: Found, actions: Actions, body: Code) -> dict[str, Any]:
    """Enter the code; answers when Anthropic has."""
    return _shown(await actions.submit(credential, who, identifier=body.id, code=body.code))


@router.post(f"{_ONE}/cancel")
async def cancel(who: Writer, credential: Found, actions: Actions, body: Which) -> dict[str, Any]:
    """Cancel a sign-in."""
    return _shown(await actions.cancel(credential, who, identifier=body.id))


@router.post(f"{_ONE}/sign-out")
async def sign_out(who: Writer, credential: Found, actions: Actions) -> dict[str, Any]:
    """Remove the login."""
    await actions.sign_out(credential, who)
    return (await actions.view(credential, who)).document


@router.post(f"{_ONE}/check")
async def check(who: Writer, credential: Found, actions: Actions) -> dict[str, Any]:
    """Check the login now."""
    probe = await actions.check(credential, who)
    return {"outcome": probe.outcome.value, "message": probe.message, "asked": probe.asked}


@router.post(f"{_ONE}/import")
async def load(request: Request, who: Writer, credential: Found, actions: Actions) -> dict[str, Any]:
    """Store an existing login: the body is the file."""
    await actions.load(credential, who, await request.body())
    return (await actions.view(credential, who)).document


def _shown(state: SignIn | None) -> dict[str, Any]:
    if state is None:
        raise GoneError(" ".join(SENTENCES[Trouble.RESTARTED]))
    return sign_in_document(state, mine=True)
