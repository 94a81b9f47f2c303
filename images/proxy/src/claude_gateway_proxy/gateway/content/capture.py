"""Collects the content of a request and its answer for the request's span.

Only where the installation asks for it, and only for spans that are recorded. The answer is copied while it passes, up
to a bound; everything else happens in a thread, after the answer has ended.
"""

import logging
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.content.answers import answers
from claude_gateway_proxy.gateway.content.messages import conversation, instructions, shown
from claude_gateway_proxy.gateway.content.room import Room
from claude_gateway_proxy.gateway.lanes.litellm import known_secrets
from claude_gateway_proxy.masking import Mask
from claude_gateway_runtime.asgi import Message, Outgoing, Send
from claude_gateway_runtime.logs import unexpected

VARIABLE: Final = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""OpenTelemetry's own variable for this."""

SHOWN: Final = 64 * 1024
"""The most characters of each attribute."""
_ANSWER: Final = 1024 * 1024
"""The most bytes of an answer that are read."""
_ALL: Final = 64 * 1024 * 1024
"""The most bytes that all requests of this process may keep for it together."""

Attributes = Mapping[str, str | bool]
Done = Callable[[Attributes], None]
"""Takes the attributes of a span, in any thread."""

_CUT: Final = "claude_gateway.content.cut"
_log: Final = logging.getLogger(__name__)
_ON: Final = frozenset({"true", "span_only", "span_and_event"})
_OFF: Final = frozenset({"", "false", "no_content"})
_SIGNED_WITH: Final = re.compile(r"Credential=([^/,\s]+)")
"""The key in the header of an AWS signature."""
_KEYS: Final = frozenset(
    {b"authorization", b"x-api-key", b"api-key", b"x-gateway-key", b"x-goog-api-key", b"proxy-authorization"}
)
"""Headers in which a caller shows a key."""


def wanted(environ: Mapping[str, str]) -> bool:
    """Return whether spans should have content. Raises ValueError for an unknown value of the variable."""
    word = environ.get(VARIABLE, "").strip().lower()
    if word in _ON or word in _OFF:
        return word in _ON
    raise ValueError(f"{VARIABLE} must be SPAN_ONLY or NO_CONTENT: content is sent in spans, and not as events")


class Capture:
    """Collects for one process."""

    def __init__(self, *, most: int = _ALL) -> None:
        """Keep at most so many bytes for all requests together."""
        self._left = most
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="content")

    def listen(self, call: Call) -> "Content | None":
        """Return the content of a request; None if it has no conversation."""
        return Content(call, take=self.take) if shown(call.format) else None

    def finish(self, content: "Content", done: Done) -> None:
        """Pass the attributes of a finished request to ``done``, in the background."""
        if content.keep_request():
            self._thread.submit(self._show, content, done)
        else:
            done({_CUT: True})

    def close(self) -> None:
        """Wait for what is still to be shown."""
        self._thread.shutdown()

    def _show(self, content: "Content", done: Done) -> None:
        try:
            found = content.attributes()
        except Exception as error:
            # A span without content is worth more than none.
            unexpected(_log, "content_failed", error)
            found = {_CUT: True}
        finally:
            content.free()
        done(found)

    def take(self, size: int) -> bool:
        """Reserve room for this many bytes, or return it if the number is negative; False if there is none."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True


class Content:
    """The content of one request."""

    def __init__(self, call: Call, *, take: Callable[[int], bool]) -> None:
        """Read the request of ``call`` and the answer that passes; ``take`` reserves the room for each."""
        self._call = call
        self._take = take
        self._answer: list[bytes] = []
        self._size = 0
        self._readable = False
        self._cut = False

    def capturing(self, send: Send) -> Send:
        """Return the ``send`` function for the answer."""

        async def passed(message: Message) -> None:
            self._note(message)
            await send(message)

        if not isinstance(send, Outgoing):
            return passed

        def write(piece: bytes) -> None:
            self._add(piece)
            send.write(piece)

        return Outgoing(passed, writable=send.writable, write=write)

    def keep_request(self) -> bool:
        """Reserve room for the request, which is read later; False if there is none."""
        size = len(self._call.raw)
        if self._take(size):
            self._size += size
            return True
        self.free()
        return False

    def free(self) -> None:
        """Return all reserved room."""
        self._take(-self._size)
        self._size = 0

    def attributes(self) -> Attributes:
        """Return the attributes of the span, without keys; takes some milliseconds for each megabyte."""
        call, mask = self._call, self._mask()
        rooms = [Room(SHOWN) for _ in range(3)]
        found = {
            "gen_ai.system_instructions": instructions(call.body, call.format, rooms[0]),
            "gen_ai.input.messages": conversation(call.body, call.format, rooms[1]),
            "gen_ai.output.messages": answers(b"".join(self._answer), rooms[2]) if self._answer else [],
        }
        cut = self._cut or any(room.cut for room in rooms)
        texts: dict[str, str | bool] = {}
        for name, value in found.items():
            text = mask.document(msgspec.json.encode(value)) if value else b""
            if text:
                texts[name] = text.decode()
            cut = cut or bool(value and not text)
        if cut:
            texts[_CUT] = True
        return texts

    def _note(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            encoded = any(name == b"content-encoding" for name, _ in message["headers"])
            self._readable = 200 <= message["status"] < 300 and not encoded
        else:
            self._add(message.get("body", b""))

    def _add(self, piece: bytes) -> None:
        if not self._readable or not piece:
            return
        size = len(piece)
        if self._size + size > _ANSWER or not self._take(size):
            self._readable, self._cut = False, True
            return
        self._size += size
        self._answer.append(piece)

    def _mask(self) -> Mask:
        """Return a mask of the keys of the caller and of the route's targets."""
        call = self._call
        shown = [value.decode("latin-1") for name, value in (*call.headers, *call.login) if name in _KEYS]
        mask = Mask(word for value in shown for word in (value.rpartition(" ")[2], *_SIGNED_WITH.findall(value)))
        for target in call.route.all_targets:
            mask.add(known_secrets(call.snapshot.secrets, target))
        return mask
