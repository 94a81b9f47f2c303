"""Waiting for Claude Code while the client may leave and events may be silent."""

import asyncio
from collections.abc import AsyncIterator

from claude_gateway_claude_code.session import Event
from claude_gateway_runtime.asgi import ClientGone, Receive, gone


async def unless_gone(work: "asyncio.Future[None]", receive: Receive) -> None:
    """Wait for ``work``; cancel it when the client leaves, and raise ClientGone."""
    leaving = asyncio.ensure_future(gone(receive))
    try:
        await asyncio.wait((work, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise ClientGone
        work.result()
    finally:
        leaving.cancel()
        if not work.done():
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


async def with_silences(events: AsyncIterator[Event], seconds: float) -> AsyncIterator[Event | None]:
    """Yield the events, and None whenever there was none for so long."""
    pending: asyncio.Future[Event] | None = None
    try:
        while True:
            pending = pending or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait((pending,), timeout=seconds)
            if not done:
                yield None
                continue
            found, pending = pending, None
            try:
                yield found.result()
            except StopAsyncIteration:
                return
    finally:
        if pending is not None:
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)
