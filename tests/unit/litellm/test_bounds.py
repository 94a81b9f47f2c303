"""How much of an answer is read, without a network: the counting, and httpx's responses in a process of their own."""

import base64
import gzip
import json
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator

import pytest

from claude_gateway_proxy.litellm import bounds
from claude_gateway_proxy.litellm.bounds import EVENT_LINES_MOST, EVENT_MOST, AnswerRefused, Stream

READ = """
import asyncio, base64, json, sys, httpx
from claude_gateway_proxy.litellm import bounds
bounds.install()
bounds.WHOLE_MOST, bounds.ERROR_MOST, bounds.EVENT_MOST = 3_000, 100, 500

class Parts(httpx.AsyncByteStream, httpx.SyncByteStream):
    def __iter__(self):
        for at in range(0, len(body), 64):
            yield body[at : at + 64]
    async def __aiter__(self):
        for part in self:
            yield part

def tried(read):
    try:
        return read()
    except (bounds.AnswerRefused, httpx.DecodingError) as error:
        return f"{type(error).__name__}: {error}"

def answer():
    return httpx.Response(status, headers=headers, stream=Parts(), request=httpx.Request("POST", "http://x"))

async def whole():
    return (await answer().aread()).decode()

async def streamed():
    return b"".join([part async for part in answer().aiter_bytes()]).decode()

for line in sys.stdin:
    status, headers, packed = json.loads(line)
    body = base64.b64decode(packed)
    print(json.dumps([
        tried(lambda: asyncio.run(whole())),
        tried(lambda: answer().read().decode()),
        tried(lambda: asyncio.run(streamed())),
        tried(lambda: b"".join(answer().iter_bytes()).decode()),
        httpx.AsyncClient().headers["accept-encoding"],
    ]), flush=True)
"""
"""In a process of its own: the bounds are for a whole process."""


Read = Callable[[int, bytes, dict[str, str]], list[str]]


@pytest.fixture(scope="module")
def read() -> Iterator[Read]:
    """What httpx reads of an answer: whole and streamed, each asynchronously and not; and what it accepts."""
    command = [sys.executable, "-c", READ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def ask(status: int, body: bytes, headers: dict[str, str]) -> list[str]:
            stdin.write(json.dumps([status, headers, base64.b64encode(body).decode()]) + "\n")
            stdin.flush()
            found: list[str] = json.loads(stdout.readline())
            return found

        yield ask
        stdin.close()


LARGER = "AnswerRefused: the upstream's answer is larger than 3,000 bytes"
LINES = b"data: x\n\n" * 100


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("", lambda data: data),
        ("identity", lambda data: data),
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("Deflate", lambda data: zlib.compress(data)[2:-4]),
    ],
)
def test_an_answer_is_bounded_after_it_is_decompressed(
    coding: str, packed: Callable[[bytes], bytes], read: Read
) -> None:
    stream = {"content-encoding": coding, "content-type": "text/event-stream"}
    assert read(200, packed(LINES), stream) == [LINES.decode()] * 4 + ["gzip, deflate"]
    *both, _, _, _ = read(200, packed(b"x" * 1_000_000), {"content-encoding": coding})
    assert both == [LARGER] * 2


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "no such thing"])
def test_what_was_not_asked_for_is_not_decompressed(coding: str, read: Read) -> None:
    *found, _ = read(200, gzip.compress(gzip.compress(b"x")), {"content-encoding": coding})
    assert found == [f"AnswerRefused: the upstream compressed its answer as '{coding}', not as asked for"] * 4


def test_what_is_not_compressed_as_it_says_is_an_error_of_httpx(read: Read) -> None:
    *found, _ = read(200, b"plain", {"content-encoding": "gzip"})
    assert all(each.startswith("DecodingError") for each in found)


def test_an_error_is_cut(read: Read) -> None:
    for size in (100, 1_000_000):
        assert read(500, b"x" * size, {})[:2] == ["x" * 100] * 2


def test_a_large_event_of_a_stream_is_refused(read: Read) -> None:
    event = b"data: " + b"x" * 1_000 + b"\n\n"
    found = read(200, LINES + event, {"content-type": "text/event-stream"})
    assert found[0] == (LINES + event).decode(), "as a whole answer it is small enough"
    assert found[2:4] == ["AnswerRefused: an event of the upstream's stream is larger than 500 bytes"] * 2


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\n"])
@pytest.mark.parametrize("cut", [1, 2, 3, 7, 1_000])
def test_events_are_counted_one_by_one_however_they_are_cut(
    monkeypatch: pytest.MonkeyPatch, end: bytes, cut: int
) -> None:
    monkeypatch.setattr(bounds, "EVENT_MOST", 50)
    stream = Stream(b"\n" if end == b"\n" else b"\n\n")
    body = (b"data: " + b"x" * 40 + end) * 20
    for at in range(0, len(body), cut):
        stream.add(body[at : at + cut])
    stream.add(b"x" * 49)
    with pytest.raises(AnswerRefused):
        stream.add(b"xx")


def test_an_event_of_many_lines_is_refused() -> None:
    stream = Stream(b"\n\n")
    for _ in range(EVENT_LINES_MOST):
        stream.add(b"data: x\n")
    with pytest.raises(AnswerRefused):
        stream.add(b"data: x\n")


def test_a_stream_is_bounded_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "STREAM_MOST", 100)
    for end in (b"", b"\n"):
        stream = Stream(end)
        for _ in range(10):
            stream.add(b"123456789\n")
        with pytest.raises(AnswerRefused):
            stream.add(b"\n")


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\n"])
def test_endless_small_events_are_refused_however_they_are_cut(monkeypatch: pytest.MonkeyPatch, end: bytes) -> None:
    monkeypatch.setattr(bounds, "EVENTS_MOST", 100)
    for size in (1, 2, 3, 7, 1000):
        stream, events = Stream(end.replace(b"\r", b"")), b"data: a" + end

        def add(text: bytes, stream: Stream = stream, size: int = size) -> None:
            for at in range(0, len(text), size):
                stream.add(text[at : at + size])

        add(events * 100)
        with pytest.raises(AnswerRefused, match="more than 100 events"):
            add(events)


def test_frames_of_aws_are_not_events_of_lines() -> None:
    stream = Stream(b"")
    stream.add(b"x" * EVENT_MOST)
    stream.add(b"x" * EVENT_MOST)
