"""Failures of the caller: who it is, and what it requests.

No 401 may contain the words ``x-api-key``: Claude Code would show "Not logged in" in place of the message.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from claude_gateway_runtime.asgi import Headers
from claude_gateway_runtime.failure import Failure, row

_NAME_LIMIT: Final = 128
"""The most characters of a client's own text (a model, a path) that an answer repeats."""


@row(401, "invalid_api_key", retry=False)
def bad_key() -> str:
    """The request has no client key, or an unknown one."""
    return (
        "the gateway does not know this key: send a client key of this gateway as "
        "'Authorization: Bearer <key>', or as 'x-gateway-key: <key>' beside a login of your own"
    )


@row(401, "expired_api_key", retry=False)
def key_expired() -> str:
    """The client key is known, but has expired."""
    return "this client key has expired: ask whoever gave it to you for a new one"


@row(401, "invalid_token", retry=False)
def bad_token(reason: str) -> str:
    """A signed token is not accepted; ``reason`` says why, and repeats nothing of it but its issuer."""
    return f"the token of this request was refused: {reason}"


def unknown_issuer(issuer: object) -> Failure:
    """No client accepts tokens of this issuer, as the ``iss`` of a token says that nobody verified."""
    if not isinstance(issuer, str):
        return bad_token("it does not name its issuer: it has no `iss`")
    return bad_token(f"no client accepts tokens of its issuer '{_short(_printable(issuer))}'")


@row(401, "invalid_certificate", retry=False)
def bad_certificate(reason: str) -> str:
    """A client certificate identifies nobody; ``reason`` says why and repeats nothing of it."""
    return f"the client certificate of this request was refused: {reason}"


@row(503, "issuer_unavailable", retry=True, retry_after="2")
def issuer_unavailable(issuer: str) -> str:
    """The keys of an issuer are not known yet, and could not be fetched."""
    return f"the token cannot be verified now: the keys of '{_short(issuer)}' cannot be fetched"


@row(401, "invalid_signature", retry=False)
def bad_signature(reason: str) -> str:
    """An AWS signature does not match its request; ``reason`` says why."""
    return (
        f"the AWS signature of this request was refused: {reason}. Both AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY must be a client key of this gateway"
    )


@row(401, "invalid_api_key", retry=False)
def no_keys() -> str:
    """The configuration has no client key at all, so every request is rejected."""
    return (
        "this gateway has no client keys yet, so it answers nobody: make one with "
        "'claude-gateway key new' and name it in a GatewayClient"
    )


@row(429, "client_suspended", retry=False)
def client_suspended() -> str:
    """The client is suspended; Claude Code shows this message, while a 401 or 403 would log its user out."""
    return "this client of the gateway is suspended: ask whoever runs the gateway"


@row(401, "login_needed", retry=False)
def login_needed(route: str) -> str:
    """Every target of the route gets the caller's own login, and the caller sent none beside the gateway's key."""
    return (
        f"the route '{route}' uses your own login at the upstream: log in there, and send the gateway's key as "
        "'x-gateway-key: <key>'"
    )


@row(400, "model_not_allowed", retry=False)
def model_not_allowed(model: str) -> str:
    """The client's own list does not have the model, whether it exists or not; Claude Code would take a 403 for a
    failed login."""
    return f"this client may not use the model '{_short(model)}'; GET /v1/models lists what it may use"


@row(400, "model_not_allowed", retry=False)
def further_model_not_allowed(field: str, model: str) -> str:
    """A field beside ``model`` names a model that this client may not use, whether it exists or not."""
    return f"{_short(field)}: this client may not use the model '{_short(model)}'"


@row(400, "format_not_supported", retry=False)
def format_not_served(route: str, endpoint: str) -> str:
    """No target of the route can answer requests of this endpoint."""
    return f"no target of the route '{route}' can answer {endpoint}"


@row(400, "ability_missing", retry=False)
def ability_missing(route: str, abilities: Sequence[str]) -> str:
    """Every target of the route declares that its model does not support the content of the request."""
    names = " or ".join(name.lower() for name in abilities)
    return f"no model of the route '{route}' can take {names}: leave them out, or use another model"


def session_stopped(message: str) -> Failure:
    """The client's brake stopped the session; Claude Code shows the message and does not retry."""
    return replace(_session_stopped(message), type="billing_error")


@row(429, "session_stopped", retry=False)
def _session_stopped(message: str) -> str:
    return message


@row(404, "batches_not_supported", retry=False)
def batches_not_served(route: str) -> str:
    """No target of the route keeps batches."""
    return (
        f"the route '{route}' takes no batches: that needs a target at Anthropic with an API key, or with the "
        "client's own login"
    )


@row(404, "batches_not_supported", retry=False)
def batches_ambiguous(route: str) -> str:
    """Several credentials of the route could keep a batch, and it could not be found again."""
    return (
        f"the route '{route}' takes no batches: it has several credentials at Anthropic, and a batch belongs to one; "
        "use a model of a route that has one"
    )


@row(404, "batches_not_listed", retry=False)
def batches_not_listed() -> str:
    """The upstream's list has the batches of all clients that share the credential."""
    return (
        "batches are not listed here: the list of the upstream has those of other clients too. Keep the id that the "
        "answer to the creation has"
    )


