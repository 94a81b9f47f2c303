"""The table of what the backend answers instead of a message."""

from dataclasses import dataclass
from typing import Final

from claude_gateway.names import HEADER_LOGIN, HEADER_LOGIN_STATE, LOGIN_REJECTED
from claude_gateway_runtime.failure import Failure, row

_NAME_LIMIT: Final = 128
"""Characters of a caller's own text that an answer repeats."""


@dataclass(eq=False, kw_only=True)
class AnsweredFailure(Failure):
    """A failure by Anthropic's answer. ``rejects_login``: Anthropic does not accept the login."""

    rejects_login: bool = False


@row(401, retry=False)
def bad_key() -> str:
    """The request has no key, or an unknown one."""
    return "this backend does not know the key: send the key that the operator made for this caller"


@row(400, retry=False)
def no_login() -> str:
    """The gateway's key came without a login."""
    return f"the gateway's key needs the header '{HEADER_LOGIN}' with the access token of a Claude Code login"


@row(400, retry=False)
def two_logins() -> str:
    """A caller whose key opens one login brought another."""
    return f"this key opens one login, so the header '{HEADER_LOGIN}' may not be sent with it"


@row(404)
def unknown_path(path: str) -> str:
    """The endpoint does not exist."""
    return (
        f"not found: {path[:_NAME_LIMIT]}; this backend serves /v1/messages, /v1/messages/count_tokens and /v1/models"
    )


@row(404, retry=False)
def unknown_model(model: str) -> str:
    """The list does not have the model."""
    return f"model: {model[:_NAME_LIMIT]}; GET /v1/models lists the short names, and full names of models work too"


def wrong_method(allow: str) -> Failure:
    """The endpoint takes another method."""
    return Failure(status=405, message=f"method not allowed: use {allow}", allow=allow)


def invalid(field: str, problem: str) -> Failure:
    """A field of the request cannot be honoured; ``problem`` is one clause."""
    return Failure(status=400, message=f"{field[:_NAME_LIMIT]}: {problem}", retry=False)


@row(413, close=True)
def body_too_large(limit: int) -> str:
    """The request body is larger than the backend takes."""
    return f"the request body is larger than {limit} bytes"


@row(408, close=True)
def body_too_slow() -> str:
    """The client stopped in the middle of its body."""
    return "the request body did not arrive in time"


@row(529, retry_after="5")
def full() -> str:
    """All processes are busy and the queue is full, or a request waited too long."""
    return "all Claude Code processes are busy and the queue is full: try again in a few seconds"


@row(502)
def not_started() -> str:
    """The CLI did not start, or ended before it called the model."""
    return "Claude Code did not start; the backend's log has the reason"


@row(502)
def ended() -> str:
    """The CLI ended without an answer."""
    return "Claude Code ended without an answer"


@row(504)
def silent() -> str:
    """The CLI said nothing for too long."""
    return "Claude Code said nothing for too long"


@row(502)
def unreachable(reason: str) -> str:
    """Anthropic cannot be reached."""
    return f"Anthropic's API could not be reached: {reason}"


@row(502)
def broken_off() -> str:
    """The upstream's stream ended in the middle."""
    return "Anthropic's answer broke off"


@row(400, retry=False)
def too_long() -> str:
    """Claude Code knows that the prompt does not fit, and does not send it."""
    return "prompt is too long: it does not fit the model's context window"


@row(502, retry=False)
def refused_by_cli(said: str) -> str:
    """Claude Code itself failed the request, with its own message."""
    return f"Claude Code did not ask the model: {said[:512]}"


def login_rejected(said: str) -> Failure:
    """Anthropic does not accept the login. The caller's own key is good, so this is not its 401."""
    return AnsweredFailure(
        status=502,
        message=f"Anthropic rejected the Claude Code login, so its owner must sign in again: {said[:512]}",
        type="api_error",
        retry=False,
        rejects_login=True,
        more=[(HEADER_LOGIN_STATE.encode(), LOGIN_REJECTED.encode())],
    )
