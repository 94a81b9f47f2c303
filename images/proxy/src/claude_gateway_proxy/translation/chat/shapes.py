"""The parts of Chat Completions that a translation writes."""

from typing import Literal, NotRequired, TypedDict

from claude_gateway_proxy.translation.schema.values import Schema


class TextPart(TypedDict):
    """A part of a message that is text."""

    type: Literal["text"]
    text: str


class ImageUrl(TypedDict):
    """Where an image is."""

    url: str


class ImagePart(TypedDict):
    """A part of a message that is an image."""

    type: Literal["image_url"]
    image_url: ImageUrl


class File(TypedDict):
    """A document, as a data URL."""

    filename: str
    file_data: str


class FilePart(TypedDict):
    """A part of a message that is a document."""

    type: Literal["file"]
    file: File


Part = TextPart | ImagePart | FilePart


class Call(TypedDict):
    """The function that a tool call names; ``arguments`` is JSON text."""

    name: str
    arguments: str


class Google(TypedDict):
    """What Google's own endpoint for Chat adds to a call."""

    thought_signature: str


class Extra(TypedDict):
    """Vendors' additions to a call."""

    google: Google


class ToolCall(TypedDict):
    """A call in the history."""

    id: str
    type: Literal["function"]
    function: Call
    extra_content: NotRequired[Extra]


class Message(TypedDict):
    """A message of any role."""

    role: Literal["system", "user", "assistant", "tool"]
    content: NotRequired[str | list[Part] | None]
    reasoning_content: NotRequired[str]
    reasoning_details: NotRequired[list[dict[str, object]]]
    tool_call_id: NotRequired[str]
    tool_calls: NotRequired[list[ToolCall]]


class Function(TypedDict):
    """A function that the model may call."""

    name: str
    description: NotRequired[str]
    parameters: NotRequired[Schema]
    strict: NotRequired[bool]


class Tool(TypedDict):
    """A tool that the model may call."""

    type: Literal["function"]
    function: Function


class ChosenFunction(TypedDict):
    """The name of a function."""

    name: str


class NamedChoice(TypedDict):
    """The one tool to call."""

    type: Literal["function"]
    function: ChosenFunction


class ChatRequest(TypedDict, total=False):
    """A request, all but its model; what passes through from Messages unread is ``object``."""

    stream: object
    temperature: object
    top_p: object
    parallel_tool_calls: bool
    messages: list[Message]
    max_tokens: object
    stop: object
    top_k: object
    tools: list[Tool]
    tool_choice: str | NamedChoice
    thinking: dict[str, object]
    reasoning_effort: str
    response_format: dict[str, object]
