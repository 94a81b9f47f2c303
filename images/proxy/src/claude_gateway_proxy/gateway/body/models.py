"""The models that a body names besides its ``model``: an upstream may spend our credential on any of them.

Anthropic's advisor tool and OpenAI's image tool have a ``model``, OpenRouter takes ``models``, ``preset`` and plugins
with models of their own, LiteLLM's proxy and Bifrost take ``fallbacks`` and more. A new field of this kind most likely
has a similar name, so fields are found by the words in their names, everywhere except in content and schemas.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from claude_gateway_proxy.gateway.body.document import Body
from claude_gateway_proxy.gateway.body.fields import folded
from claude_gateway_proxy.gateway.errors import bad_request

_WORDS: Final = ("model", "fallback", "deployment", "preset")
"""Words in the names of fields that name models."""

_OTHER_NAMES: Final = frozenset({"engine", "adapter_id", "lora_path"})
"""Top-level fields with other words: OpenAI's former one, and those of TGI and SGLang for a model's adapter."""

_CONTENT: Final = frozenset(
    {"description", "documents", "format", "functions", "input", "input_schema", "instructions", "json_schema"}
    | {"logit_bias", "messages", "metadata", "output_config", "output_format", "prediction", "prompt"}
    | {"response_format", "safeguards", "schema", "stop", "stop_sequences", "suffix", "system", "text", "user"}
)
"""Fields that hold what people or models wrote, or a schema, at any depth."""

_OF_CLIENT: Final = frozenset({"custom", "function"})
_DEFINITION: Final = frozenset({"custom", "function", "parameters"})
"""Types of the tools that the client defines and runs, and the fields with the definition."""

_RAW: Final = msgspec.json.Decoder(list[msgspec.Raw])
_TOOL: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Pairs(tuple[tuple[str, Any], ...]):
    """A JSON object with all values of repeated keys, because its reader may use any of them."""

    __slots__ = ()


def further_models(body: Body) -> Iterator[tuple[str, str]]:
    """Yield the top-level field and the name of each model that a body names beside ``model``.

    Linear in the size of everything except content. Raises Failure (400) for a value that is nested too deeply.
    """
    for key, (start, _) in body.members.items():
        name = folded(key)
        if name == "model" or name in _CONTENT:
            continue
        found = _names_models(name) or name in _OTHER_NAMES
        if found or body.raw[start : start + 1] in (b"{", b"["):
            text = body.value(key) or b"null"
            values = _of_tools(text) if name == "tools" else _of_value(text, found=found)
            for model in values:
                yield key, model


def _names_models(name: str) -> bool:
    return any(word in name for word in _WORDS)


def _of_tools(text: bytes) -> Iterator[str]:
    try:
        tools = [(tool, _TOOL.decode(tool)) for tool in _RAW.decode(text)]
    except msgspec.ValidationError:
        yield from _of_value(text)  # not a list of objects, so its fields are unknown
        return
    for tool, fields in tools:
        kinds = [_kind(value) for key, value in fields.items() if folded(key) == "type"]
        apart = _DEFINITION if all(kind in _OF_CLIENT for kind in kinds) else frozenset[str]()
        if any(_looked_into(folded(key), bytes(value), apart) for key, value in fields.items()):
            pairs = _decoded(bytes(tool))
            yield from _walked(_Pairs(pair for pair in pairs if folded(pair[0]) not in apart))


def _looked_into(name: str, text: bytes, apart: frozenset[str]) -> bool:
    return name not in _CONTENT and name not in apart and (_names_models(name) or text[:1] in (b"{", b"["))


def _kind(text: msgspec.Raw) -> str:
    value = msgspec.json.decode(text)
    return value if isinstance(value, str) else ""


def _of_value(text: bytes, *, found: bool = False) -> Iterator[str]:
    yield from _walked(_decoded(text), found=found)


def _walked(value: Any, *, found: bool = False) -> Iterator[str]:
    """Yield the strings in the value of a field that names models (``found``), or of such fields within the value."""
    left: list[tuple[Any, bool]] = [(value, found)]
    while left:
        value, found = left.pop()
        if isinstance(value, str):
            if found:
                yield value
        elif isinstance(value, _Pairs):
            for key, inner in value:
                name = folded(key)
                if name not in _CONTENT:
                    left.append((inner, found or _names_models(name)))
        elif isinstance(value, list):
            left += [(inner, found) for inner in value]


def _decoded(text: bytes) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_Pairs)
    except RecursionError:
        raise bad_request("the body is nested too deeply") from None