@row(404, "batch_not_found", retry=False)
def unknown_batch() -> str:
    """No batch of this caller has the id, or its credential has changed since."""
    return "no batch of yours has this id, or the credential that it was created with is not in use any more"


@row(404, "session_not_found", retry=False)
def unknown_session(session: str) -> str:
    """This pod remembers no request of this caller with the session."""
    return f"no session '{_short(session)}' of yours is known here"


@row(400, "context_length_exceeded")
def prompt_too_long(tokens: int, most: int) -> str:
    """The prompt fits into the context of no target; by Anthropic's own words, Claude Code compacts its conversation.

    ``tokens`` is an estimate. It has no retry header, like Anthropic's own answer.
    """
    return f"prompt is too long: {tokens} tokens > {most} maximum"


@row(400)
def bad_request(message: str) -> str:
    """The request does not follow its format; the message says where."""
    return message


@row(400)
def bad_json(detail: str) -> str:
    """The body is not a JSON object; ``detail`` says where."""
    return f"the body is not valid JSON: {detail}"


@row(404, "model_not_found", retry=False)
def unknown_model(model: str, nearest: Sequence[str]) -> str:
    """No route serves this model to this client; ``nearest`` are the names that the client may have meant.

    The answer is the same if the model does not exist and if the client's namespace may not use its route.
    """
    hint = f"; did you mean {' or '.join(repr(name) for name in nearest)}?" if nearest else ""
    return f"no route serves the model '{_short(model)}'{hint}"


@row(404, "unknown_url", retry=False)
def unknown_path(path: str) -> str:
    """Nothing is served under this path."""
    return f"nothing is served at '{_short(path)}'"


def wrong_method(method: str, allow: str) -> Failure:
    """The path is served, with other methods; ``allow`` lists them."""
    return replace(_wrong_method(method, allow), allow=allow)


@row(405, "method_not_allowed", retry=False)
def _wrong_method(method: str, allow: str) -> str:
    return f"'{_short(method)}' is not served here, {allow} is"


@row(426, "websocket_not_supported", retry=False)
def no_websocket() -> str:
    """A client requests a WebSocket. Codex falls back to HTTP at this status, and at no other."""
    return "WebSockets are not served here: send a POST request, and read server-sent events"


@row(408, "request_timeout", close=True)
def body_too_slow(seconds: float) -> str:
    """No byte of the body arrived for ``seconds``; later bytes could be read as the next request."""
    return f"no part of the request body arrived for {seconds:g} s"


@row(413, "request_too_large", retry=False)
def body_too_large(limit: int) -> str:
    """The body has more than ``limit`` bytes."""
    return f"the request body is larger than {limit} bytes, which is the most that this gateway takes"


@row(501, "unsupported_transfer_encoding", retry=False, close=True)
def coded_body(coding: str) -> str:
    """The body has a transfer coding besides ``chunked``, so its content is not what the headers say."""
    return f"request bodies with 'transfer-encoding: {_short(coding)}' are not taken: 'chunked' is the only coding"


@row(415, "unsupported_content_encoding", retry=False)
def encoded_body(encoding: str) -> str:
    """The body is compressed in a way that the gateway does not read."""
    return (
        f"request bodies with 'content-encoding: {_short(encoding)}' are not taken: send plain JSON, gzip, deflate, "
        "br or zstd"
    )


def rate_limited(what: str, retry_after: float) -> Failure:
    """A limit is reached, and the request waited too long or could not wait. ``what`` names the limit, for people.

    ``retry_after`` is in seconds; the header has whole ones, rounded up.
    """
    seconds = max(1, math.ceil(retry_after))
    return replace(_rate_limited(what, seconds), retry_after=str(seconds))


def budget_spent(message: str, *, retry_after: int, more: Headers) -> Failure:
    """A budget is spent; ``message`` is for the person, whose Claude Code shows nothing else of the answer.

    ``retry_after`` are the seconds until there is money again, ``more`` the headers that say so to Claude Code.
    """
    return replace(_budget_spent(message), type="billing_error", retry_after=str(max(1, retry_after)), more=more)


@row(429, "insufficient_quota", retry=False)
def _budget_spent(message: str) -> str:
    return message


@row(400, "too_many_budgets", retry=False)
def too_many_budgets(most: int, *, groups: int) -> str:
    """More budgets would have to pay for each request than allowed: a person in many groups, with a budget for each."""
    return (
        f"more than {most} Budgets pay for your requests, and your token has {groups} groups: ask whoever runs the "
        "gateway to name fewer of them in Budgets"
    )


def batch_too_expensive(message: str) -> Failure:
    """A batch may cost more than a budget has left; ``message`` says how much."""
    return replace(_budget_spent(message), type="billing_error")


@row(429, "rate_limit_exceeded", retry=True)
def _rate_limited(what: str, seconds: int) -> str:
    return f"{what}; try again in {seconds} s"


def _short(text: str) -> str:
    plain = text.encode("utf-8", "replace").decode()
    return plain if len(plain) <= _NAME_LIMIT else plain[:_NAME_LIMIT] + "…"


def _printable(text: str) -> str:
    """Return the beginning of a text without what could control a terminal."""
    return "".join(char if char.isprintable() else "�" for char in text[: _NAME_LIMIT + 1])
