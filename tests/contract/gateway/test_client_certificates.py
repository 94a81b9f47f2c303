"""Client certificates over real sockets: verified in the gateway's own handshake, or passed by a proxy in front."""

import http.client
import json
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.contract.gateway.test_tls import address, certify, ec_key, put
from tests.support.builders.bundles import bundle, route, target
from tests.support.builders.certificates import Authority, Issued, email, uri
from tests.support.processes.lone_gateway import LoneGateway, Reply, reply
from tests.support.processes.waiting import until

from claude_gateway.contract.bundle import Bundle
from claude_gateway.contract.certificate_name import CertificateName, NameKind
from claude_gateway.contract.client import Client
from claude_gateway.names import CERTIFICATE_KEY
from claude_gateway_scripted.local import Scripted

_ID = "spiffe://example.org/ns/team-a/sa/ci"
_KEY = "cgw_test-key-of-bob-0123456789ab"
_SECRET = "a-secret-of-the-ingress"
_BODY = {"model": "claude-mine", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
_DEV = Client(
    name="ns/dev",
    certificates=(
        CertificateName(kind=NameKind.URI, value="spiffe://example.org/ns/team-a/*"),
        CertificateName(kind=NameKind.EMAIL, value="alice@example.com"),
    ),
)


def served(upstream: str = "http://127.0.0.1:1", *clients: Client) -> Bundle:
    routes = [route("claude-mine", targets=[target(base_url=upstream)])]
    return bundle(routes, clients=(*(clients or (_DEV,)), Client(name="ns/bob")), keys={_KEY: "ns/bob"})


class Door:
    """A gateway with HTTPS that trusts the authorities in a file."""

    def __init__(self, folder: Path, *authorities: bytes) -> None:
        self.authorities = put(folder / "ca.pem", b"".join(authorities))
        self._cert, self._key = certify(folder, "gateway", ec_key())
        self._folder = folder
        self._connections: list[http.client.HTTPSConnection] = []

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections:
            connection.close()

    def gateway(self, config: Bundle, **settings: object) -> LoneGateway:
        return LoneGateway(
            config, tls_cert_file=self._cert, tls_key_file=self._key, tls_client_ca_file=self.authorities, **settings
        )

    def trust(self, gateway: LoneGateway, *authorities: bytes) -> None:
        """Replace the authorities, and wait until the gateway has them."""
        before = len(gateway.process.lines("certificate_loaded"))
        put(self.authorities, b"".join(authorities))
        until(lambda: len(gateway.process.lines("certificate_loaded")) > before, what="the authorities")

    def connect(
        self, gateway: LoneGateway, shown: Issued | None, *, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ) -> http.client.HTTPSConnection:
        context = self.context(shown, version)
        self._connections.append(http.client.HTTPSConnection(*address(gateway), context=context, timeout=30))
        return self._connections[-1]

    def context(self, shown: Issued | None, version: ssl.TLSVersion) -> ssl.SSLContext:
        """What a client with this certificate uses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        if shown is not None:
            context.load_cert_chain(*shown.files(self._folder))
        return context


def ask(connection: http.client.HTTPConnection, headers: Mapping[str, str] | None = None) -> Reply:
    connection.request("GET", "/v1/models", headers=dict(headers or {}))
    return reply(connection.getresponse())


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def upstream() -> Iterator[Scripted]:
    with Scripted() as running:
        yield running


@pytest.fixture(scope="module")
def steady(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority, upstream: Scripted
) -> Iterator[tuple[Door, LoneGateway]]:
    """A gateway whose files stay as they are."""
    with (
        closing(Door(tmp_path_factory.mktemp("steady"), authority.pem)) as door,
        door.gateway(served(upstream.url)) as gateway,
    ):
        yield door, gateway


@pytest.fixture(scope="module")
def behind(authority: Authority) -> Iterator[tuple[LoneGateway, str]]:
    """A gateway that trusts a proxy on this host, and a header with which that identifies a client."""
    der = re.sub(r"-----[^-]+-----|\s", "", authority.issue(uri(_ID)).pem.decode())
    with LoneGateway(served(), client_cert_format="rfc9440", client_cert_networks="127.0.0.1") as gateway:
        yield gateway, f":{der}:"


@pytest.fixture
def door(tmp_path: Path, authority: Authority) -> Iterator[Door]:
    with closing(Door(tmp_path, authority.pem)) as found:
        yield found


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_verified_certificate_identifies_its_client(
    steady: tuple[Door, LoneGateway], authority: Authority, version: ssl.TLSVersion
) -> None:
    door, gateway = steady
    connection = door.connect(gateway, authority.issue(email("alice@EXAMPLE.com")), version=version)
    connection.request("POST", "/v1/messages", body=json.dumps(_BODY))
    answer = reply(connection.getresponse())
    assert (answer.status, answer.headers["x-gateway-client"]) == (200, "ns/dev")
    assert ask(connection).status == 200
    line = gateway.requests(count=1, proof="certificate")[-1]
    assert (line["client"], line["user"]) == ("ns/dev", "alice@example.com")
    assert 'claude_gateway_callers_total{proof="certificate"}' in gateway.internal("/metrics").decode()


@pytest.mark.parametrize("path", ["/v1/models", "/v1/usage", "/inference-profiles"])
def test_it_does_so_on_every_path(steady: tuple[Door, LoneGateway], authority: Authority, path: str) -> None:
    door, gateway = steady
    for shown, status in ((authority.issue(uri(_ID)), 200), (authority.issue(uri("spiffe://x/y")), 401)):
        connection = door.connect(gateway, shown)
        connection.request("GET", path)
        assert reply(connection.getresponse()).status == status


def test_without_a_certificate_other_proofs_count(steady: tuple[Door, LoneGateway]) -> None:
    door, gateway = steady
    assert ask(door.connect(gateway, None), {"x-api-key": _KEY}).status == 200
    answer = ask(door.connect(gateway, None))
    assert (answer.status, answer.headers["x-should-retry"]) == (401, "false")


@pytest.mark.parametrize(
    ("key", "status", "client"),
    [(_KEY, 200, "ns/bob"), (CERTIFICATE_KEY, 200, "ns/dev"), ("cgw_unknown-0123456789abcdef", 401, None)],
)
def test_a_key_beside_a_certificate_goes_first(
    steady: tuple[Door, LoneGateway], authority: Authority, key: str, status: int, client: str | None
) -> None:
    door, gateway = steady
    connection = door.connect(gateway, authority.issue(uri(_ID)))
    connection.request("POST", "/v1/messages", body=json.dumps(_BODY), headers={"authorization": f"Bearer {key}"})
    answer = reply(connection.getresponse())
    assert (answer.status, answer.headers.get("x-gateway-client")) == (status, client)


def test_a_certificate_of_nobody_is_refused_with_words_that_help(
    steady: tuple[Door, LoneGateway], authority: Authority
) -> None:
    door, gateway = steady
    answer = ask(door.connect(gateway, authority.issue(email("eve@example.com"))), {"anthropic-version": "x"})
    assert (answer.status, answer.headers["x-should-retry"]) == (401, "false")
    assert "no GatewayClient lists a name of it" in answer.json["error"]["message"]
    assert "eve@example.com" not in gateway.process.log.read_text()


def _refused(door: Door, gateway: LoneGateway, shown: Issued, version: ssl.TLSVersion) -> bool:
    try:
        ask(door.connect(gateway, shown, version=version))
    except (ssl.SSLError, ConnectionError, http.client.BadStatusLine):
        return True
    return False


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_an_invalid_certificate_fails_the_handshake(
    steady: tuple[Door, LoneGateway], authority: Authority, version: ssl.TLSVersion
) -> None:
    door, gateway = steady
    invalid = {
        "expired": authority.issue(uri(_ID), days=(-2, -1)),
        "not yet valid": authority.issue(uri(_ID), days=(1, 2)),
        "of another authority": Authority().issue(uri(_ID)),
        "of another authority with the same name": Authority("clients").issue(uri(_ID)),
        "of a server": authority.issue(uri(_ID), usage=ExtendedKeyUsageOID.SERVER_AUTH),
        "of a client's own making": Authority(parent=authority).issue(uri(_ID)),
    }
    accepted = [name for name, shown in invalid.items() if not _refused(door, gateway, shown, version)]
    assert accepted == []
    assert not _refused(door, gateway, authority.issue(uri(_ID)), version)


def test_an_intermediate_authority_may_be_trusted_alone(tmp_path: Path, authority: Authority) -> None:
    ours = Authority("ours", parent=authority)
    with closing(Door(tmp_path, ours.pem)) as door, door.gateway(served()) as gateway:
        assert ask(door.connect(gateway, ours.issue(uri(_ID)))).status == 200
        assert _refused(door, gateway, authority.issue(uri(_ID)), ssl.TLSVersion.TLSv1_3)


def test_a_revoked_certificate_fails_once_the_list_is_there(door: Door, authority: Authority) -> None:
    stolen, kept = authority.issue(uri(_ID)), authority.issue(uri(_ID))
    with door.gateway(served()) as gateway:
        assert not _refused(door, gateway, stolen, ssl.TLSVersion.TLSv1_3)
        door.trust(gateway, authority.pem, authority.revocations(stolen))
        assert _refused(door, gateway, stolen, ssl.TLSVersion.TLSv1_3)
        assert not _refused(door, gateway, kept, ssl.TLSVersion.TLSv1_3)


def test_an_authority_that_is_trusted_no_more_ends_its_connections(door: Door, authority: Authority) -> None:
    other = Authority("others")
    with door.gateway(served()) as gateway:
        idle = door.connect(gateway, authority.issue(uri(_ID)))
        assert ask(idle).status == 200
        door.trust(gateway, other.pem)
        until(lambda: _is_closed(idle), what="the end of the idle connection")
        assert _refused(door, gateway, authority.issue(uri(_ID)), ssl.TLSVersion.TLSv1_3)
        assert ask(door.connect(gateway, other.issue(uri(_ID)))).status == 200


def _is_closed(connection: http.client.HTTPConnection) -> bool:
    connection.sock.settimeout(0.2)
    try:
        return connection.sock.recv(1) == b""
    except TimeoutError:
        return False
    except (ssl.SSLError, ConnectionError):
        return True


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_session_outlives_the_trust_in_its_authority(
    door: Door, authority: Authority, version: ssl.TLSVersion
) -> None:
    context = door.context(authority.issue(uri(_ID)), version)

    def ask_again(gateway: LoneGateway, session: ssl.SSLSession | None) -> tuple[bool, bytes, ssl.SSLSession | None]:
        plain = socket.create_connection(address(gateway), timeout=30)
        with plain, context.wrap_socket(plain, session=session) as tls:
            tls.sendall(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            status = tls.recv(4096)[9:12]
            return bool(tls.session_reused), status, tls.session

    with door.gateway(served()) as gateway:
        _, _, session = ask_again(gateway, None)
        assert ask_again(gateway, session)[:2] == (True, b"200"), "sessions are resumed at all"
        door.trust(gateway, Authority().pem)
        try:
            after = ask_again(gateway, session)[1]
        except (ssl.SSLError, ConnectionError):
            after = b""
        assert after != b"200"


def _were_refused(gateway: LoneGateway, times: int) -> bool:
    return len(gateway.process.lines("certificate_refused")) == times


def test_broken_authorities_are_not_taken(door: Door, authority: Authority) -> None:
    with door.gateway(served()) as gateway:
        for number, broken in enumerate((b"", b"nonsense", authority.issue().pem), start=1):
            put(door.authorities, broken)
            until(partial(_were_refused, gateway, number), what="the refusal")
            assert ask(door.connect(gateway, authority.issue(uri(_ID)))).status == 200
    put(door.authorities, b"nonsense")
    gateway = door.gateway(served())
    try:
        assert gateway.process.wait() == 1
        assert "ca.pem" in gateway.event("start_failed")["error"]
    finally:
        gateway.close()


def escaped(issued: Issued) -> str:
    return quote(issued.pem.decode(), safe="")


def test_a_listed_proxy_passes_certificates_and_nobody_else_does(authority: Authority, upstream: Scripted) -> None:
    alice = authority.issue(uri(_ID))
    sent = {"ssl-client-cert": escaped(alice), "ssl-client-verify": "SUCCESS"}
    config = served(upstream.url)
    for networks, status in (("127.0.0.1/32", 200), ("10.0.0.0/8,::1", 401)):
        with LoneGateway(config, client_cert_format="nginx", client_cert_networks=networks) as gateway:
            answer = gateway.call("POST", "/v1/messages", body=_BODY, headers=sent)
            assert answer.status == status
            assert gateway.call("POST", "/v1/messages", body=_BODY, headers={**sent, "x-api-key": _KEY}).status == 200
    with LoneGateway(config) as gateway:
        assert gateway.call("POST", "/v1/messages", body=_BODY, headers=sent).status == 401
        assert "CLAUDE_GATEWAY_CLIENT_CERT_FORMAT" in gateway.event("no_certificates")["hint"]
    received = [name.lower() for request in upstream.requests for name in dict(request.headers)]
    assert [name for name in received if name.startswith(("ssl-", "x-gateway"))] == []


def test_the_secret_of_a_proxy_goes_nowhere(authority: Authority, upstream: Scripted, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(_SECRET)
    sent = {"x-forwarded-client-cert": f"Hash={'0' * 64};URI={_ID}", "x-gateway-proxy-secret": _SECRET}
    settings = {"client_cert_format": "xfcc", "client_cert_secret_file": file}
    with LoneGateway(served(upstream.url), **settings) as gateway:
        assert gateway.call("POST", "/v1/messages", body=_BODY, headers=sent).status == 200
        for wrong in ("", "wrong-secret-of-somebody"):
            refused = {**sent, "x-gateway-proxy-secret": wrong}
            assert gateway.call("POST", "/v1/messages", body=_BODY, headers=refused).status == 401
        assert _SECRET not in gateway.process.log.read_text()
        assert gateway.requests(count=1, proof="certificate")[0]["user"] == _ID
    assert _SECRET not in repr(upstream.requests)
    assert "forwarded-client-cert" not in repr(upstream.requests).lower()


@pytest.mark.parametrize(
    "head",
    [
        "Client-Cert: {}\r\nClient-Cert: {}\r\n",
        "Client-Cert: {}\r\nclient-cert: {}\r\n",
        "Client-Cert: {}, {}\r\n",
        "Client_Cert: {}\r\n",
        "X-Client-Cert: {}\r\n",
        "Client-Cert: x\r\n {}\r\n",
        "Client-Cert : {}\r\n",
        "Client-Cert: {}x\r\n",
        "Client-Cert:\x0b{}\r\n",
    ],
)
def test_headers_that_may_be_read_in_two_ways_identify_nobody(behind: tuple[LoneGateway, str], head: str) -> None:
    gateway, value = behind
    assert gateway.call("GET", "/v1/models", headers={"client-cert": value}).status == 200
    with gateway.dial() as connection:
        lines = head.replace("{}", value)
        connection.sendall(f"GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{lines}\r\n".encode())
        assert connection.recv(4096).split(b" ")[1] in (b"400", b"401")


def test_trailers_are_no_headers(behind: tuple[LoneGateway, str]) -> None:
    gateway, value = behind
    body = json.dumps(_BODY)
    with gateway.dial() as connection:
        connection.sendall(
            "POST /v1/messages HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntrailer: client-cert\r\n\r\n"
            f"{len(body):x}\r\n{body}\r\n0\r\nclient-cert: {value}\r\n\r\n".encode()
        )
        assert b" 401 " in connection.recv(4096)


def test_the_certificate_of_a_proxy_is_not_its_clients(door: Door, authority: Authority) -> None:
    ingress = authority.issue(uri(_ID))
    settings = {"client_cert_format": "xfcc", "client_cert_networks": "127.0.0.1"}
    with door.gateway(served(), **settings) as gateway:
        connection = door.connect(gateway, ingress)
        assert ask(connection).status == 401
        assert ask(connection, {"x-forwarded-client-cert": f"URI={_ID}"}).status == 200
