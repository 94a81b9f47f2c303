"""Server-sent events of a response, with the time at which each was complete."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from claude_gateway.conformance.client import Piece, Reply
from claude_gateway.conformance.requirement import Failed, expect, shorten

_END: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
# Not `splitlines`, which also splits at characters that are text in this format.
_LINE: Final = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class Event:
    """One event; ``name`` is empty without an ``event:`` line. ``at`` is in seconds after the request."""

    at: float
    name: str
    data: str

    @property
    def json(self) -> Any:
        """The data as JSON. Raises Failed."""
        try:
            return json.loads(self.data)
        except ValueError:
            raise Failed(
                f"the data of the event {self.name or '(no name)'} is not JSON: {shorten(self.data)}"
            ) from None


def events(pieces: Iterable[Piece]) -> list[Event]:
    """Split pieces into events, without comments and without an incomplete event at the end."""
    found: list[Event] = []
    rest = b""
    for piece in pieces:
        *blocks, rest = _END.split(rest + piece.data)
        found += [event for block in blocks if (event := _event(piece.at, block)) is not None]
    return found


def of_messages(reply: Reply) -> list[Event]:
    """Return the events of a Messages stream that Claude Code accepts. Raises Failed.

    Every event must have an ``event:`` line that matches its data, and the response must be complete.
    """
    expect(reply.status == 200, f"{reply}: expected 200")
    kind = reply.header("content-type")
    expect(kind.startswith("text/event-stream"), f"{reply.asked}: content-type {kind!r}, expected a stream")
    found = events(reply.pieces)
    expect(found, f"{reply}: no event received")
    for event in found:
        expect(event.name, f"an event without an `event:` line, which Claude Code rejects: {shorten(event.data)}")
        expect(
            event.name == "ping" or event.json.get("type") == event.name,
            f"the event {event.name} says type {event.json.get('type')!r} in its data",
        )
    names = [event.name for event in found]
    for name in ("message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"):
        expect(name in names, f"no {name} among {_run(names)}")
    expect(names[-1] == "message_stop", f"the stream ends with {names[-1]}")
    return found


def text(found: Iterable[Event], kind: str = "text_delta", field: str = "text") -> str:
    """Return the joined text of all deltas of one kind."""
    deltas = [event.json["delta"] for event in found if event.name == "content_block_delta"]
    return "".join(str(delta.get(field, "")) for delta in deltas if delta.get("type") == kind)


def blocks(found: Iterable[Event]) -> list[dict[str, Any]]:
    """Assemble the content blocks of a stream; the ``input`` of a tool is parsed. Raises Failed."""
    made: dict[int, dict[str, Any]] = {}
    for event in found:
        if event.name == "content_block_start":
            made[event.json["index"]] = {**event.json["content_block"]}
        elif event.name == "content_block_delta":
            _add(made.setdefault(event.json["index"], {}), event.json["delta"])
    for block in made.values():
        if "partial" in block:
            try:
                block["input"] = json.loads(block.pop("partial") or "{}")
            except ValueError:
                raise Failed(f"the input of the tool {block.get('name')} is not JSON after assembly") from None
    return list(made.values())


def named(found: Iterable[Event], name: str) -> dict[str, Any]:
    """Return the data of the last event with a name. Raises Failed."""
    matching = [event.json for event in found if event.name == name]
    if not matching:
        raise Failed(f"no {name} in the stream")
    return dict(matching[-1])


def gaps(found: Sequence[Event]) -> list[float]:
    """Return the seconds between consecutive events."""
    return [later.at - earlier.at for earlier, later in pairwise(found)]


def _add(block: dict[str, Any], delta: dict[str, Any]) -> None:
    for field, target in (("text", "text"), ("thinking", "thinking"), ("partial_json", "partial")):
        if field in delta:
            block[target] = block.get(target, "") + delta[field]


def _event(at: float, block: bytes) -> Event | None:
    name, data = "", []
    for line in _LINE.split(block.decode("utf-8", "replace")):
        key, _, value = line.partition(":")
        if key == "event":
            name = value.strip()
        elif key == "data":
            data.append(value.removeprefix(" "))
    return Event(at, name, "\n".join(data)) if name or data else None


def _run(names: list[str]) -> str:
    return ", ".join(dict.fromkeys(names)) or "no events"
