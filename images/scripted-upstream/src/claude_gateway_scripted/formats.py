"""What every format offers to the server: reading a request, and writing an answer or a failure."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from claude_gateway_scripted.answer import Answer
from claude_gateway_scripted.prompt import Prompt
from claude_gateway_scripted.script import Json


class Chunk(NamedTuple):
    """One event of a stream as sent; only ``content`` ones are paced and counted."""

    data: bytes
    content: bool = False


@dataclass(frozen=True, slots=True)
class Stamp:
    """What makes one answer unique: the random part of its ids, and when it was made (Unix seconds)."""

    id: str
    created: int


@dataclass(frozen=True, slots=True)
class Failure:
    """An error answer; without ``type`` the vendor's usual one for the status."""

    status: int
    message: str
    type: str | None = None
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Format:
    """A format as functions.

    ``read`` raises InvalidRequestError; ``events`` is the whole stream with its end; ``midstream`` is the event that
    ends a stream which had begun well, given how many events came before it. ``failure_headers`` and ``stream_headers``
    come with failures and with streams, besides ``headers``.
    """

    read: Callable[[Json], Prompt]
    document: Callable[[Answer, Stamp], Json]
    events: Callable[[Answer, Prompt, Stamp], Iterable[Chunk]]
    failure: Callable[[Failure, Stamp], Json]
    midstream: Callable[[Failure, int], bytes]
    headers: Callable[[Stamp], dict[str, str]]
    failure_headers: Callable[[Failure], dict[str, str]] = lambda _: {}
    stream_headers: Mapping[str, str] = field(
        default_factory=lambda: {"content-type": "text/event-stream; charset=utf-8"}
    )


def encode(value: object) -> bytes:
    """Return compact JSON, as the vendors send it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def sse(data: object, *, event: str | None = None) -> bytes:
    """Return one server-sent event."""
    name = f"event: {event}\n".encode() if event else b""
    return name + b"data: " + encode(data) + b"\n\n"
