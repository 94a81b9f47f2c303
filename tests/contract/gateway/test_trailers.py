"""Trailers and other bytes around a body: they become no headers, and there are no more of them than of a head."""

import gzip
import json
import socket
import zlib
from collections.abc import Callable, Iterator

import brotli
import pytest
import zstandard
from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.lone_gateway import LoneGateway, read_answer

from claude_gateway.contract.client import Client
from claude_gateway_scripted.local import Scripted

KEY = "cgw_key-of-dev"
BODY = json.dumps({"model": "c", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}).encode()
_LIMIT = 2**20


@pytest.fixture(scope="module")
def upstream() -> Iterator[Scripted]:
    with Scripted() as scripted:
        yield scripted


@pytest.fixture(scope="module")
def gateway(upstream: Scripted) -> Iterator[LoneGateway]:
    policy = bundle(
        [route("c", targets=[target(base_url=upstream.url, model="*")])],
        clients=[Client(name="ns/dev")],
        keys={KEY: "ns/dev"},
    )
    with LoneGateway(policy, max_body_bytes=_LIMIT) as running:
        yield running


def chunked(*more: str, body: bytes = BODY, trailer: bytes = b"") -> bytes:
    """A request with a chunked body, further headers and a trailer."""
    lines = ("POST /v1/messages HTTP/1.1", "host: x", *more, "transfer-encoding: chunked", "", "")
    return "\r\n".join(lines).encode() + b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, trailer)


def sent(connection: socket.socket, part: bytes, *, most: int) -> int:
    """Send a part again and again until the other side closes; gives how many bytes it took."""
    size = 0
    try:
        while size < most:
            connection.sendall(part)
            size += len(part)
    except OSError:
        pass
    return size


def test_a_trailer_is_no_header(gateway: LoneGateway, upstream: Scripted) -> None:
    with gateway.dial() as connection:
        connection.sendall(chunked("authorization: Bearer nobody", trailer=f"x-gateway-key: {KEY}\r\n".encode()))
        assert read_answer(connection).status == 401
    with gateway.dial() as connection:
        for _ in range(2):  # the connection goes on behind them
            connection.sendall(chunked(f"x-api-key: {KEY}", trailer=b"anthropic-beta: of-a-trailer\r\nx-more: 1\r\n"))
            assert read_answer(connection).status == 200
    assert not [value for name, value in upstream.last.headers if "trailer" in f"{name}{value}"]


@pytest.mark.parametrize(
    "part",
    [
        b"".join(b"x-%d: %s\r\n" % (number, b"a" * 100) for number in range(100)),
        b"x" * 10_000,
        b"a: " + b"b" * 60_000 + b"\r\n",
    ],
    ids=["many", "one name", "long values"],
)
@pytest.mark.parametrize("key", ["", KEY])
def test_trailers_without_end_are_cut_off(gateway: LoneGateway, key: str, part: bytes) -> None:
    with gateway.dial() as connection:
        head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ntransfer-encoding: chunked\r\n\r\n"
        connection.sendall(head.encode() + b"%x\r\n%s\r\n0\r\n" % (len(BODY), BODY))
        assert sent(connection, part, most=50_000_000) < 20_000_000  # what lies in the sockets' buffers
    assert gateway.call("GET", "/healthz").status == 200


@pytest.mark.parametrize("part", [b"1;" + b"x" * 60_000 + b"\r\na\r\n", b"x" * 60_000], ids=["many", "one"])
def test_bytes_around_chunks_are_cut_off_like_those_of_a_head(gateway: LoneGateway, part: bytes) -> None:
    with gateway.dial() as connection:
        head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ntransfer-encoding: chunked\r\n\r\n"
        connection.sendall(head.encode() + (b"" if part.startswith(b"1;") else b"1;"))
        assert sent(connection, part, most=50_000_000) < 20_000_000


def test_small_chunks_of_a_large_body_are_taken(gateway: LoneGateway) -> None:
    body = BODY.ljust(200_000)
    with gateway.dial() as connection:
        connection.sendall(
            f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        )
        connection.sendall(b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")
        assert read_answer(connection).status == 200


@pytest.mark.parametrize(
    "lines",
    [
        ["transfer-encoding: gzip, chunked"],
        ["transfer-encoding: gzip", "transfer-encoding: chunked"],
        ["Transfer-Encoding: identity, chunked"],
    ],
)
def test_no_other_transfer_coding_is_taken(gateway: LoneGateway, upstream: Scripted, lines: list[str]) -> None:
    before = len(upstream.requests)
    head = "\r\n".join(("POST /v1/messages HTTP/1.1", "host: x", f"x-api-key: {KEY}", *lines, "", "")).encode()
    with gateway.dial() as connection:
        connection.sendall(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY))
        answer = read_answer(connection)
        assert connection.recv(1) == b""
    assert answer.status in (400, 501)
    assert len(upstream.requests) == before


def test_the_coding_of_a_chunked_body_may_be_written_in_any_case(gateway: LoneGateway) -> None:
    with gateway.dial() as connection:
        connection.sendall(chunked(f"x-api-key: {KEY}").replace(b"encoding: chunked", b"encoding: Chunked"))
        assert read_answer(connection).status == 200


def _raw_deflated(body: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(body) + stream.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(BODY)),
        ("GZIP", gzip.compress(BODY.ljust(_LIMIT))),
        ("x-gzip", gzip.compress(BODY)),
        ("deflate", zlib.compress(BODY.ljust(300_000))),
        ("deflate", _raw_deflated(BODY)),
        ("br", brotli.compress(BODY.ljust(300_000))),
        ("zstd", zstandard.compress(BODY.ljust(_LIMIT))),
        ("identity", BODY),
    ],
    ids=["gzip", "limit", "x-gzip", "zlib", "raw", "br", "zstd", "identity"],
)
def test_a_compressed_body_goes_on_plain(gateway: LoneGateway, upstream: Scripted, encoding: str, body: bytes) -> None:
    answer = gateway.call("POST", "/v1/messages", body=body, headers={"x-api-key": KEY, "content-encoding": encoding})
    assert answer.status == 200
    assert json.loads(upstream.last.body) == json.loads(BODY)
    if encoding != "identity":
        assert "content-encoding" not in dict(upstream.last.headers)


_COMPRESS = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstandard.compress}


@pytest.mark.parametrize("encoding", _COMPRESS)
@pytest.mark.parametrize(
    ("plain", "spoil", "status"),
    [
        (b" " * (_LIMIT + 1), lambda body: body, 413),
        (b" " * 100 * _LIMIT, lambda body: body, 413),
        (BODY, lambda body: body[:-9], 400),
        (BODY, lambda body: body + b"more", 400),
        (BODY, lambda _: b"not compressed", 400),
        (BODY, lambda _: b"", 400),
    ],
    ids=["a byte more", "bomb", "cut", "more", "plain", "empty"],
)
def test_a_compressed_body_has_the_limits_of_a_plain_one(
    gateway: LoneGateway, encoding: str, plain: bytes, spoil: Callable[[bytes], bytes], status: int
) -> None:
    body = spoil(_COMPRESS[encoding](plain))
    answer = gateway.call("POST", "/v1/messages", body=body, headers={"x-api-key": KEY, "content-encoding": encoding})
    assert answer.status == status
