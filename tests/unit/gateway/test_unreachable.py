"""Why an upstream could not be reached, from the exceptions of both lanes' HTTP clients."""

import errno
import socket
import ssl

import aiohttp
import httpx
import pytest
from aiohttp.client_reqrep import ConnectionKey

from claude_gateway_proxy.unreachable import PHRASES, Obstacle, explain, wants_tls

KEY = ConnectionKey("h", 443, True, True, None, None, None)
REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")


def _certificate() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


def _caused(outer: BaseException, inner: BaseException) -> BaseException:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "obstacle", "detail"),
    [
        (aiohttp.ClientConnectorError(KEY, REFUSED), Obstacle.REFUSED, "ConnectionRefusedError: Connect call failed"),
        (
            aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(-2, "Name or service not known")),
            Obstacle.DNS,
            "gaierror: Name or service not known",
        ),
        (
            aiohttp.ClientConnectorCertificateError(KEY, _certificate()),
            Obstacle.CERTIFICATE,
            "SSLCertVerificationError: self-signed certificate",
        ),
        (
            aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "wrong version number")),
            Obstacle.TLS,
            "SSLError: wrong version number",
        ),
        (
            aiohttp.ClientProxyConnectionError(KEY, REFUSED),
            Obstacle.PROXY,
            "ConnectionRefusedError: Connect call failed",
        ),
        (
            aiohttp.ClientHttpProxyError(None, (), status=407, message="http://user:password@proxy"),  # type: ignore[arg-type]
            Obstacle.PROXY,
            "ClientHttpProxyError: the proxy answered 407",
        ),
        (aiohttp.ConnectionTimeoutError(), Obstacle.TIMEOUT, "ConnectionTimeoutError"),
        (aiohttp.ServerDisconnectedError(), Obstacle.CLOSED, "ServerDisconnectedError"),
        (
            ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
            Obstacle.CLOSED,
            "ConnectionResetError: Connection reset by peer",
        ),
        (
            _caused(ValueError("answer"), aiohttp.http_exceptions.BadStatusLine("\x15\x03\x01")),
            Obstacle.PLAIN_HTTP,
            "BadStatusLine",
        ),
        (_caused(Exception("of LiteLLM"), httpx.ReadError("cut")), Obstacle.BROKEN, "ReadError"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), Obstacle.OTHER, "OSError: Network is unreachable"),
        (ValueError("anything"), Obstacle.OTHER, "ValueError"),
    ],
)
def test_the_obstacle_and_its_details(error: BaseException, obstacle: Obstacle, detail: str) -> None:
    found = explain(error)
    assert (found.obstacle, found.detail) == (obstacle, detail)


def test_the_innermost_exception_counts_through_a_chain_of_libraries() -> None:
    inner = aiohttp.ClientConnectorError(KEY, REFUSED)
    found = explain(_caused(Exception("litellm"), _caused(httpx.ConnectError("Connection error."), inner)))
    assert found.obstacle is Obstacle.REFUSED


def test_a_chain_without_an_end_is_read_in_part() -> None:
    first, second = Exception("a"), Exception("b")
    first.__cause__, second.__cause__ = second, first
    assert explain(first).obstacle is Obstacle.OTHER


def test_every_obstacle_has_a_phrase_that_names_no_host() -> None:
    assert set(PHRASES) == set(Obstacle)


def test_only_the_head_of_a_page_is_searched() -> None:
    words = b"Client sent an HTTP request to an HTTPS server."
    assert wants_tls(b"400: " + words)
    assert not wants_tls(b" " * 5000 + words)
