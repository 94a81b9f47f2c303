"""The server: reads a request, decides the answer, sends it as scripted, and records both."""

import asyncio
import json
import re
import ssl
import time
from dataclasses import replace
from typing import Final
from uuid import uuid4

from aiohttp import web

from claude_gateway_scripted import (
    anthropic,
    batches,
    clouds,
    control,
    embeddings,
    gemini,
    openai_chat,
    openai_responses,
    plain,
    sigv4,
)
from claude_gateway_scripted.answer import decide
from claude_gateway_scripted.formats import Failure, Format, Stamp, encode
from claude_gateway_scripted.journal import Journal, Recorded
from claude_gateway_scripted.prompt import InvalidRequestError, directives
from claude_gateway_scripted.reply import Reply
from claude_gateway_scripted.script import Config, Json, Script

MAX_BODY: Final = 64 * 1024 * 1024

_FORMATS: Final = {
    "/messages": anthropic.MESSAGES,
    "/chat/completions": openai_chat.CHAT,
    "/completions": openai_chat.COMPLETIONS,
    "/responses": openai_responses.RESPONSES,
}
_ENDPOINT: Final = re.compile(
    r"/v1(/messages|/messages/count_tokens|/chat/completions|/completions|/responses|/responses/input_tokens|/embeddings"
    r"|/models(?:/[^/]+)?)/?$"
)
_JSON: Final = {"content-type": "application/json"}


