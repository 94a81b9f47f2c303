"""The parts of Responses that a translation writes."""

from typing import Any, Literal, NotRequired, TypedDict

from claude_gateway_proxy.translation.schema.values import Schema


class TextPart(TypedDict):
    """A part of a message that is text."""

    type: Literal["input_text", "output_text"]
    text: str


class ImagePart(TypedDict):
    """A part of a message that is an image."""

    type: Literal["input_image"]
    image_url: str
    detail: Literal["auto"]


class FilePart(TypedDict):
    """A part of a message that is a document, by its content or its address."""

    type: Literal["input_file"]
    filename: NotRequired[str]
    file_data: NotRequired[str]
    file_url: NotRequired[str]


Part = TextPart | ImagePart | FilePart


class MessageItem(TypedDict):
    """What a role says in a row."""

    type: Literal["message"]
    role: str
    content: list[Part]


class CallItem(TypedDict):
    """A call in the history; ``arguments`` is JSON text."""

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str


class OutputItem(TypedDict):
    """The result of a call."""

    type: Literal["function_call_output"]
    call_id: str
    output: str | list[Part]


Item = MessageItem | CallItem | OutputItem | dict[str, Any]
"""An item of the input; reasoning items go back as they came."""


class Tool(TypedDict):
    """A function that the model may call."""

    type: Literal["function"]
    name: str
    strict: bool
    description: NotRequired[str]
    parameters: NotRequired[Schema]


class NamedChoice(TypedDict):
    """The one tool to call."""

    type: Literal["function"]
    name: str


class ResponsesRequest(TypedDict, total=False):
    """A request, all but its model; what passes through from Messages unread is ``object``."""

    stream: object
    temperature: object
    top_p: object
    store: bool
    input: list[Item]
    instructions: str
    max_output_tokens: int
    tools: list[Tool]
    parallel_tool_calls: bool
    tool_choice: str | NamedChoice
    reasoning: dict[str, str]
    include: list[str]
    text: dict[str, object]
