"""Events of a watch, read line by line."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final, Self

import aiohttp

from claude_gateway_runtime.kube.errors import Expired, Retryable, reason_of, unreachable

BOOKMARK: Final = "BOOKMARK"
DELETED: Final = "DELETED"
_ERROR: Final = "ERROR"
_GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a watch. The next watch may begin at ``version``; the object of a ``BOOKMARK`` has nothing else."""

    type: str
    object: dict[str, Any] = field(repr=False)
    version: str

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """Read one line. Raises Expired or Retryable for an ``ERROR`` event, Retryable for anything but an event."""
        try:
            event = json.loads(line)
            kind, found = event["type"], event["object"]
            if kind == _ERROR:
                code = found.get("code")
                message = f"the watch ended: {reason_of(found) or code}"
                raise Expired(message) if code == _GONE else Retryable(message)
            return cls(type=str(kind), object=found, version=str(found["metadata"]["resourceVersion"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            # The line is not quoted: it may hold a Secret.
            raise Retryable("the watch sent a line that is not an event") from None


async def events(stream: aiohttp.StreamReader, what: str) -> AsyncIterator[Event]:
    """Yield the events of a watch until the API server ends it. Raises Retryable."""
    while True:
        try:
            line = await stream.readline()
        except ValueError:
            raise Retryable(f"{what}: the watch sent a line that is too long") from None
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            raise unreachable(what, error) from None
        if not line.endswith(b"\n"):
            # The stream ended, maybe within a line: a watch that resumes receives the whole line.
            return
        yield Event.parse(line)
