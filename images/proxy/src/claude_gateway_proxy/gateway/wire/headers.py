"""The headers that pass the gateway in both directions: only those that are named here.

An unknown header could have any effect: it could be the token with which a proxy in front of the gateway vouches for a
user, make an upstream send our key elsewhere, or, on the way back, set a policy for the gateway's own host.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from multidict import CIMultiDict

from claude_gateway.contract.target import Wire
from claude_gateway.names import HEADER_LOGIN
from claude_gateway_runtime.asgi import Headers


def _named(text: str) -> dict[bytes, str]:
    """Header names as in requests, with the text that the client library expects."""
    return {name.encode(): name for name in text.split()}


_OF_EVERY_WIRE: Final = _named(
    "accept content-type user-agent traceparent tracestate idempotency-key x-client-request-id x-stainless-arch "
    "x-stainless-async x-stainless-lang x-stainless-os x-stainless-package-version x-stainless-retry-count "
    "x-stainless-runtime x-stainless-runtime-version x-stainless-timeout x-stainless-read-timeout "
    "x-stainless-helper-method x-stainless-raw-response"
)
_OF_CLAUDE: Final = _OF_EVERY_WIRE | _named(
    "anthropic-beta anthropic-version anthropic-dangerous-direct-browser-access x-app x-client-app x-cowork-enrollment "
    "x-claude-code-session-id x-anthropic-additional-protection"
)
_AGENTS: Final = _named("x-claude-code-agent-id x-claude-code-parent-agent-id")
_HINTS: Final = _named(
    "x-claude-code-request-class x-claude-code-agent-type x-claude-code-prompt-id x-claude-code-compaction "
    "x-claude-code-prev-tool-durations x-claude-code-managed-settings-checksum x-claude-1p-request-class"
)
"""Claude Code's headers with ``CLAUDE_CODE_GATEWAY_HINT_HEADERS=1``. Without it, only Anthropic's host gets them."""
_REQUEST: Final[Mapping[Wire, Mapping[bytes, str]]] = {
    Wire.ANTHROPIC: _OF_CLAUDE | _AGENTS,
    Wire.BEDROCK: _OF_CLAUDE | _named("amz-sdk-invocation-id amz-sdk-request x-amz-user-agent"),
    Wire.VERTEX: _OF_CLAUDE
    | _named("x-goog-api-client x-vertex-ai-llm-request-type x-vertex-ai-llm-shared-request-type"),
    Wire.OPENAI: _OF_EVERY_WIRE | _named("openai-beta"),
}
_TO_ANTHROPIC: Final = _OF_CLAUDE | _AGENTS | _HINTS
_WITHHELD: Final = frozenset(_AGENTS | _HINTS)
"""Headers that pass only if they are named, although one of the prefixes matches them."""

_CLAUDE_PREFIXES: Final = (b"anthropic-", b"x-stainless-", b"x-claude-code-", b"x-claude-remote-")
"""Anthropic's contract for gateways: unknown headers of these kinds are forwarded. Source: LLM gateway protocol."""

_REQUEST_PREFIXES: Final[Mapping[Wire, tuple[bytes, ...]]] = {
    Wire.ANTHROPIC: _CLAUDE_PREFIXES,
    Wire.BEDROCK: (*_CLAUDE_PREFIXES, b"x-amzn-bedrock-"),
    Wire.VERTEX: _CLAUDE_PREFIXES,
    Wire.OPENAI: (b"x-stainless-",),
}
_RESPONSE: Final = frozenset(
    _named(
        "content-type content-encoding cache-control retry-after retry-after-ms x-should-retry x-token-count "
        "openai-model openai-processing-ms openai-version x-amzn-requestid x-amzn-errortype"
    )
)
_RESPONSE_PREFIXES: Final = (b"anthropic-", b"x-ratelimit-", b"x-amzn-bedrock-")
_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_BAD_VALUE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_REQUEST_IDS: Final = frozenset({b"request-id", b"x-request-id", b"x-amzn-requestid"})
_REQUEST_ID: Final = re.compile(rb"[!-~]{1,128}")

_LOGIN: Final = HEADER_LOGIN.encode()
"""Says whose Claude Code answers; only the gateway sets it, whatever a client sends."""

Withheld = Callable[[bytes], bool]
"""Whether a header's value contains something that no upstream may see."""


def request_headers(
    client: Headers,
    *,
    wire: Wire,
    login: Headers = (),
    withheld: Withheld,
    always: Iterable[tuple[str, str]],
    missing: Iterable[tuple[str, str]],
    hints: bool = False,
) -> CIMultiDict[str]:
    """Return the headers for an upstream: the client's that ``wire`` knows, in their order, then the gateway's.

    ``client`` has lower-case names. ``login`` is the client's own login at the upstream. ``withheld`` checks headers
    that pass only by a prefix, because their content is unknown. Each of ``always`` replaces the client's header of
    that name; each of ``missing`` is used only where the client sent none. ``hints``: the upstream is Anthropic itself,
    which may learn what Claude Code says of its agents for a gateway.
    """
    known, prefixes = _TO_ANTHROPIC if hints else _REQUEST[wire], _REQUEST_PREFIXES[wire]
    named = _named_by_connection(client)
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in client:
        text = known.get(name)
        if text is None:
            if not name.startswith(prefixes) or name in _WITHHELD or name == _LOGIN or withheld(value):
                continue
            text = name.decode("latin-1")
        if name not in named:
            headers.add(text, text_of(value))
    for name, value in login:
        headers.add(name.decode("latin-1"), text_of(value))
    for key, text in always:
        headers[key] = text
    for key, text in missing:
        headers.setdefault(key, text)
    return headers


def response_headers(upstream: Headers, *, request_id: str, length: int | None) -> list[tuple[bytes, bytes]]:
    """Return the headers for the client; ``length`` is that of the body, if it is known.

    The answer's id is sent under both names, Anthropic's and OpenAI's: the SDKs look for one or the other.
    """
    lowered = [(name.lower(), value) for name, value in upstream]
    named = _named_by_connection(lowered)
    headers = [
        (name, value)
        for name, value in lowered
        if (name in _RESPONSE or (name.startswith(_RESPONSE_PREFIXES) and _NAME.fullmatch(name)))
        and name not in named
        and not _BAD_VALUE.search(value)
    ]
    ident = request_id.encode()
    headers += ((b"request-id", ident), (b"x-request-id", ident))
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    return headers


def upstream_request_id(upstream: Headers) -> str | None:
    """Return the upstream's id of its answer, by which its support can find it."""
    for name, value in upstream:
        if name.lower() in _REQUEST_IDS and _REQUEST_ID.fullmatch(value):
            return value.decode()
    return None


def _named_by_connection(headers: Headers) -> frozenset[bytes]:
    """Headers that ``connection`` declares to be for one hop only."""
    for name, value in headers:
        if name == b"connection":
            return frozenset(token.strip().lower() for token in value.split(b","))
    return frozenset()


def text_of(value: bytes) -> str:
    """Return the header text that the client library writes as the same bytes: it encodes UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
