"""Messages for upstreams of the OpenAI wire: sent as Chat Completions or as Responses, and the answers back."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

import msgspec

from claude_gateway.contract.policy import ChatCapabilities, Format, Target
from claude_gateway_proxy.capabilities import capabilities
from claude_gateway_proxy.gateway.lanes.codec.failures import cannot_count
from claude_gateway_proxy.gateway.lanes.codec.fields import messages_fields
from claude_gateway_proxy.gateway.lanes.codec.pair import Json, Pair, Prepared
from claude_gateway_proxy.translation.bad_answer import Broken, Reported
from claude_gateway_proxy.translation.chat.answer import ChatReader
from claude_gateway_proxy.translation.chat.request import chat_request
from claude_gateway_proxy.translation.decoding import MALFORMED, decode
from claude_gateway_proxy.translation.framing import ServerEvent
from claude_gateway_proxy.translation.messages.events import Event, assembled, encoded
from claude_gateway_proxy.translation.messages.options import RequestOptions, request_options
from claude_gateway_proxy.translation.messages.writer import Writer
from claude_gateway_proxy.translation.names import Names
from claude_gateway_proxy.translation.responses.answer import ResponsesReader
from claude_gateway_proxy.translation.responses.request import responses_request
from claude_gateway_proxy.translation.schema.unfolding import Budget

_PLAIN: Final = ChatCapabilities()
_DONE: Final = b"[DONE]"
_COUNTED: Final[tuple[str, ...]] = (
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "text",
)
"""The fields of a response that its count of input tokens depends on."""


def _prepared(fields: Json, target: Target, model: str, size: int) -> Prepared:
    options = request_options(fields, model=model)
    if target.translation.messages is Format.RESPONSES:
        return Prepared({**responses_request(fields, names=options.names)}, _OfResponses(options))
    return Prepared(_chat(fields, options.names, target=target, size=size), _OfChat(options))


def _prepared_count(fields: Json, target: Target, model: str, _: int) -> Prepared:
    counting = target.translation.counting
    if counting is None or counting.path is None:
        raise cannot_count(target.provider)
    options = request_options(fields, model=model)
    found: Json = {**responses_request(fields, names=options.names)}
    counted = {name: found[name] for name in _COUNTED if name in found}
    return Prepared(counted, _Count(), path=counting.path)


def _chat(fields: Json, names: Names, *, target: Target, size: int) -> Json:
    accepted = capabilities(target.translation.chat or _PLAIN, Budget(size))
    found: Json = {**chat_request(fields, names=names, capabilities=accepted)}
    if found.get("stream"):
        found["stream_options"] = {"include_usage": True}
    return found


class _Messages:
    """What all answers of Messages have in common: nothing is written before the model has said something."""

    def __init__(self, options: RequestOptions) -> None:
        self._writer = Writer(options)
        self._begun = False
        self.ended = False

    def _written(self, events: Iterable[Event]) -> bytes:
        parts = [encoded(event) for event in events]
        if parts and not self._begun:
            self._begun = True
            parts.insert(0, encoded(self._writer.start()))
        return b"".join(parts)

    def _document(self, events: Iterator[Event]) -> bytes:
        told = list(events)
        return msgspec.json.encode(assembled([self._writer.start(), *told]))


class _OfChat(_Messages):
    def __init__(self, options: RequestOptions) -> None:
        super().__init__(options)
        self._reader = ChatReader(self._writer)

    def event(self, event: ServerEvent) -> bytes:
        if event.data == _DONE:
            self.ended = True
            return self.end()
        document = decode(event.data)
        _check(document)
        return self._written(self._reader.chunk(document))

    def end(self) -> bytes:
        return self._written(self._reader.end())

    def whole(self, document: Any) -> bytes:
        _check(document)
        return self._document(self._all(document))

    def streamed(self, document: Any) -> bytes:
        _check(document)
        return self._written(self._all(document))

    def _all(self, document: Any) -> Iterator[Event]:
        yield from self._reader.chunk(document)
        yield from self._reader.end()


class _OfResponses(_Messages):
    def __init__(self, options: RequestOptions) -> None:
        super().__init__(options)
        self._reader = ResponsesReader(self._writer)

    def event(self, event: ServerEvent) -> bytes:
        document = decode(event.data)
        _check(document)
        written = self._written(self._reader.event(document))
        if self._reader.ended and not self.ended:
            self.ended = True
            written += self.end()
        return written

    def end(self) -> bytes:
        if not self._reader.ended:
            raise Broken("the upstream ended its answer before it was complete")
        return self._written(self._reader.end())

    def whole(self, document: Any) -> bytes:
        _check(document)
        return self._document(self._all(document))

    def streamed(self, document: Any) -> bytes:
        _check(document)
        return self._written(self._all(document))

    def _all(self, document: Any) -> Iterator[Event]:
        yield from self._reader.whole(document)
        yield from self._reader.end()


def _check(document: Any) -> None:
    if document is MALFORMED or not isinstance(document, dict):
        raise Broken("the upstream's answer is not JSON")
    response = document.get("response")
    error = document.get("error") or (response.get("error") if isinstance(response, Mapping) else None)
    if error or document.get("type") == "error":
        fields = error if isinstance(error, dict) else {"message": str(error or document.get("message"))}
        raise Reported(str(fields.get("message")), status=500, document=document)


class _Count:
    """A count of tokens, which is never streamed."""

    ended = False

    def event(self, _: ServerEvent) -> bytes:
        raise Broken("the upstream streamed a count of tokens")

    def end(self) -> bytes:
        raise Broken("the upstream streamed a count of tokens")

    def whole(self, document: Any) -> bytes:
        _check(document)
        count = document.get("input_tokens")
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise Broken("the upstream's answer has no count of tokens")
        return b'{"input_tokens":%d}' % count

    def streamed(self, document: Any) -> bytes:
        return self.whole(document)


PAIR: Final = Pair(
    upstream=lambda target: target.translation.messages,
    read=partial(messages_fields, counted=False),
    prepare=_prepared,
)
COUNT_PAIR: Final = Pair(
    upstream=lambda target: target.translation.messages,
    read=partial(messages_fields, counted=True),
    prepare=_prepared_count,
)
