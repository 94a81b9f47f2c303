"""Translates Messages for upstreams of the OpenAI wire to Chat Completions or Responses, and the answers back."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

import msgspec

from claude_gateway.contract.target import ChatCapabilities, Format, Target
from claude_gateway_proxy.capabilities import capabilities
from claude_gateway_proxy.gateway.errors import bad_request
from claude_gateway_proxy.gateway.lanes.codec.failures import cannot_count
from claude_gateway_proxy.gateway.lanes.codec.fields import messages_fields
from claude_gateway_proxy.gateway.lanes.codec.pair import Json, ModelNames, Pair, Prepared
from claude_gateway_proxy.translation.bad_answer import Broken
from claude_gateway_proxy.translation.chat.answer import ChatReader
from claude_gateway_proxy.translation.chat.request import chat_request
from claude_gateway_proxy.translation.documents import Document
from claude_gateway_proxy.translation.messages.events import Event, assembled, encoded, encoded_text
from claude_gateway_proxy.translation.messages.options import RequestOptions, request_options
from claude_gateway_proxy.translation.messages.reading import Unsupported
from claude_gateway_proxy.translation.messages.writer import Writer
from claude_gateway_proxy.translation.names import Names
from claude_gateway_proxy.translation.responses.answer import ResponsesReader
from claude_gateway_proxy.translation.responses.request import responses_request
from claude_gateway_proxy.translation.schema.unfolding import Budget
from claude_gateway_runtime.failure import Failure

_PLAIN: Final = ChatCapabilities()
_COUNTED: Final[tuple[str, ...]] = (
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "text",
)
"""The fields of a Responses request that its count of input tokens depends on."""


def _prepared(fields: Json, target: Target, names: ModelNames, size: int) -> Prepared:
    options = request_options(fields, model=names.answered or names.sent)
    try:
        if target.translation.messages is Format.RESPONSES:
            return Prepared({**responses_request(fields, names=options.names)}, _OfResponses(options))
        return Prepared(_chat(fields, options.names, target=target, size=size), _OfChat(options))
    except Unsupported as error:
        raise bad_request(str(error)) from None


def _prepared_count(fields: Json, target: Target, names: ModelNames, _: int) -> Prepared:
    counting = target.translation.counting
    if counting is None or counting.path is None:
        raise cannot_count(target.provider)
    options = request_options(fields, model=names.sent)
    try:
        found: Json = {**responses_request(fields, names=options.names)}
    except Unsupported as error:
        raise bad_request(str(error)) from None
    counted = {name: found[name] for name in _COUNTED if name in found}
    return Prepared(counted, _Count(), path=counting.path)


def _chat(fields: Json, names: Names, *, target: Target, size: int) -> Json:
    accepted = capabilities(target.translation.chat or _PLAIN, Budget(size))
    found: Json = {**chat_request(fields, names=names, capabilities=accepted)}
    if found.get("stream"):
        found["stream_options"] = {"include_usage": True}
    return found


class _Messages(ABC):
    """The common part of all Messages answers: nothing is written before the model has produced output."""

    def __init__(self, options: RequestOptions) -> None:
        self._writer = Writer(options)
        self._begun = False

    @property
    def ended(self) -> bool:
        """Whether the upstream said that the answer is complete."""
        return False

    @abstractmethod
    def _events(self, document: Document) -> Iterator[Event]:
        """The events of one document."""

    @abstractmethod
    def _last(self) -> Iterator[Event]:
        """The events that end the answer."""

    def document(self, document: Document) -> bytes:
        return self._written(self._events(document))

    def end(self) -> bytes:
        return self._written(self._last())

    def whole(self, documents: Iterable[Document]) -> bytes:
        events = [event for document in documents for event in self._events(document)]
        events += self._last()
        return msgspec.json.encode(assembled([self._writer.start(), *events]))

    def failed(self, _: Failure) -> bytes | None:
        return None

    def _written(self, events: Iterable[Event]) -> bytes:
        parts = [encoded(event) for event in events]
        if parts and not self._begun:
            self._begun = True
            parts.insert(0, encoded(self._writer.start()))
        return b"".join(parts)


class _OfChat(_Messages):
    def __init__(self, options: RequestOptions) -> None:
        super().__init__(options)
        self._reader = ChatReader(self._writer)

    def document(self, document: Document) -> bytes:
        text = self._reader.continued(document)
        if text is None:
            return super().document(document)
        return encoded_text(self._writer.index, text) if text else b""

    def _events(self, document: Document) -> Iterator[Event]:
        return self._reader.chunk(document)

    def _last(self) -> Iterator[Event]:
        return self._reader.end()


class _OfResponses(_Messages):
    def __init__(self, options: RequestOptions) -> None:
        super().__init__(options)
        self._reader = ResponsesReader(self._writer)

    @property
    def ended(self) -> bool:
        return self._reader.ended

    def _events(self, document: Document) -> Iterator[Event]:
        return self._reader.event(document)

    def _last(self) -> Iterator[Event]:
        return self._reader.end()


class _Count:
    """A count of tokens, which is never streamed."""

    ended = False

    def document(self, _: Document) -> bytes:
        return b""

    def end(self) -> bytes:
        raise Broken("the upstream streamed a count of tokens")

    def whole(self, documents: Iterable[Document]) -> bytes:
        count = next((document.get("input_tokens") for document in documents), None)
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise Broken("the upstream's answer has no count of tokens")
        return b'{"input_tokens":%d}' % count

    def failed(self, _: Failure) -> bytes | None:
        return None


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
