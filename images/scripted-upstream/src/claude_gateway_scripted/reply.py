"""Sends one answer: whole or streamed, at the pace and with the defects that the step asks for."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from claude_gateway_scripted.formats import Chunk, Failure, Format, Stamp, encode
from claude_gateway_scripted.journal import Recorded
from claude_gateway_scripted.script import Config, Step

SERVED: Final = "anthropic-served-model"
"""The header with the model that answered."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Writes the answer of one call; ``model`` is the requested name."""

    model: str
    request: web.BaseRequest
    shape: Format
    stamp: Stamp
    step: Step
    config: Config
    entry: Recorded

    def failure(self) -> web.Response:
        """Return the error that the step asks for."""
        step = self.step
        failed = Failure(step.status, step.error_message, type=step.error_type)
        return web.Response(
            body=encode(self.shape.failure(failed, self.stamp)),
            status=step.status,
            headers={**self.shape.failure_headers(failed), **self._headers("application/json")},
        )

    async def raw(self, pieces: Iterable[str]) -> web.StreamResponse:
        """Send these texts as they are, each in a write of its own."""
        streamed = self.step.status == 200
        response = await self._begin("text/event-stream; charset=utf-8" if streamed else "application/json")
        for piece in pieces:
            if self.step.chunk_delay:
                await asyncio.sleep(self.step.chunk_delay)
            await response.write(piece.encode())
            self.entry.sent += 1
        await response.write_eof()
        return response

    def refuse(self) -> web.Response:
        """Drop the connection; what is given is never sent."""
        if self.request.transport is not None:
            self.request.transport.abort()
        return web.Response()

    async def whole(self, document: bytes) -> web.StreamResponse:
        """Send the answer as one document."""
        step = self.step
        if step.midstream in ("drop", "hang") or step.first_delay:
            return await self._broken(document)
        return web.Response(body=document, headers=self._headers("application/json"))

    async def stream(self, chunks: Iterable[Chunk]) -> web.StreamResponse:
        """Send the answer as a stream of events."""
        step = self.step
        response = await self._begin(self.shape.stream_headers["content-type"], more=self.shape.stream_headers)
        pace = self.config.chunk_delay if step.chunk_delay is None else step.chunk_delay
        for number, chunk in enumerate(chunks):
            if chunk.content and pace:
                await asyncio.sleep(pace)
            if step.midstream and self.entry.sent >= step.midstream_after:
                return await self._break(response, number)
            await response.write(chunk.data)
            self.entry.sent += chunk.content
        await response.write_eof()
        return response

    async def _broken(self, document: bytes) -> web.StreamResponse:
        response = await self._begin("application/json", length=len(document))
        if self.step.midstream is None:
            await response.write(document)
            await response.write_eof()
            return response
        await response.write(document[: len(document) // 2])
        return await self._break(response, 0)

    async def _begin(
        self, content_type: str, *, length: int | None = None, more: Mapping[str, str] | None = None
    ) -> web.StreamResponse:
        headers = {**(more or {}), **self._headers(content_type)}
        response = web.StreamResponse(status=self.step.status, headers=headers)
        response.content_length = length
        await response.prepare(self.request)
        self.entry.status = response.status
        await asyncio.sleep(self.step.first_delay)
        return response

    async def _break(self, response: web.StreamResponse, number: int) -> web.StreamResponse:
        if self.step.midstream == "error":
            failed = Failure(200, self.step.error_message, type=self.step.error_type)
            await response.write(self.shape.midstream(failed, number))
            await response.write_eof()
            return response
        if self.step.midstream == "hang":
            # Ends by cancellation, when the client leaves or the server stops.
            await asyncio.Event().wait()
        if self.request.transport is not None:
            self.request.transport.abort()
        return response

    def _headers(self, content_type: str) -> dict[str, str]:
        own = {"content-type": content_type, **self.shape.headers(self.stamp)}
        if "anthropic-version" in self.request.headers:
            # A gateway may answer under another name; headers of this kind pass through it.
            own[SERVED] = self.model
        return {
            **own,
            **{
                name.lower(): value
                for source in (self.config.headers, self.step.headers)
                for name, value in source.items()
            },
        }
