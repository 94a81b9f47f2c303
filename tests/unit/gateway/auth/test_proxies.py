"""Which proxies may pass the certificates of their clients, and what becomes of the header from everybody else."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.builders.certificates import Authority

from claude_gateway_proxy.gateway.auth.presented import Form, Presented, presented
from claude_gateway_proxy.gateway.auth.proxies import HEADERS, Proxies, checked_network
from claude_gateway_proxy.gateway.auth.proxy_secret import ProxySecret
from claude_gateway_runtime.asgi import PEER_CERTIFICATE, Message, Receive, Scope, Send

_SECRET = "a-secret-of-the-ingress"
_OWN = Authority().issue().der
_OTHERS = [(b"host", b"x"), (b"x-api-key", b"k")]


class Inner:
    """An application that remembers what reached it."""

    draining = True

    def __init__(self) -> None:
        self.scope: Scope = {}

    async def __call__(self, scope: Scope, _receive: Receive, _send: Send) -> None:
        self.scope = scope


async def _receive() -> Message:
    return {}


async def _send(_message: Message) -> None:
    pass


async def reached(
    *headers: tuple[str, str],
    form: str = "rfc9440",
    networks: tuple[str, ...] = ("10.1.0.0/16", "fd00::/8"),
    secret: ProxySecret | None = None,
    client: Any = ("10.1.2.3", 4711),
    own: bytes | None = None,
) -> Scope:
    """What an application gets to see of a request."""
    inner = Inner()
    sent = [*_OTHERS, *((name.encode(), value.encode()) for name, value in headers)]
    scope: Scope = {"client": client, "headers": sent, **({} if own is None else {PEER_CERTIFICATE: own})}
    proxies = Proxies(inner, header=HEADERS[form], networks=networks, secret=secret)
    assert proxies.draining
    await proxies(scope, _receive, _send)
    return inner.scope


@pytest.fixture
def secret(tmp_path: Path) -> ProxySecret:
    file = tmp_path / "secret"
    file.write_text(f"{_SECRET}\n")
    return ProxySecret(file)


async def test_a_listed_proxy_presents_its_clients_certificate() -> None:
    scope = await reached(("client-cert", ":QUJD:"))
    assert presented(scope) == Presented(Form.RFC9440, b":QUJD:")
    assert scope["headers"] == _OTHERS


@pytest.mark.parametrize("host", ["10.1.255.255", "::ffff:10.1.0.1", "fd12::1"])
async def test_addresses_within_the_networks(host: str) -> None:
    assert presented(await reached(("client-cert", ":QUJD:"), client=(host, 1))) is not None


@pytest.mark.parametrize("client", [("10.2.0.1", 1), ("::1", 1), ("fe80::1%eth0", 1), ("", 0), ("x", 1), None])
async def test_the_header_of_everybody_else_is_dropped(client: Any) -> None:
    scope = await reached(("client-cert", ":QUJD:"), client=client)
    assert presented(scope) is None
    assert scope["headers"] == _OTHERS


async def test_the_certificate_of_the_connection_counts_from_everybody_but_a_proxy() -> None:
    stranger = await reached(("client-cert", ":QUJD:"), client=("10.2.0.1", 1), own=_OWN)
    assert presented(stranger) == Presented(Form.DER, _OWN)
    assert presented(await reached(own=_OWN)) is None, "it is the proxy's own, and not its client's"
    assert presented(await reached(("client-cert", ":QUJD:"), own=_OWN)) == Presented(Form.RFC9440, b":QUJD:")


async def test_a_secret_proves_a_proxy_anywhere(secret: ProxySecret) -> None:
    sent = (("client-cert", ":QUJD:"), ("x-gateway-proxy-secret", _SECRET))
    scope = await reached(*sent, networks=(), secret=secret, client=("203.0.113.7", 1))
    assert presented(scope) == Presented(Form.RFC9440, b":QUJD:")
    assert scope["headers"] == _OTHERS, "the secret goes no further"


@pytest.mark.parametrize("shown", [(), ("",), ("wrong-secret-of-somebody",), (_SECRET, _SECRET), (_SECRET, "x")])
async def test_a_wrong_secret_proves_nothing(secret: ProxySecret, shown: tuple[str, ...]) -> None:
    sent = [("client-cert", ":QUJD:"), *(("x-gateway-proxy-secret", each) for each in shown)]
    scope = await reached(*sent, networks=(), secret=secret)
    assert (presented(scope), scope["headers"]) == (None, _OTHERS)


async def test_with_both_a_proxy_needs_both(secret: ProxySecret) -> None:
    certificate, proof = ("client-cert", ":QUJD:"), ("x-gateway-proxy-secret", _SECRET)
    assert presented(await reached(certificate, proof, secret=secret)) is not None
    assert presented(await reached(certificate, secret=secret)) is None
    assert presented(await reached(certificate, proof, secret=secret, client=("10.2.0.1", 1))) is None


async def test_a_header_that_comes_twice_identifies_nobody() -> None:
    found = presented(await reached(("client-cert", ":QUJD:"), ("client-cert", ":QUJE:")))
    assert found is not None
    with pytest.raises(ValueError, match="more than once"):
        found.read()


@pytest.mark.parametrize("name", ["client_cert", "x-client-cert", "client-cert-chain", "ssl-client-cert"])
async def test_another_name_is_not_the_header(name: str) -> None:
    scope = await reached((name, ":QUJD:"))
    assert presented(scope) is None
    assert scope["headers"] == [*_OTHERS, (name.encode(), b":QUJD:")]


@pytest.mark.parametrize(
    ("verified", "usable"),
    [
        (("SUCCESS",), True),
        (("NONE",), False),
        (("FAILED:self-signed certificate",), False),
        (("success",), False),
        (("SUCCESS", "SUCCESS"), False),
        (("SUCCESS, NONE",), False),
        ((), False),
    ],
)
async def test_nginx_says_whether_it_verified_the_certificate(verified: tuple[str, ...], usable: bool) -> None:
    sent = [("ssl-client-cert", "x"), *(("ssl-client-verify", each) for each in verified)]
    scope = await reached(*sent, form="nginx")
    assert (presented(scope) is not None) == usable
    assert scope["headers"] == _OTHERS


@pytest.mark.parametrize("value", ["", " ", "\t"])
async def test_an_empty_header_is_no_certificate(value: str) -> None:
    assert presented(await reached(("client-cert", value))) is None


async def test_a_proxy_without_a_certificate_of_its_client_presents_none() -> None:
    scope = await reached()
    assert (presented(scope), scope["headers"]) == (None, _OTHERS)


def test_somebody_must_be_trusted() -> None:
    with pytest.raises(ValueError, match="no setting says"):
        Proxies(Inner(), header=HEADERS["xfcc"], networks=(), secret=None)


def test_networks_are_written_without_host_bits() -> None:
    assert [checked_network(text) for text in ("10.0.0.0/8", "10.1.2.3", "fd00::/8")]
    for text in ("10.1.2.3/8", "localhost", "", "10.0.0.0/33"):
        with pytest.raises(ValueError, match="without host bits"):
            checked_network(text)


def test_a_secret_is_rotated_in_its_file(tmp_path: Path) -> None:
    file, now = tmp_path / "secret", 0.0
    file.write_text(_SECRET)
    found = ProxySecret(file, clock=lambda: now)
    file.write_text(f"{_SECRET}\r\n\nanother-secret-of-the-ingress\n")
    assert [found.matches(each) for each in (_SECRET.encode(), b"another-secret-of-the-ingress", b"")] == [1, 0, 0]
    now = 2.0
    assert [found.matches(each) for each in (_SECRET.encode(), b"another-secret-of-the-ingress", b"")] == [1, 1, 0]
    file.write_text("short")
    now = 4.0
    assert found.matches(_SECRET.encode()), "the file cannot be used: the one before is"
    file.write_text("another-secret-of-the-ingress")
    now = 6.0
    assert [found.matches(each) for each in (_SECRET.encode(), b"another-secret-of-the-ingress")] == [0, 1]


@pytest.mark.parametrize("content", ["", "\n\n", "short", f"{_SECRET}\nshort", f"{_SECRET}\n" * 5])
def test_a_file_without_a_good_secret_is_an_error_that_does_not_repeat_it(tmp_path: Path, content: str) -> None:
    file = tmp_path / "secret"
    file.write_text(content)
    with pytest.raises(OSError, match="at least 16 characters") as caught:
        ProxySecret(file)
    assert _SECRET not in str(caught.value)
    with pytest.raises(FileNotFoundError):
        ProxySecret(tmp_path / "none")
