"""AWS's frames: what botocore writes and reads, in any chunks; what is broken never crashes nor stalls."""

import base64
import json
import struct
from binascii import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway_proxy.gateway.wire.eventstream import FrameError, Frames, encode

_HEADERS = st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=40), max_size=4)
_MESSAGES = st.lists(st.tuples(_HEADERS, st.binary(max_size=200)), min_size=1, max_size=4)


def _chunks(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[start:end] for start, end in zip([0, *at], [*at, len(data)], strict=True)]


@given(_MESSAGES)
def test_botocore_reads_what_is_written(messages: list[tuple[dict[str, str], bytes]]) -> None:
    buffer = EventStreamBuffer()
    buffer.add_data(b"".join(encode(headers, payload) for headers, payload in messages))
    found: list[object] = [(event.headers, event.payload) for event in buffer]
    assert found == messages


@given(_MESSAGES, st.lists(st.integers(0, 2000), max_size=8))
def test_any_chunks_give_the_same_frames(messages: list[tuple[dict[str, str], bytes]], cuts: list[int]) -> None:
    data = b"".join(encode(headers, payload) for headers, payload in messages)
    frames = Frames()
    found = [frame for chunk in _chunks(data, cuts) for frame in frames.feed(chunk)]
    assert [(frame.headers, frame.payload) for frame in found] == messages
    assert b"".join(frame.raw for frame in found) == data
    assert frames.complete


@given(_MESSAGES, st.integers(0, 10**6), st.integers(1, 255), st.lists(st.integers(0, 2000), max_size=4))
def test_a_changed_byte_is_an_error(
    messages: list[tuple[dict[str, str], bytes]], place: int, change: int, cuts: list[int]
) -> None:
    data = bytearray(b"".join(encode(headers, payload) for headers, payload in messages))
    data[place % len(data)] ^= change
    frames = Frames()
    good = 0
    try:
        for chunk in _chunks(bytes(data), cuts):
            good += len(frames.feed(chunk))
    except FrameError:
        return
    pytest.fail(f"{good} frames were taken")


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=4))
def test_no_bytes_crash_it(data: bytes, cuts: list[int]) -> None:
    frames = Frames()
    try:
        for chunk in _chunks(data, cuts):
            assert frames.feed(chunk) == []
    except FrameError:
        return
    assert len(data) < 16


@given(st.binary(min_size=1, max_size=60))
def test_headers_of_any_bytes_are_read_or_refused(packed: bytes) -> None:
    start = struct.pack(">II", 16 + len(packed), len(packed))
    message = start + struct.pack(">I", crc32(start)) + packed
    try:
        (frame,) = Frames().feed(message + struct.pack(">I", crc32(message)))
    except FrameError:
        return
    assert frame.payload == b""


def test_headers_that_are_no_text_are_passed_over() -> None:
    kinds = [b"\x00", b"\x01", b"\x02x", b"\x03xx", b"\x04xxxx", b"\x05" + b"x" * 8, b"\x06\x00\x02xx"]
    kinds += [b"\x08" + b"x" * 8, b"\x09" + b"x" * 16]
    packed = b"".join(b"\x01%c" % (97 + number) + value for number, value in enumerate(kinds)) + b"\x01z\x07\x00\x01!"
    start = struct.pack(">II", 16 + len(packed), len(packed))
    message = start + struct.pack(">I", crc32(start)) + packed
    (frame,) = Frames().feed(message + struct.pack(">I", crc32(message)))
    assert frame.headers == {"z": "!"}


def test_impossible_lengths_are_refused_before_they_are_waited_for() -> None:
    start = struct.pack(">II", 2**31, 0)
    with pytest.raises(FrameError):
        Frames().feed(start + struct.pack(">I", crc32(start)))


def test_what_bedrock_sends_is_read() -> None:
    event = {"type": "message_stop"}
    payload = json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode(), "p": "abc"}).encode()
    (frame,) = Frames().feed(encode({":event-type": "chunk", ":message-type": "event"}, payload))
    assert json.loads(base64.b64decode(json.loads(frame.payload)["bytes"])) == event
