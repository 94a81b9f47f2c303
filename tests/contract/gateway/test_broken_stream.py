"""A stream that breaks off: a client receives the same bytes and the same end through the gateway as without it."""

import json
import re
import socket
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from tests.support.builders.targets import ANTHROPIC_KEY, PASS_THROUGH
from tests.support.processes.gateway import System, secret

from claude_gateway_scripted import Scripted

_ID: Final = re.compile(rb"(msg|req)_[0-9a-f]+")
_DROP: Final = {"text": "one two three", "midstream": "drop", "midstream_after": 2}


@dataclass(frozen=True, slots=True)
class Received:
    """What a client reads until the connection ends: the body without chunk sizes, and how it ended."""

    body: bytes
    complete: bool
    reset: bool


def receive(url: str, key: str) -> Received:
    """Asks for a stream on a plain socket and reads until the server closes the connection."""
    split = urlsplit(url)
    content = {"model": "claude-opus-4-7", "max_tokens": 50, "stream": True}
    body = json.dumps({**content, "messages": [{"role": "user", "content": "hello"}]}).encode()
    head = (
        "POST /v1/messages HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {key}\r\nanthropic-version: 2023-06-01\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    data, reset = b"", False
    with socket.create_connection((str(split.hostname), int(split.port or 80)), timeout=30) as connection:
        connection.sendall(head.encode() + body)
        try:
            while piece := connection.recv(1 << 16):
                data += piece
        except ConnectionResetError:
            reset = True
    answered, _, rest = data.partition(b"\r\n\r\n")
    assert answered.startswith(b"HTTP/1.1 200 ")
    assert b"transfer-encoding: chunked" in answered.lower()
    parts: list[bytes] = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        if int(size, 16) == 0:
            return Received(b"".join(parts), complete=True, reset=reset)
        parts.append(rest[: int(size, 16)])
        assert rest[int(size, 16) :].startswith(b"\r\n")
        rest = rest[int(size, 16) + 2 :]
    return Received(_ID.sub(rb"\1_ID", b"".join(parts)), complete=False, reset=reset)


@pytest.mark.parametrize("pause", [{}, {"chunk_delay": 0.05}], ids=["at once", "after a pause"])
def test_a_stream_breaks_off_as_without_a_gateway(system: System, scripted: Scripted, pause: dict[str, Any]) -> None:
    system.apply(PASS_THROUGH.format(url=scripted.url), secret("anthropic", ANTHROPIC_KEY))
    scripted.script({**_DROP, **pause}, {**_DROP, **pause})
    direct = receive(scripted.url, "any")
    through = receive(system.url, system.key)
    assert through == direct
    assert not through.complete
    assert through.body.endswith(b'"text":"two "}}\n\n')
