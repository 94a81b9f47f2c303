"""How the client for upstreams connects: TLS, HTTP proxies, and networks that go dead."""

import asyncio
import contextlib
import ssl
from pathlib import Path

import pytest
from tests.support.builders.certificates import self_signed
from tests.support.processes.byte_server import OK, ByteServer, answering, ask, request, server, upstreams, whole
from yarl import URL

from claude_gateway_proxy.gateway.upstream.http import client
from claude_gateway_proxy.unreachable import AnswerBroken, Obstacle, Unreachable, explain
from claude_gateway_runtime import keepalive


async def test_a_certificate_that_nobody_trusts_is_the_reason(tmp_path: Path) -> None:
    async with _tls_server(tmp_path) as up, upstreams() as of:
        with pytest.raises(OSError, match="connection failed") as raised:
            await ask(of, up.url)
        assert explain(raised.value).obstacle is Obstacle.CERTIFICATE


async def test_a_port_without_tls_is_the_reason() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with server(serve) as up, upstreams() as of:
        with pytest.raises(OSError, match="connection failed") as raised:
            await ask(of, up.url.replace("http:", "https:"))
        assert explain(raised.value).obstacle is Obstacle.TLS


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "the proxy answered 407"),
        (b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", "the proxy answered 502"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "did not answer with HTTP"),
        (b"", "closed the connection"),
    ],
)
async def test_a_proxy_that_makes_no_tunnel_is_the_reason(
    answer: bytes, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        writer.close()

    async with server(serve) as proxy:
        _use_proxy(monkeypatch, f"http://user:pa%20ss@{URL(proxy.url).authority}")
        async with upstreams() as of:
            with pytest.raises(OSError, match=r"proxy") as raised:
                await ask(of, "https://model.example/v1/x")
    why = explain(raised.value)
    assert (why.obstacle, words in why.detail, "pa" in why.detail) == (Obstacle.PROXY, True, False)
    assert seen == [
        b"CONNECT model.example:443 HTTP/1.1\r\nhost: model.example:443\r\n"
        b"proxy-authorization: Basic dXNlcjpwYSBzcw==\r\n\r\n"
    ]


async def test_tls_goes_through_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with _tls_server(tmp_path) as up:
        port = URL(up.url).port

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            there, back = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

            async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
                while data := await source.read(65536):
                    sink.write(data)
                sink.close()

            await asyncio.gather(copy(reader, back), copy(there, writer))

        async with server(serve) as proxy:
            _use_proxy(monkeypatch, f"http://{URL(proxy.url).authority}")
            monkeypatch.setattr(
                "claude_gateway_proxy.gateway.upstream.session._trust",
                lambda: ssl.create_default_context(cafile=str(tmp_path / "upstream.pem")),
            )
            async with upstreams() as of:
                for _ in range(2):
                    assert await whole(await ask(of, "https://model.example/v1/x")) == b"ok"
            assert (proxy.connections, up.connections) == (1, 1)


async def test_another_kind_of_proxy_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    _use_proxy(monkeypatch, "socks5://user:secret@127.0.0.1:1")
    async with upstreams() as of:
        with pytest.raises(Unreachable) as raised:
            await ask(of, "https://model.example/v1/x")
    assert (raised.value.obstacle, "secret" in raised.value.detail) == (Obstacle.PROXY, False)


def _use_proxy(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY", "http_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", url)


def _tls_server(folder: Path) -> contextlib.AbstractAsyncContextManager[ByteServer]:
    """Run a server whose certificate is in ``upstream.pem``."""
    pem = folder / "upstream.pem"
    pem.write_bytes(b"".join(self_signed("model.example")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return server(answering(OK), context=context)


async def test_a_kept_connection_is_probed_within_seconds() -> None:
    """A network that is gone says nothing: without probes a kept connection looks well for two hours."""
    async with server(answering(OK)) as there, upstreams() as ours:
        await whole(await ask(ours, there.url))
        seconds = _until_the_first_probe(URL(there.url).port)
        assert seconds is not None, "no probe is due on the kept connection"
        assert seconds <= 15


def _until_the_first_probe(port: int | None) -> float | None:
    """Seconds until the system probes our connection to a port (proc(5), /proc/net/tcp); None: it does not."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, _, remote, state, _, timer, *_ = line.split()
        if state == "01" and int(remote.rpartition(":")[2], 16) == port:
            kind, _, jiffies = timer.partition(":")
            return int(jiffies, 16) / 100 if kind == "02" else None
    return None


@pytest.mark.parametrize("begun", [False, True], ids=["before the head", "in the body"])
async def test_an_upstream_that_no_longer_hears_is_given_up(begun: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # As if the system had waited long enough.
    monkeypatch.setattr(keepalive, "_SENT_AGAIN", 0)
    monkeypatch.setattr(keepalive, "_SILENT_MS", 0)
    monkeypatch.setattr(client, "CHECK_SECONDS", 0.1)
    asked = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        if begun:
            writer.write(OK[:-1])
        asked.set()

    async with server(serve) as made, upstreams() as ours:
        if begun:
            with pytest.raises(AnswerBroken):
                await whole(await ask(ours, made.url))
        else:
            with pytest.raises(TimeoutError, match="no longer answers"):
                await ask(ours, made.url)
        assert asked.is_set()