class Server:
    """One listening stand-in: its settings, script and journal."""

    def __init__(self, config: Config) -> None:
        self.script = Script()
        self.journal = Journal()
        self.streams = 0
        self._batches = batches.Batches()
        self._listeners: list[asyncio.Server] = []
        self._web: web.Server | None = None
        self.config = config
        self._plain: dict[str, plain.Plain] = {}
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Use other settings from the next request on."""
        self.config = config
        self._plain = plain.encode_all(_FORMATS, count=config.plain_words) if config.plain_words else {}

    async def start(self, host: str, port: int, *, context: ssl.SSLContext | None = None) -> tuple[str, int]:
        """Listen, with TLS if there is a ``context``; port 0 takes a free one. Returns the address listened on.

        Started again it listens there too, with the same script and journal.
        """
        loop = asyncio.get_running_loop()
        self._web = self._web or web.Server(
            self._handle,
            request_factory=self._request,
            handler_cancellation=True,
            access_log=None,
            read_bufsize=1 << 20,
        )
        listener = await loop.create_server(self._web, host, port, backlog=1024, ssl=context)
        self._listeners.append(listener)
        name = listener.sockets[0].getsockname()
        return str(name[0]), int(name[1])

    async def stop(self, grace: float) -> None:
        """Stop listening at once, and end what still runs after ``grace`` seconds (above 0)."""
        if self._web is None:
            return
        for listener in self._listeners:
            listener.close()
        # Idle connections end now; without this they would be waited for as well.
        self._web.pre_shutdown()
        await self._web.shutdown(grace)

    def _request(self, message, payload, protocol, writer, task) -> web.BaseRequest:  # type: ignore[no-untyped-def]
        loop = asyncio.get_running_loop()
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._serve(request)
        except ConnectionError:
            # The client disconnected during the answer, which is not an error of ours.
            return web.Response()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("expect", "").lower() == "100-continue" and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if request.path.startswith("/__"):
            return control.handle(self, request.method, request.path, await request.read())
        endpoint = match[1] if (match := _ENDPOINT.search(request.path)) else ""
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _failed(Failure(413, "Request exceeds the maximum size"), _shape(endpoint, request), _stamp())
        if self._plain and endpoint in self._plain:
            return await self._send_plain(request, endpoint, body)
        entry = self.journal.add(
            method=request.method,
            path=request.raw_path.partition("?")[0],
            query=request.query_string,
            headers=request.headers.items(),
            body=body,
        )
        try:
            response = await self._answer(request, endpoint, body, entry)
        except (asyncio.CancelledError, ConnectionError):
            entry.disconnected = time.time()
            raise
        entry.status = entry.status or response.status
        entry.ended = time.time()
        return response

    async def _answer(
        self, request: web.BaseRequest, endpoint: str, body: bytes, entry: Recorded
    ) -> web.StreamResponse:
        shape, stamp = _shape(endpoint, request), _stamp()
        if (called := clouds.called(entry.path)) is not None:
            return await self._answer_cloud(request, called, body, stamp, entry)
        if request.path == "/token":
            token = {"access_token": self.config.google_token, "expires_in": 3600, "token_type": "Bearer"}
            return self._json(token, shape, stamp)
        google = gemini.PATH.search(request.path)
        if google is not None:
            return await self._answer_as_google(request, body, entry, model=google[1], method=google[2])
        if batches.PATH.search(request.path):
            return self._batch(request, body, stamp)
        if not endpoint:
            if request.path == "/" or request.path.endswith("/api/hello"):
                return web.Response(text="ok")
            return _failed(Failure(404, f"Not found: {request.path}"), shape, stamp)
        if not self._accepts(request):
            return _failed(
                Failure(401, "invalid x-api-key" if _is_anthropic(shape) else "Incorrect API key"), shape, stamp
            )
        if endpoint.startswith("/models"):
            return self._models(endpoint, shape, stamp)
        if request.method != "POST":
            return _failed(Failure(405, "Method not allowed", headers={"allow": "POST"}), shape, stamp)
        try:
            data = _object(body)
            if endpoint == "/messages/count_tokens":
                return self._count(data, len(body), shape, stamp)
            if endpoint == "/responses/input_tokens":
                return self._count_input(data, len(body), shape, stamp)
            if endpoint == "/embeddings":
                return self._embed(data, body, shape, stamp)
            return await self._speak(request, data, body, shape, stamp, entry)
        except InvalidRequestError as error:
            return _failed(Failure(400, str(error)), shape, stamp)

    def _batch(self, request: web.BaseRequest, body: bytes, stamp: Stamp) -> web.Response:
        """Answer a request about batches, under the account that its credential stands for."""
        shape = anthropic.MESSAGES
        if not self._accepts(request):
            return _failed(Failure(401, "invalid x-api-key"), shape, stamp)
        try:
            found = self._batches.answer(
                request.method,
                request.path,
                _object(body) if body else {},
                account=request.headers.get("x-api-key", "") or request.headers.get("authorization", ""),
                base=f"http://{request.host}",
                config=self.config,
            )
        except InvalidRequestError as error:
            return _failed(Failure(400, str(error)), shape, stamp)
        except batches.RefusedError as error:
            return _failed(error.failure, shape, stamp)
        kind = "application/x-jsonl" if request.path.endswith("/results") else "application/json"
        return web.Response(body=found, headers={**shape.headers(stamp), "content-type": kind, **self.config.headers})

    async def _answer_as_google(
        self, request: web.BaseRequest, body: bytes, entry: Recorded, *, model: str, method: str
    ) -> web.StreamResponse:
        """Answer a request that has its model and its kind in the path."""
        shape, stamp = gemini.GEMINI, _stamp()
        if not self._accepts(request):
            return _failed(Failure(401, "API key not valid. Please pass a valid API key."), shape, stamp)
        try:
            data = {**_object(body), "model": model, "stream": method == "streamGenerateContent"}
            if method == "countTokens":
                if self.config.count_tokens != 200:
                    return _failed(Failure(self.config.count_tokens, "countTokens is not there"), shape, stamp)
                return self._json(gemini.count(data, size=len(body)), shape, stamp)
            return await self._speak(request, data, body, shape, stamp, entry)
        except InvalidRequestError as error:
            return _failed(Failure(400, str(error)), shape, stamp)

    async def _answer_cloud(
        self, request: web.BaseRequest, called: clouds.Called, body: bytes, stamp: Stamp, entry: Recorded
    ) -> web.StreamResponse:
        if not self._accepts(request) or not self._signed(request, entry):
            return _failed(Failure(403, "The security token included in the request is invalid"), called.shape, stamp)
        if request.method != "POST":
            return _failed(Failure(405, "Method not allowed"), called.shape, stamp)
        try:
            data = _object(body)
            if not called.counts:
                return await self._speak(request, called.messages(data), body, called.shape, stamp, entry)
            if self.config.count_tokens != 200:
                return _failed(Failure(self.config.count_tokens, "count-tokens is not there"), called.shape, stamp)
            return self._json(clouds.count(called, data), called.shape, stamp)
        except InvalidRequestError as error:
            return _failed(Failure(400, str(error)), called.shape, stamp)

    def _signed(self, request: web.BaseRequest, entry: Recorded) -> bool:
        keys = self.config.aws_keys
        if keys is None or request.headers.get("authorization", "").startswith("Bearer "):
            return True
        return sigv4.fits(
            keys,
            method=request.method,
            path=entry.path,
            query=entry.query,
            headers=list(request.headers.items()),
            body=entry.body,
        )

    async def _speak(
        self, request: web.BaseRequest, data: Json, body: bytes, shape: Format, stamp: Stamp, entry: Recorded
    ) -> web.StreamResponse:
        prompt = shape.read(data)
        found = directives(prompt.text)
        step = self.script.take(body)
        if found.status != 200 and step.status == 200:
            step = replace(step, status=found.status)
        step = replace(step, delay=step.delay or found.slow, chunk_delay=_first(step.chunk_delay, found.pace))
        answer = decide(prompt, step=step, directives=found, config=self.config, size=len(body))
        named = data.get("model")
        model = named if isinstance(named, str) and named.isascii() and named.isprintable() else ""
        reply = Reply(
            model=model, request=request, shape=shape, stamp=stamp, step=step, config=self.config, entry=entry
        )
        await asyncio.sleep(step.delay)
        if step.refuse:
            return reply.refuse()
        if step.raw is not None:
            return await reply.raw(step.raw)
        if step.status != 200:
            return reply.failure()
        if not prompt.stream:
            return await reply.whole(encode(shape.document(answer, stamp)))
        self.streams += 1
        try:
            return await reply.stream(shape.events(answer, prompt, stamp))
        finally:
            self.streams -= 1

    async def _send_plain(self, request: web.BaseRequest, endpoint: str, body: bytes) -> web.StreamResponse:
        ready = self._plain[endpoint]
        if not plain.streams(body):
            return web.Response(body=ready.document, headers=_JSON)
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        self.streams += 1
        try:
            await response.prepare(request)
            for chunk in ready.chunks:
                if chunk.content and self.config.chunk_delay:
                    await asyncio.sleep(self.config.chunk_delay)
                await response.write(chunk.data)
            await response.write_eof()
        finally:
            self.streams -= 1
        return response

    def _accepts(self, request: web.BaseRequest) -> bool:
        keys = self.config.keys
        shown = (
            request.headers.get("x-api-key")
            or request.headers.get("x-goog-api-key")
            or request.headers.get("authorization", "").removeprefix("Bearer ")
        )
        return keys is None or shown in keys

    def _models(self, endpoint: str, shape: Format, stamp: Stamp) -> web.Response:
        module = anthropic if _is_anthropic(shape) else openai_chat
        if self.config.models != 200:
            return _failed(Failure(self.config.models, "scripted failure"), shape, stamp)
        name = endpoint.removeprefix("/models").removeprefix("/")
        if name and name not in self.config.model_ids:
            return _failed(Failure(404, f"model: {name}"), shape, stamp)
        if name:
            return self._json(module.model_list((name,))["data"][0], shape, stamp)
        return self._json(module.model_list(self.config.model_ids), shape, stamp)

    def _count(self, data: Json, size: int, shape: Format, stamp: Stamp) -> web.Response:
        if self.config.count_tokens != 200:
            return _failed(Failure(self.config.count_tokens, "count_tokens is not there"), shape, stamp)
        return self._json(anthropic.count(data, size=size), shape, stamp)

    def _count_input(self, data: Json, size: int, shape: Format, stamp: Stamp) -> web.Response:
        if self.config.count_tokens != 200:
            return _failed(Failure(self.config.count_tokens, "input_tokens is not there"), shape, stamp)
        return self._json(openai_responses.count(data, size=size), shape, stamp)

    def _embed(self, data: Json, body: bytes, shape: Format, stamp: Stamp) -> web.Response:
        step = self.script.take(body)
        if step.status != 200:
            failed = Failure(step.status, step.error_message, type=step.error_type, headers=step.headers)
            return _failed(failed, shape, stamp)
        return self._json(embeddings.document(data), shape, stamp)

    def _json(self, document: Json, shape: Format, stamp: Stamp) -> web.Response:
        return web.Response(body=encode(document), headers={**_JSON, **shape.headers(stamp), **self.config.headers})


def _first(value: float | None, other: float | None) -> float | None:
    return other if value is None else value


def _stamp() -> Stamp:
    return Stamp(id=uuid4().hex[:24], created=int(time.time()))


def _shape(endpoint: str, request: web.BaseRequest) -> Format:
    """Return the format whose envelope an answer has; where two vendors share a path, a header decides."""
    if endpoint in _FORMATS:
        return _FORMATS[endpoint]
    anthropics = endpoint.startswith("/messages") or "anthropic-version" in request.headers
    return anthropic.MESSAGES if anthropics else openai_chat.CHAT


def _is_anthropic(shape: Format) -> bool:
    return shape is anthropic.MESSAGES


def _object(body: bytes) -> Json:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidRequestError("The request body is not valid JSON") from None
    if not isinstance(data, dict):
        raise InvalidRequestError("Input should be an object")
    return data


def _failed(failed: Failure, shape: Format, stamp: Stamp) -> web.Response:
    headers = {**_JSON, **shape.headers(stamp), **shape.failure_headers(failed), **failed.headers}
    return web.Response(body=encode(shape.failure(failed, stamp)), status=failed.status, headers=headers)
