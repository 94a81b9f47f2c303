"""Translates OpenAI's formats for Claude: Chat Completions and Responses to Messages on every Claude wire, and back."""

import time
from collections.abc import Iterable
from typing import Final

import msgspec

from claude_gateway.contract.model_ids import plain_name
from claude_gateway.contract.target import Format, Target, Wire
from claude_gateway_proxy.gateway.errors import bad_request
from claude_gateway_proxy.gateway.lanes.codec.fields import decoded
from claude_gateway_proxy.gateway.lanes.codec.pair import Json, ModelNames, Pair, Prepared
from claude_gateway_proxy.gateway.wire.reframe import VERSIONS
from claude_gateway_proxy.translation.chat import client_request as chat
from claude_gateway_proxy.translation.chat.client_answer import ChatWriter
from claude_gateway_proxy.translation.claude.options import Target as Asked
from claude_gateway_proxy.translation.claude.reader import Reader
from claude_gateway_proxy.translation.claude.rejected import Rejected
from claude_gateway_proxy.translation.documents import Document
from claude_gateway_proxy.translation.responses import client_request as responses
from claude_gateway_proxy.translation.responses import compaction
from claude_gateway_proxy.translation.responses.client_answer import ResponsesWriter
from claude_gateway_proxy.translation.responses.compaction import CompactionWriter
from claude_gateway_runtime.failure import Failure

_URLS: Final = frozenset({Wire.ANTHROPIC})
"""Wires on which Claude fetches images from the web."""

_CODES: Final = {400: "invalid_prompt", 413: "invalid_prompt", 429: "rate_limit_exceeded", 529: "server_is_overloaded"}
"""OpenAI's codes of responses that failed."""

_SEARCHES: Final = frozenset({Wire.ANTHROPIC, Wire.VERTEX})
"""Wires that have the web search of Anthropic's servers."""


class _Translator:
    """Translates a Claude's answer through the writer of the client's format."""

    def __init__(self, writer: ChatWriter | ResponsesWriter, names: ModelNames) -> None:
        self._writer = writer
        self._reader = Reader(writer, model=names.answered)

    @property
    def ended(self) -> bool:
        return self._reader.ended

    def document(self, document: Document) -> bytes:
        return self._reader.document(document)

    def end(self) -> bytes:
        return self._reader.end()

    def whole(self, documents: Iterable[Document]) -> bytes:
        for document in documents:
            self._reader.document(document)
        self._reader.end()
        return msgspec.json.encode(self._writer.document)

    def failed(self, failure: Failure) -> bytes | None:
        if not isinstance(self._writer, ResponsesWriter):
            return None
        return self._writer.fail(code=_CODES.get(failure.status, "server_error"), message=failure.message)


def _chat(fields: Json, target: Target, names: ModelNames, _: int) -> Prepared:
    try:
        asked = chat.messages_request(fields, target=_asked(target, names.sent))
    except (Rejected, RecursionError) as error:
        raise bad_request(_words(error)) from None
    writer = ChatWriter(asked, model=names.sent, created=int(time.time()))
    return Prepared(_framed(asked.body, target), _Translator(writer, names))


def _responses(fields: Json, target: Target, names: ModelNames, _: int) -> Prepared:
    try:
        asked = responses.messages_request(fields, target=_asked(target, names.sent))
    except (Rejected, RecursionError) as error:
        raise bad_request(_words(error)) from None
    writer = ResponsesWriter(asked, model=names.sent, created=int(time.time()))
    return Prepared(_framed(asked.body, target), _Translator(writer, names))


def _compaction(fields: Json, target: Target, names: ModelNames, _: int) -> Prepared:
    try:
        asked = responses.messages_request(compaction.summary_request(fields), target=_asked(target, names.sent))
    except (Rejected, RecursionError) as error:
        raise bad_request(_words(error)) from None
    writer = CompactionWriter(asked, model=names.sent, created=int(time.time()))
    writer.kept = compaction.user_messages(fields)
    return Prepared(_framed(asked.body, target), _Translator(writer, names))


def _asked(target: Target, model: str) -> Asked:
    return Asked(model, plain_name(model), urls=target.wire in _URLS, searches=target.wire in _SEARCHES)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, Rejected) else "the body is nested too deeply"


def _framed(body: Json, target: Target) -> Json:
    """Return the body for the target's wire: clouds have the model in the path, and Bedrock also the stream."""
    if target.wire is Wire.ANTHROPIC:
        return body
    version = msgspec.json.decode(VERSIONS[target.wire]) if target.wire in VERSIONS else None
    dropped = ("model", "stream") if target.wire is Wire.BEDROCK else ("model",)
    return {"anthropic_version": version, **{name: value for name, value in body.items() if name not in dropped}}


def _to_messages(_: Target) -> Format:
    return Format.MESSAGES


CHAT_PAIR: Final = Pair(upstream=_to_messages, read=decoded, prepare=_chat)
RESPONSES_PAIR: Final = Pair(upstream=_to_messages, read=decoded, prepare=_responses)
COMPACT_PAIR: Final = Pair(upstream=_to_messages, read=decoded, prepare=_compaction)
