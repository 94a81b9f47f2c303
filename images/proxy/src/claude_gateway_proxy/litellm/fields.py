"""The fields of a client that reach LiteLLM: only those that the format's vendor documents.

LiteLLM's functions take routing, keys, headers, callbacks, retries and mock answers as keywords next to the model's
own parameters. Only an allowlist is safe: fields that it does not name are dropped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from claude_gateway.contract.target import Format
from claude_gateway_proxy.litellm import client_fields
from claude_gateway_proxy.litellm.errors import bad_request
from claude_gateway_proxy.translation import embeddings
from claude_gateway_proxy.translation.documents import Document
from claude_gateway_proxy.translation.messages.dialect import plain_messages


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_STATEFUL: Final = ("previous_response_id", "conversation", "prompt")
"""Fields of Responses that refer to stored state; nothing is stored here, and ignoring them would be wrong."""

_SEVERAL: Final[Mapping[str, object]] = {"best_of": 1, "echo": False, "suffix": None}
"""Fields of text completions without an equivalent for chat models, with their neutral values."""

_REFERENCES: Final = ("os.environ/", "oidc/")


@dataclass(frozen=True, slots=True)
class Fields:
    """What LiteLLM may see of a body in one format.

    ``required`` are fields with the types of their values. ``dialect``: Claude Code's is reduced first. ``honoured``
    returns a document without neutral values, and raises Failure (400) for what is not supported.
    """

    allowed: frozenset[str]
    required: Mapping[str, tuple[type, ...]]
    dialect: bool = False
    honoured: Callable[[Document], Document] = lambda document: document


def read(body: bytes, *, format: Format) -> Document:
    """Decode a body, reduce Claude Code's dialect to plain Messages, and keep what LiteLLM may see.

    Raises Failure (400).
    """
    document = decoded(body)
    if FIELDS[format].dialect:
        if not isinstance(document.get("tools"), list | None):
            raise bad_request("tools: must be a list")
        try:
            document = {**plain_messages(document)}
        except RecursionError:
            raise bad_request("messages: nested too deeply") from None
    return allowed(document, format=format)


def decoded(body: bytes) -> Document:
    """Decode a body. Raises Failure (400)."""
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"the body is not valid JSON: {error}") from None


def allowed(document: Document, *, format: Format) -> Document:
    """Return the fields of a document that LiteLLM may see. Raises Failure (400) for a value that is wrong."""
    fields = FIELDS[format]
    document = fields.honoured(document)
    kept = {name: value for name, value in document.items() if name in fields.allowed and value is not None}
    for name, kinds in fields.required.items():
        if not isinstance(kept.get(name), kinds) or isinstance(kept.get(name), bool):
            raise bad_request(f"{name}: {'Field required' if name not in kept else 'has the wrong type'}")
    _refuse_references(kept)
    _check_parts(kept)
    return kept


def _without_state(document: Document) -> Document:
    """Return a document without fields that refer to stored responses, which do not exist here. Raises Failure."""
    for name in _STATEFUL:
        if document.get(name):
            raise bad_request(f"{name}: not supported for this model, send the whole conversation as input")
    items = document.get("input")
    for number, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict) and item.get("type") == "item_reference":
            raise bad_request(
                f"input.{number}: an item_reference is not supported for this model, "
                "send the items themselves (store: false)"
            )
    if document.get("background"):
        raise bad_request("background: not supported for this model")
    return client_fields.responses(document)


def _of_one_text(document: Document) -> Document:
    """LiteLLM asks chat models for one completion of one text, and drops what says otherwise."""
    found = {**document}
    prompt = found.get("prompt")
    if isinstance(prompt, list):
        if len(prompt) != 1 or not isinstance(prompt[0], str):
            raise bad_request("prompt: lists are not supported for this model, send one text")
        found["prompt"] = prompt[0]
    for name, harmless in _SEVERAL.items():
        if found.pop(name, None) not in (None, harmless, ""):
            raise bad_request(f"{name}: is not supported for this model")
    return found


def _refuse_references(kept: Document) -> None:
    # LiteLLM takes such strings for the names of secrets. The environment holds none, but files could be read.
    for name, value in kept.items():
        if isinstance(value, str) and value.lstrip().startswith(_REFERENCES):
            raise bad_request(f"{name}: must not begin with 'os.environ/' or 'oidc/'")


def _check_parts(kept: Document) -> None:
    for name, check in _CHECKS.items():
        if name in kept:
            check(name, kept[name])


def _is_list_of_objects(name: str, value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise bad_request(f"{name}: must be a list of objects")


def _is_object(name: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise bad_request(f"{name}: must be an object")


def _is_flag(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise bad_request(f"{name}: must be true or false")


def _is_number(name: str, value: Any) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise bad_request(f"{name}: must be a number")


def _is_encoding(name: str, value: Any) -> None:
    if value not in embeddings.FORMATS:
        raise bad_request(f"{name}: must be {' or '.join(embeddings.FORMATS)}")


_CHECKS: Final[Mapping[str, Callable[[str, Any], None]]] = {
    "messages": _is_list_of_objects,
    "tools": _is_list_of_objects,
    "functions": _is_list_of_objects,
    "thinking": _is_object,
    "output_config": _is_object,
    "stream_options": _is_object,
    "response_format": _is_object,
    "reasoning": _is_object,
    "text": _is_object,
    "stream": _is_flag,
    "temperature": _is_number,
    "top_p": _is_number,
    "top_k": _is_number,
    "max_completion_tokens": _is_number,
    "max_output_tokens": _is_number,
    "encoding_format": _is_encoding,
}

FIELDS: Final[Mapping[Format, Fields]] = {
    Format.MESSAGES: Fields(
        allowed=_names(
            "max_tokens messages output_config stop_sequences stream system temperature thinking tool_choice "
            "tools top_k top_p"
        ),
        required={"messages": (list,), "max_tokens": (int,)},
        dialect=True,
    ),
    Format.COUNT_TOKENS: Fields(allowed=_names("messages system tools"), required={"messages": (list,)}, dialect=True),
    Format.CHAT: Fields(
        allowed=_names(
            "audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens "
            "max_tokens messages modalities n parallel_tool_calls prediction presence_penalty prompt_cache_key "
            "reasoning_effort response_format safety_identifier seed service_tier stop stream stream_options "
            "temperature tool_choice tools top_logprobs top_p user verbosity web_search_options"
        ),
        required={"messages": (list,)},
        honoured=client_fields.chat,
    ),
    Format.COMPLETIONS: Fields(
        allowed=_names(
            "best_of echo frequency_penalty logit_bias logprobs max_tokens n presence_penalty prompt seed stop "
            "stream stream_options suffix temperature top_p user"
        ),
        required={"prompt": (str, list)},
        honoured=_of_one_text,
    ),
    Format.RESPONSES: Fields(
        allowed=_names(
            "include input instructions max_output_tokens max_tool_calls parallel_tool_calls prompt_cache_key "
            "reasoning safety_identifier service_tier stream temperature text tool_choice tools top_logprobs "
            "top_p truncation user"
        ),
        required={"input": (str, list)},
        honoured=_without_state,
    ),
    Format.EMBEDDINGS: Fields(allowed=_names("dimensions encoding_format input user"), required={"input": (str, list)}),
}
"""One row per format."""
