"""The Secret of a Claude Code login: its three keys, read into frozen values without raising.

``.credentials.json`` is Claude Code's own file, ``token`` a long-lived token of ``claude setup-token``, and
``state.json`` what the sign-in service knows about the login; nothing in it is secret. A parse function returns the
value, or one clause that says what is wrong with the text; the clause never quotes the text.
"""

import math
import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError

from claude_gateway.contract.base import Contract

CREDENTIALS_KEY: Final = ".credentials.json"
TOKEN_KEY: Final = "token"  # noqa: S105 - the key's name
STATE_KEY: Final = "state.json"

LONGEST: Final = 65_536
"""The most bytes of a key's value that are read; a real value has at most a few thousand."""

_MARK: Final = b"\xef\xbb\xbf"
"""What editors on Windows write before UTF-8."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_MOMENT: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, which is the last year that a ``datetime`` can hold."""
_TOKEN: Final = re.compile(r"[!-~]{16,8192}")


def _absent(value: object) -> object:
    """Read an empty text as None, because people clear a token by hand."""
    return None if value == "" else value


def _whole(value: object) -> object:
    """Read a fraction of a millisecond, which JavaScript can write, as the whole one before it."""
    return math.floor(value) if isinstance(value, float) and math.isfinite(value) else value


def _words(value: object) -> object:
    """Read scopes as OAuth writes them, in one text; null means none."""
    return () if value is None else value.split() if isinstance(value, str) else value


Millis = Annotated[int, Field(ge=0, le=_LAST_MOMENT), BeforeValidator(_whole)]
ShortText = Annotated[str, Field(max_length=256)]
Sentence = Annotated[str, Field(max_length=1024)]
Token = Annotated[str, Field(pattern=r"^[!-~]{16,8192}$")]


class _Shown(Contract):
    """A part of a login; its validation errors never show the value that was wrong."""

    model_config = ConfigDict(hide_input_in_errors=True)


class OAuth(_Shown):
    """The login in ``.credentials.json``; times are Unix milliseconds. A login without refresh token just ends."""

    access_token: Token = Field(repr=False)
    refresh_token: Annotated[Token | None, BeforeValidator(_absent)] = Field(default=None, repr=False)
    expires_at: Millis | None = None
    refresh_token_expires_at: Millis | None = None
    scopes: Annotated[tuple[ShortText, ...], Field(max_length=64), BeforeValidator(_words)] = ()
    subscription_type: ShortText | None = None
    rate_limit_tier: ShortText | None = None
    account_uuid: ShortText | None = None
    organization_uuid: ShortText | None = None

    @property
    def expires(self) -> datetime | None:
        """When the access token ends; None if the file does not say."""
        return moment(self.expires_at)

    @property
    def refresh_expires(self) -> datetime | None:
        """When the refresh token ends; None if the file does not say."""
        return moment(self.refresh_token_expires_at)


class CredentialsFile(_Shown):
    """Claude Code's ``.credentials.json``, reduced to the login."""

    claude_ai_oauth: OAuth


class LongLivedToken(_Shown):
    """A token of ``claude setup-token``; it is valid for about a year and cannot be refreshed."""

    access_token: Token = Field(repr=False)


class Outcome(StrEnum):
    """How an attempt to refresh or to use a login ended."""

    OK = "ok"
    REJECTED = "rejected"
    """Anthropic refused the login for good: only a person can sign in again."""
    UNAVAILABLE = "unavailable"
    """There was no answer about the login: try again later."""


class Refresh(_Shown):
    """The last attempt to refresh the login."""

    at: datetime
    outcome: Outcome
    message: Sentence = ""


class Probe(_Shown):
    """The last use of the login; ``asked`` describes the request in a few words."""

    at: datetime
    asked: ShortText = ""
    outcome: Outcome
    message: Sentence = ""


class Window(_Shown):
    """How much of one of the subscription's windows is used: 0 is nothing, 1 all."""

    utilization: Annotated[float, Field(ge=0)] | None = None
    resets_at: datetime | None = None
    status: ShortText | None = None


class LoginState(_Shown):
    """``state.json``: what the sign-in service, its only writer, knows about a login. Nothing in it is secret."""

    version: Literal[1] = 1
    signed_in_at: datetime | None = None
    signed_in_by: ShortText | None = None
    refreshed_at: datetime | None = None
    expires_at: datetime | None = None
    refresh: Refresh | None = None
    probe: Probe | None = None
    subscription_type: ShortText | None = None
    rate_limit_tier: ShortText | None = None
    windows: dict[ShortText, Window] = Field(default_factory=dict, max_length=16)


def moment(millis: int | None) -> datetime | None:
    """Return the time of Unix milliseconds."""
    return None if millis is None else _EPOCH + timedelta(milliseconds=millis)


def parse_credentials(value: bytes) -> OAuth | str:
    """Return the login in a ``.credentials.json``, or what is wrong with the file."""
    if len(value) > LONGEST:
        return _too_long(CREDENTIALS_KEY)
    try:
        return CredentialsFile.model_validate_json(value.removeprefix(_MARK)).claude_ai_oauth
    except ValidationError as error:
        return _wrong(CREDENTIALS_KEY, error)


def parse_token(value: bytes) -> LongLivedToken | str:
    """Return the token in a ``token`` key, without the white space around it, or what is wrong with it."""
    if len(value) > LONGEST:
        return _too_long(TOKEN_KEY)
    text = value.removeprefix(_MARK).decode("ascii", errors="replace").strip()
    if _TOKEN.fullmatch(text):
        return LongLivedToken(access_token=text)
    return f"`{TOKEN_KEY}` is not one word of 16 to 8192 characters of printable ASCII"


def parse_state(value: bytes) -> LoginState | str:
    """Return the state in a ``state.json``, or what is wrong with the file. A time without zone is in UTC."""
    if len(value) > LONGEST:
        return _too_long(STATE_KEY)
    try:
        return LoginState.model_validate_json(value.removeprefix(_MARK))
    except ValidationError as error:
        return _wrong(STATE_KEY, error)


def _too_long(key: str) -> str:
    return f"`{key}` has more than {LONGEST} bytes"


def _wrong(key: str, error: ValidationError) -> str:
    """Return where a file is wrong, without its content: only names of our own models are quoted."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return f"`{key}` is not JSON"
    named = [str(part) for part in first["loc"] if isinstance(part, str) and part in _FIELDS]
    where = ".".join(named)
    missing = "is missing" if first["type"] == "missing" else "has an unexpected value"
    return f"`{key}`: `{where}` {missing}" if where else f"`{key}` is not an object with the expected fields"


_FIELDS: Final = frozenset(
    field.alias or name
    for model in (CredentialsFile, OAuth, LoginState, Refresh, Probe, Window)
    for name, field in model.model_fields.items()
)
