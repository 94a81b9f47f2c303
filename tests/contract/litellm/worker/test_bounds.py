"""What upstreams send without end: refused in words, and the worker's memory stays what it was."""

import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from tests.support.processes.worker import Worker, bundle, deployment

HELLO = [{"role": "user", "content": "hello"}]
BODIES: dict[str, dict[str, Any]] = {
    "/v1/messages": {"max_tokens": 50, "messages": HELLO},
    "/v1/chat/completions": {"messages": HELLO},
    "/v1/responses": {"input": "hello"},
}
PROVIDERS = ("hosted_vllm", "openai", "anthropic", "gemini")
MEGABYTE = b"a" * 1_000_000
GROWTH_MOST = 150_000_000


def plain(start: bytes, megabytes: int) -> Iterator[bytes]:
    yield start
    for _ in range(megabytes):
        yield MEGABYTE


def packed(start: bytes, megabytes: int) -> Iterator[bytes]:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    for part in plain(start, megabytes):
        yield packer.compress(part)
    yield packer.flush()


class Endless(ThreadingHTTPServer):
    """Answers everything with a status, headers and megabytes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), EndlessHandler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.status = 200
        self.headers: dict[str, str] = {}
        self.parts: Callable[[], Iterator[bytes]] = lambda: iter(())


class EndlessHandler(BaseHTTPRequestHandler):
    """Writes until the caller leaves."""

    def do_POST(self) -> None:
        assert isinstance(self.server, Endless)
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(self.server.status)
        for name, value in {**self.server.headers, "connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            for part in self.server.parts():
                self.wfile.write(part)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.fixture(scope="module")
def endless() -> Iterator[Endless]:
    with Endless() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def peak(worker: Worker) -> int:
    """The most memory that the worker has had, in bytes."""
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


@pytest.fixture
def bounded(worker: Worker, endless: Endless) -> Iterator[Worker]:
    """The worker with targets at the endless server, after a first answer of each."""
    worker.apply(bundle(*(deployment(f"endless-{name}", f"{name}/m", api_base=endless.url) for name in PROVIDERS)))
    endless.status, endless.headers, endless.parts = 500, {}, lambda: iter((b"no",))
    for provider in PROVIDERS:
        for path, body in BODIES.items():
            worker.post(path, f"endless-{provider}", body)
    before = peak(worker)
    yield worker
    assert peak(worker) < before + GROWTH_MOST


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("coding", ["gzip", ""])
def test_a_whole_answer_is_bounded(bounded: Worker, endless: Endless, provider: str, path: str, coding: str) -> None:
    endless.status, endless.headers = 200, {"content-type": "application/json", "content-encoding": coding}
    endless.parts = lambda: (packed if coding else plain)(b'{"id": "', 200)
    answer = bounded.post(path, f"endless-{provider}", BODIES[path])
    assert answer.status_code == 502
    assert answer.json()["error"]["message"] == "the upstream's answer is larger than 33,554,432 bytes"


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("path", BODIES)
def test_an_event_is_bounded(bounded: Worker, endless: Endless, provider: str, path: str) -> None:
    endless.status, endless.headers = 200, {"content-type": "text/event-stream", "content-encoding": "gzip"}
    endless.parts = lambda: packed(b'data: {"id": "', 200)
    answer = bounded.post(path, f"endless-{provider}", {**BODIES[path], "stream": True})
    assert answer.status_code == 502
    assert answer.json()["error"]["message"] == "an event of the upstream's stream is larger than 8,388,608 bytes"


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_an_error_is_bounded(bounded: Worker, endless: Endless, provider: str, stream: bool) -> None:
    endless.status, endless.headers = 418, {"content-type": "text/plain"}
    endless.parts = lambda: plain(b"no: ", 200)
    answer = bounded.post("/v1/chat/completions", f"endless-{provider}", {"messages": HELLO, "stream": stream})
    assert answer.status_code == 418
    message = answer.json()["error"]["message"]
    assert "no: aaaa" in message
    assert len(message) <= 4_000
