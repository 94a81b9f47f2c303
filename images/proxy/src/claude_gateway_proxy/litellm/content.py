"""Which content of OpenAI's clients reaches LiteLLM, which omits content that a provider's format cannot express.

A caller would not notice the omission, so such content is rejected by name.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from claude_gateway.contract.target import Format
from claude_gateway_proxy.litellm.errors import bad_request

OPENAI: Final = ("openai", "azure")
"""Providers that LiteLLM passes everything on to."""

CLAUDES: Final = ("anthropic", "bedrock")
"""Providers of Claude, whose format has no audio, no JSON without a schema and no files stored at OpenAI."""

_ITEMS: Final = (
    *("message", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output"),
    *("reasoning", "web_search_call"),
)
_LOGPROBS: Final = "message.output_text.logprobs"


def check_content(fields: Mapping[str, Any], *, format: Format, provider: str) -> None:
    """Check the content of a request to a provider, by LiteLLM's name. Raises Failure (400)."""
    if provider in OPENAI:
        return
    if format is Format.RESPONSES:
        _check_items(fields)
    if provider in CLAUDES and format in (Format.CHAT, Format.RESPONSES):
        for at, part in _parts(fields):
            _check_part(part, at=at)


def _check_items(fields: Mapping[str, Any]) -> None:
    include = fields.get("include")
    if isinstance(include, list) and _LOGPROBS in include:
        raise bad_request(f"include: {_LOGPROBS} is not supported for this model")
    items = fields.get("input")
    for number, item in enumerate(items if isinstance(items, list) else ()):
        kind = item.get("type") or "message" if isinstance(item, dict) else None
        if kind not in _ITEMS:
            raise bad_request(f"input.{number}: items of type '{str(kind)[:64]}' are not supported for this model")
        if kind == "message" and not item.get("role"):
            raise bad_request(f"input.{number}.role: Field required")


def _parts(fields: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The parts of all messages or items, with their places."""
    for at, turn in _objects(fields, ("messages", "input")):
        yield from _objects(turn, ("content", "output"), at=f"{at}.")


def _objects(
    holder: Mapping[str, Any], names: Sequence[str], *, at: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects in the lists of these fields, with their places below ``at``."""
    for name in names:
        found = holder.get(name)
        for number, each in enumerate(found if isinstance(found, list) else ()):
            if isinstance(each, dict):
                yield f"{at}{name}.{number}", each


def _check_part(part: Mapping[str, Any], *, at: str) -> None:
    if part.get("type") == "input_audio":
        raise bad_request(f"{at}.type: parts of type 'input_audio' are not supported for this model")
    file = part.get("file")
    if part.get("file_id") or (isinstance(file, dict) and file.get("file_id")):
        raise bad_request(f"{at}: send the file itself as file_data; ids of files are not supported for this model")
