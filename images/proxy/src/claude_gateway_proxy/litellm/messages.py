"""Messages for upstreams that have other formats: asked through Chat Completions, or through OpenAI's own Responses.

LiteLLM's functions for Messages lose ids, counts, parallel switches, reasoning and failures of tools; its functions
for these two formats lose nothing that matters here.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from claude_gateway.contract.policy import Format
from claude_gateway_proxy.litellm.answer import plain
from claude_gateway_proxy.litellm.errors import unreachable
from claude_gateway_proxy.litellm.exceptions import of_event
from claude_gateway_proxy.litellm.fields import Json
from claude_gateway_proxy.litellm.targets import Target
from claude_gateway_proxy.translation.codec.chat_answer import ChatReader
from claude_gateway_proxy.translation.codec.chat_request import chat_request
from claude_gateway_proxy.translation.codec.responses_answer import ResponsesReader
from claude_gateway_proxy.translation.codec.responses_request import responses_request
from claude_gateway_proxy.translation.codec.writer import Asked, Writer, assembled, encoded


def pivot(target: Target) -> Format:
    """The format in which a target is asked for Messages."""
    return target.translation.messages


def responses_model(target: Target, model: str) -> str:
    """LiteLLM's name of a model that Chat Completions are asked of through Responses, where the target is such."""
    provider, _, name = model.partition("/")
    return f"{provider}/responses/{name}" if pivot(target) is Format.RESPONSES else model


def request(fields: Json, *, target: Target) -> Json:
    """The fields of a request in the target's format."""
    if pivot(target) is Format.RESPONSES:
        return responses_request(fields)
    return chat_request(fields, provider=target.provider)


def message(answer: Any, *, asked: Asked, target: Target) -> Json:
    """A whole answer as one message."""
    writer = Writer(asked)

    def events() -> Iterator[Json]:
        if pivot(target) is Format.RESPONSES:
            responses = ResponsesReader(writer)
            document = plain(answer)
            if document.get("status") == "failed":
                raise of_event(document, target=target)
            yield from responses.whole(document)
            yield from responses.end()
        else:
            chat = ChatReader(writer)
            yield from chat.chunk(plain(answer))
            yield from chat.end()

    return assembled([writer.start(), *events()])


async def events(chunks: AsyncIterator[Any], *, asked: Asked, target: Target) -> AsyncIterator[bytes]:
    """A streamed answer as events. Raises Failure where the stream reports an error, and whatever LiteLLM raises."""
    writer = Writer(asked)
    read = _responses if pivot(target) is Format.RESPONSES else _chat
    begun = False
    async for event in read(chunks, writer, target):
        if not begun:
            begun = True
            yield encoded(writer.start())
        yield encoded(event)


async def _chat(chunks: AsyncIterator[Any], writer: Writer, target: Target) -> AsyncIterator[Json]:
    reader = ChatReader(writer)
    async for chunk in chunks:
        document = plain(chunk)
        if document.get("error"):
            raise of_event(document, target=target)
        for event in reader.chunk(document):
            yield event
    for event in reader.end():
        yield event


async def _responses(chunks: AsyncIterator[Any], writer: Writer, target: Target) -> AsyncIterator[Json]:
    reader = ResponsesReader(writer)
    async for chunk in chunks:
        document = plain(chunk)
        document["type"] = str(getattr(document.get("type"), "value", document.get("type")))
        if document["type"] in ("error", "response.failed"):
            raise of_event(document, target=target)
        for event in reader.event(document):
            yield event
    if not reader.ended:
        raise unreachable()
    for event in reader.end():
        yield event
