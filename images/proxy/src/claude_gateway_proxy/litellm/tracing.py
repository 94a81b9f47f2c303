"""The trace of the current request, for its upstream: added below LiteLLM and every library that it uses.

LiteLLM takes headers as a parameter, but not every provider's code sends them on, and Bedrock's signs them. httpx sends
what all of them ask for.
"""

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any, Final

import httpx

from claude_gateway.names import TRACE_HEADERS
from claude_gateway_runtime.asgi import Headers

_NAMES: Final = frozenset(name.encode() for name in TRACE_HEADERS)

traced: Final[ContextVar[Headers]] = ContextVar("traced", default=())
"""The trace headers of the current request; tasks and threads that serve it inherit them."""


def trace_of(headers: Headers) -> Headers:
    """Return the trace headers among the headers of a request; names are in lower case."""
    return [header for header in headers if header[0] in _NAMES]


def install() -> None:
    """Make every httpx client of this process send the trace of the current request; cannot be undone."""
    client: Any = httpx.Client
    async_client: Any = httpx.AsyncClient
    sent, async_sent = client.send, async_client.send

    def send(self: Any, request: httpx.Request, **options: Any) -> Any:
        _add(request, traced.get())
        return sent(self, request, **options)

    async def async_send(self: Any, request: httpx.Request, **options: Any) -> Any:
        _add(request, traced.get())
        return await async_sent(self, request, **options)

    client.send, async_client.send = send, async_send


def _add(request: httpx.Request, trace: Iterable[tuple[bytes, bytes]]) -> None:
    """Put the trace in place of one that a library may have set."""
    if trace:
        kept = [header for header in request.headers.raw if header[0].lower() not in _NAMES]
        request.headers = httpx.Headers([*kept, *trace])
