"""Failures of the caller: who it is, and what it asked for.

No 401 may have the words ``x-api-key`` in it: Claude Code would show "Not logged in" in place of the message.
"""

from collections.abc import Sequence
from typing import Final

from claude_gateway_proxy.gateway.errors.failure import Failure

_NAME_LIMIT: Final = 128
"""Characters of a client's own text (a model, a path) that an answer repeats."""


def bad_key() -> Failure:
    """No client key was sent, or one that nobody has."""
    return Failure(
        status=401,
        type="authentication_error",
        code="invalid_api_key",
        retry=False,
        message="the gateway does not know this key: send a client key of this gateway as "
        "'Authorization: Bearer <key>', or as 'x-gateway-key: <key>' beside a login of your own",
    )


def bad_signature(reason: str) -> Failure:
    """An AWS signature that does not fit its request; ``reason`` says what is wrong with it."""
    return Failure(
        status=401,
        type="authentication_error",
        code="invalid_signature",
        retry=False,
        message=f"the AWS signature of this request was refused: {reason}. Both AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY must be a client key of this gateway",
    )


def no_keys() -> Failure:
    """The configuration has no client key at all, so nobody may call."""
    return Failure(
        status=401,
        type="authentication_error",
        code="invalid_api_key",
        retry=False,
        message="this gateway has no client keys yet, so it answers nobody: make one with "
        "'claude-gateway key new' and name it in a GatewayClient",
    )


def model_not_allowed(model: str) -> Failure:
    """The model exists and this client may not use it; 403 would read as a failed login in Claude Code."""
    return Failure(
        status=400,
        type="invalid_request_error",
        code="model_not_allowed",
        retry=False,
        message=f"this client may not use the model '{_short(model)}'; GET /v1/models lists what it may use",
    )


def bad_request(message: str) -> Failure:
    """The request is not what its format asks for; the message says what is wrong."""
    return Failure(status=400, type="invalid_request_error", message=message)


def bad_json(detail: str) -> Failure:
    """The body is not a JSON object; ``detail`` says where."""
    return bad_request(f"the body is not valid JSON: {detail}")


def unknown_model(model: str, nearest: Sequence[str]) -> Failure:
    """No route has this model name; ``nearest`` are the names that the client may have meant."""
    hint = f"; did you mean {' or '.join(repr(name) for name in nearest)}?" if nearest else ""
    return Failure(
        status=404,
        type="not_found_error",
        code="model_not_found",
        retry=False,
        message=f"no route serves the model '{_short(model)}'{hint}",
    )


def unknown_path(path: str) -> Failure:
    """Nothing is served under this path."""
    return Failure(
        status=404,
        type="not_found_error",
        code="unknown_url",
        retry=False,
        message=f"nothing is served at '{_short(path)}'",
    )


def wrong_method(method: str, allow: str) -> Failure:
    """The path is served, with other methods; ``allow`` lists them."""
    return Failure(
        status=405,
        type="invalid_request_error",
        code="method_not_allowed",
        retry=False,
        allow=allow,
        message=f"'{_short(method)}' is not served here, {allow} is",
    )


def body_too_large(limit: int) -> Failure:
    """The body has more than ``limit`` bytes."""
    return Failure(
        status=413,
        type="request_too_large",
        code="request_too_large",
        retry=False,
        message=f"the request body is larger than {limit} bytes, which is the most that this gateway takes",
    )


def encoded_body(encoding: str) -> Failure:
    """The body is compressed; the gateway reads plain JSON only."""
    return Failure(
        status=415,
        type="invalid_request_error",
        code="unsupported_content_encoding",
        retry=False,
        message=f"request bodies with 'content-encoding: {_short(encoding)}' are not taken: send plain JSON",
    )


def body_too_slow(seconds: float) -> Failure:
    """No byte of the body came for ``seconds``; whatever comes later cannot be told from the next request."""
    return Failure(
        status=408,
        type="timeout_error",
        code="request_timeout",
        close=True,
        message=f"nothing of the request body came for {seconds:g} s",
    )


def login_needed(route: str) -> Failure:
    """Every target of the route gets the caller's own login, and the caller has sent none beside the gateway's key."""
    return Failure(
        status=401,
        type="authentication_error",
        code="login_needed",
        retry=False,
        message=f"the route '{route}' uses your own login at the upstream: log in there, and send the gateway's key as "
        "'x-gateway-key: <key>'",
    )


def format_not_served(route: str, endpoint: str) -> Failure:
    """No target of the route can answer requests of this endpoint."""
    return Failure(
        status=400,
        type="invalid_request_error",
        code="format_not_supported",
        retry=False,
        message=f"no target of the route '{route}' can answer {endpoint}",
    )


def _short(text: str) -> str:
    plain = text.encode("utf-8", "replace").decode()
    return plain if len(plain) <= _NAME_LIMIT else plain[:_NAME_LIMIT] + "…"
