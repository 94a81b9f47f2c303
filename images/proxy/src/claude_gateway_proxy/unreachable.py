"""Why an upstream could not be reached: one word for metrics, a phrase for people, the details for the log.

Both lanes use it. The details never contain a library's full text: that of a proxy's error holds the proxy's password.
"""

import socket
import ssl
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import aiohttp

_CHAIN_LIMIT: Final = 16
_DETAIL_LIMIT: Final = 300
"""Characters of the details that the log shows."""


class Obstacle(StrEnum):
    """The bounded label ``reason``."""

    REFUSED = "refused"
    DNS = "dns"
    CERTIFICATE = "certificate"
    TLS = "tls"
    PLAIN_HTTP = "plain_http"
    PROXY = "proxy"
    ADDRESS = "address"
    TIMEOUT = "timeout"
    CLOSED = "closed"
    BROKEN = "broken"
    WORKER = "worker"
    OTHER = "other"


PHRASES: Final = {
    Obstacle.REFUSED: "it refused the connection",
    Obstacle.DNS: "its host name is unknown",
    Obstacle.CERTIFICATE: "its certificate is not trusted",
    Obstacle.TLS: "its port does not speak TLS, but the base URL begins with https",
    Obstacle.PLAIN_HTTP: "its port does not speak plain HTTP, but the base URL begins with http",
    Obstacle.PROXY: "the proxy on the way did not connect to it",
    Obstacle.ADDRESS: "its address is not allowed",
    Obstacle.TIMEOUT: "it did not accept the connection in time",
    Obstacle.CLOSED: "it closed the connection without an answer",
    Obstacle.BROKEN: "it broke off its answer",
    Obstacle.WORKER: "the LiteLLM worker is not running",
    Obstacle.OTHER: "the network reported an error",
}
"""What happened, as the end of a sentence about the upstream. It names no host: clients read it."""

# Names of classes: LiteLLM's chain holds exceptions of httpx, httpcore and aiohttp alike.
_PROXY: Final = frozenset({"ClientProxyConnectionError", "ClientHttpProxyError", "ProxyError"})
_TIMEOUTS: Final = frozenset({"ConnectionTimeoutError", "ConnectTimeout"})
_CLOSED: Final = frozenset({"ServerDisconnectedError"})
_BROKEN: Final = frozenset({"AnswerBroken", "ClientPayloadError", "ReadError", "WriteError", "RemoteProtocolError"})
_NOT_HTTP: Final = frozenset({"BadStatusLine", "BadHttpMessage", "NotHttp"})
_PLAIN_HTTP: Final = (
    b"plain HTTP request was sent to HTTPS port",  # nginx
    b"HTTP request to an HTTPS server",  # Go
    b"speaking plain HTTP to an SSL-enabled server port",  # Apache
)
_HEAD: Final = 4096


class AnswerBroken(OSError):  # noqa: N818 - named as what happened
    """An upstream broke off its answer, or broke the protocol in the middle of it."""

    def __init__(self, what: str) -> None:
        super().__init__(0, what)


class Unreachable(Exception):  # noqa: N818 - what a lane reports, not a bug
    """No answer came from an upstream, because of ``obstacle``; ``detail`` is for the log and holds no secret."""

    def __init__(self, obstacle: Obstacle, detail: str = "") -> None:
        super().__init__(detail)
        self.obstacle = obstacle
        self.detail = detail


def explain(error: BaseException) -> Unreachable:
    """Return why a request got no answer, from the exception and those behind it."""
    chain = list(_chain(error))
    return Unreachable(_obstacle(chain), _detail(chain))


def wants_tls(body: bytes) -> bool:
    """Whether the body of a 400 says that plain HTTP was sent to a port for TLS."""
    head = body[:_HEAD]
    return any(words in head for words in _PLAIN_HTTP)


def _chain(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    for _ in range(_CHAIN_LIMIT):
        if found is None:
            return
        yield found
        inner = getattr(found, "os_error", None) or getattr(found, "certificate_error", None)
        found = inner if isinstance(inner, BaseException) else found.__cause__ or found.__context__


def _obstacle(chain: list[BaseException]) -> Obstacle:
    names = {type(each).__name__ for each in chain}
    # aiohttp's only error about the kind of proxy is a ValueError with these words.
    if names & _PROXY or any(isinstance(each, ValueError) and "proxies are supported" in str(each) for each in chain):
        return Obstacle.PROXY
    for each in chain:
        found = _of_one(each)
        if found is not None:
            return found
    for known, obstacle in (
        (_TIMEOUTS, Obstacle.TIMEOUT),
        (_NOT_HTTP, Obstacle.PLAIN_HTTP),
        (_CLOSED, Obstacle.CLOSED),
    ):
        if names & known:
            return obstacle
    if any(isinstance(each, ConnectionError) for each in chain):
        return Obstacle.CLOSED
    return Obstacle.BROKEN if names & _BROKEN else Obstacle.OTHER


def _of_one(error: BaseException) -> Obstacle | None:
    match error:
        case ssl.SSLCertVerificationError() | ssl.CertificateError():
            return Obstacle.CERTIFICATE
        case ssl.SSLError():
            return Obstacle.TLS
        case socket.gaierror():
            return Obstacle.DNS
        case ConnectionRefusedError():
            return Obstacle.REFUSED
    return None


def _detail(chain: list[BaseException]) -> str:
    """The innermost exception that says something, in words that come from the system and from OpenSSL only."""
    for each in reversed(chain):
        kind = type(each).__name__
        if isinstance(each, ssl.SSLCertVerificationError):
            return f"{kind}: {each.verify_message}"[:_DETAIL_LIMIT]
        if isinstance(each, aiohttp.ClientHttpProxyError):
            return f"{kind}: the proxy answered {each.status}"
        if isinstance(each, OSError) and each.strerror:
            return f"{kind}: {each.strerror}"[:_DETAIL_LIMIT]
    return type(chain[-1]).__name__
