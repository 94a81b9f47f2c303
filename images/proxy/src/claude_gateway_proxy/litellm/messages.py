"""Messages for upstreams that have other formats: translated to Chat Completions, or to OpenAI's own Responses.

LiteLLM's functions for Messages lose ids, counts, parallel switches, reasoning and failures of tools; its functions
for these two formats lose nothing that matters here.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from claude_gateway.contract.target import ChatCapabilities, Format
from claude_gateway_proxy.capabilities import capabilities
from claude_gateway_proxy.litellm import quirks, schemas
from claude_gateway_proxy.litellm.answer import plain
from claude_gateway_proxy.litellm.exceptions import of_event
from claude_gateway_proxy.litellm.regular import answer_context
from claude_gateway_proxy.litellm.targets import Target
from claude_gateway_proxy.translation.chat.answer import ChatReader
from claude_gateway_proxy.translation.chat.request import chat_request
from claude_gateway_proxy.translation.documents import Document
from claude_gateway_proxy.translation.messages.events import Event, Message, Usage, assembled, encoded
from claude_gateway_proxy.translation.messages.options import RequestOptions
from claude_gateway_proxy.translation.messages.writer import Writer
from claude_gateway_proxy.translation.names import Names
from claude_gateway_proxy.translation.responses.answer import ResponsesReader
from claude_gateway_proxy.translation.responses.request import responses_request

_PLAIN: Final = ChatCapabilities()


def pivot(target: Target) -> Format:
    """Return the format in which Messages are sent to a target."""
    return target.translation.messages


def responses_model(target: Target, model: str) -> str:
    """LiteLLM's name of a model that Chat Completions are asked of through Responses, where the target is such."""
    provider, _, name = model.partition("/")
    return f"{provider}/responses/{name}" if pivot(target) is Format.RESPONSES else model


def request(fields: Document, *, names: Names, target: Target) -> Document:
    """Return the fields of a request in the target's format."""
    if pivot(target) is Format.RESPONSES:
        return {**responses_request(fields, names=names)}
    return chat(fields, names=names, target=target)


def chat(fields: Document, *, names: Names, target: Target) -> Document:
    """Return the fields of a request as Chat Completions for the target, as LiteLLM takes them."""
    accepted = target.translation.chat or _PLAIN
    found = chat_request(fields, names=names, capabilities=capabilities(accepted, schemas.current()))
    return quirks.sent(found, named_choice=accepted.named_choice)


def message(answer: Any, *, options: RequestOptions, target: Target) -> Message:
    """Return a whole answer as one message."""
    writer = Writer(options)

    def events() -> Iterator[Event]:
        if pivot(target) is Format.RESPONSES:
            responses = ResponsesReader(writer)
            document = plain(answer)
            if document.get("status") == "failed":
                raise of_event(document, target=target)
            yield from responses.whole(document)
            yield from responses.end()
        else:
            completion = ChatReader(writer)
            yield from completion.chunk(quirks.chunk(answer))
            _count(writer)
            yield from completion.end()

    return assembled([writer.start(), *events()])


async def events(chunks: AsyncIterator[Any], *, options: RequestOptions, target: Target) -> AsyncIterator[bytes]:
    """Yield a streamed answer as events.

    Raises Failure where the stream reports an error, and whatever LiteLLM raises.
    """
    writer = Writer(options)
    read = _responses if pivot(target) is Format.RESPONSES else _chat
    begun = False
    async for event in read(chunks, writer, target):
        if not begun:
            begun = True
            yield encoded(writer.start())
        yield encoded(event)


async def _chat(chunks: AsyncIterator[Any], writer: Writer, target: Target) -> AsyncIterator[Event]:
    reader = ChatReader(writer)
    async for chunk in chunks:
        document = quirks.chunk(chunk)
        if document.get("error"):
            raise of_event(document, target=target)
        for event in reader.chunk(document):
            yield event
    _count(writer)
    for event in reader.end():
        yield event


def _count(writer: Writer) -> None:
    """Use the upstream's own counts if they were read: LiteLLM estimates those that it does not find."""
    context = answer_context.get()
    if context is not None and context.regular:
        writer.usage = context.usage or Usage()


async def _responses(chunks: AsyncIterator[Any], writer: Writer, target: Target) -> AsyncIterator[Event]:
    reader = ResponsesReader(writer)
    async for chunk in chunks:
        document = quirks.event(chunk)
        if document["type"] in ("error", "response.failed"):
            raise of_event(document, target=target)
        for event in reader.event(document):
            yield event
    for event in reader.end():
        yield event
