"""Every error that the gateway says in its own words, and how it looks in the caller's format.

Claude Code decides by status and ``x-should-retry`` whether it tries again: a refused key without ``x-should-retry:
false`` keeps it busy for three minutes. Upstream's own errors are relayed elsewhere, untouched.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from claude_gateway.contract.policy import Wire

_NAME_LIMIT: Final = 128
"""Characters of a client's own text (a model, a path) that an answer repeats."""

_OPENAI_TYPES: Final = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    408: "timeout",
    413: "invalid_request_error",
    415: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout",
}


@dataclass(eq=False, kw_only=True)
class Failure(Exception):  # noqa: N818 - an answer like any other, raised
    """An answer that is not the one asked for.

    ``type`` is Anthropic's ``error.type`` and ``code`` OpenAI's ``error.code``; ``retry`` becomes ``x-should-retry``,
    ``retry_after`` (seconds) and ``allow`` the headers of these names. Nothing in it is secret.
    """

    status: int
    type: str
    message: str
    code: str | None = None
    retry: bool | None = None
    retry_after: float | None = None
    allow: str | None = None

    def __str__(self) -> str:
        return f"{self.status} {self.type}: {self.message}"


def envelope(failure: Failure, *, shape: Wire, request_id: str) -> bytes:
    """The JSON body of a failure in the caller's format; also the data of an error event within a stream."""
    if shape is Wire.ANTHROPIC:
        error = {"type": failure.type, "message": failure.message}
        return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id})
    kind = _OPENAI_TYPES.get(failure.status, "server_error")
    return msgspec.json.encode(
        {"error": {"message": failure.message, "type": kind, "param": None, "code": failure.code}}
    )


def render(failure: Failure, *, shape: Wire, request_id: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of a failure; every header that an answer needs is there."""
    body = envelope(failure, shape=shape, request_id=request_id)
    ident = request_id.encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"request-id", ident),
        (b"x-request-id", ident),
    ]
    if failure.retry is not None:
        headers.append((b"x-should-retry", b"true" if failure.retry else b"false"))
    if failure.retry_after is not None:
        headers.append((b"retry-after", b"%d" % max(1, round(failure.retry_after))))
    if failure.allow is not None:
        headers.append((b"allow", failure.allow.encode()))
    return failure.status, headers, body


# The caller.


def bad_key() -> Failure:
    """No client key was sent, or one that nobody has."""
    return Failure(
        status=401,
        type="authentication_error",
        code="invalid_api_key",
        retry=False,
        message="the gateway does not know this key: send a client key of this gateway as "
        "'Authorization: Bearer <key>' or as 'x-api-key: <key>'",
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


# The request.


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


def format_not_served(route: str, endpoint: str) -> Failure:
    """No target of the route can answer requests of this endpoint."""
    return Failure(
        status=400,
        type="invalid_request_error",
        code="format_not_supported",
        retry=False,
        message=f"no target of the route '{route}' can answer {endpoint}",
    )


# The gateway and what is behind it.


def not_ready(reason: str) -> Failure:
    """The gateway has no configuration yet."""
    return Failure(
        status=503, type="api_error", code="not_ready", retry_after=1, message=f"the gateway is not ready: {reason}"
    )


def no_targets(route: str) -> Failure:
    """None of the route's targets could be resolved."""
    return Failure(
        status=503,
        type="api_error",
        code="no_targets",
        message=f"the route '{route}' has no usable target; its status says why",
    )


def upstream_down(route: str) -> Failure:
    """No target could be reached, or the last one broke off before it answered."""
    return Failure(
        status=502,
        type="api_error",
        code="upstream_unreachable",
        message=f"no target of the route '{route}' could be reached",
    )


def upstream_refused_key(route: str) -> Failure:
    """The upstream refused the gateway's own credential: not the caller's fault, so neither 401 nor 403."""
    return Failure(
        status=502,
        type="api_error",
        code="upstream_credential_refused",
        message=f"the upstream refused the gateway's credential for the route '{route}'; its owner must renew it",
    )


def upstream_redirected(route: str) -> Failure:
    """The upstream answered with a redirect, which is never followed: it could lead a key anywhere."""
    return Failure(
        status=502,
        type="api_error",
        code="upstream_redirected",
        message=f"the upstream of the route '{route}' answered with a redirect, which the gateway does not follow",
    )


def address_refused(route: str) -> Failure:
    """The target's host resolved to an address that the egress rule refuses."""
    return Failure(
        status=502,
        type="api_error",
        code="upstream_address_refused",
        message=f"a target of the route '{route}' resolves to an address that this gateway may not call",
    )


def first_token_timeout(route: str, seconds: float) -> Failure:
    """No target began its answer within the route's ``timeouts.firstToken``."""
    return Failure(
        status=504,
        type="timeout_error",
        code="first_token_timeout",
        message=f"no target of the route '{route}' began its answer within {seconds:g} s",
    )


def stream_stalled(route: str, seconds: float) -> Failure:
    """The answer stopped for longer than ``timeouts.idle`` or went on for longer than ``timeouts.total``."""
    return Failure(
        status=504,
        type="timeout_error",
        code="upstream_timeout",
        message=f"the upstream of the route '{route}' did not finish its answer: {seconds:g} s are over",
    )


def stream_broken(route: str) -> Failure:
    """The upstream closed the connection in the middle of its answer."""
    return Failure(
        status=502,
        type="api_error",
        code="upstream_broken",
        message=f"the upstream of the route '{route}' closed the connection before its answer was complete",
    )


def upstream_error(route: str, status: int, retry_after: float | None) -> Failure:
    """The upstream answered with an error that is not in the caller's format (a load balancer's page, as a rule)."""
    kinds = {404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 529: "overloaded_error"}
    return Failure(
        status=status,
        type=kinds.get(status, "api_error" if status >= 500 else "invalid_request_error"),
        code="upstream_error",
        retry_after=retry_after,
        message=f"the upstream of the route '{route}' answered with status {status} and no message",
    )


def litellm_down() -> Failure:
    """The LiteLLM worker of this pod does not answer; targets of the relay lane are not affected."""
    return Failure(
        status=502,
        type="api_error",
        code="litellm_unreachable",
        message="the LiteLLM worker is not running; it is needed for this target",
    )


def internal() -> Failure:
    """A bug of ours; the log says where, under the request's id."""
    return Failure(
        status=500, type="api_error", code="internal_error", message="the gateway failed to handle this request"
    )


def _short(text: str) -> str:
    plain = text.encode("utf-8", "replace").decode()
    return plain if len(plain) <= _NAME_LIMIT else plain[:_NAME_LIMIT] + "…"
