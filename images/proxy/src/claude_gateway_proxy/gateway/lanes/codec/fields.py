"""The fields of a request that a translation reads, with the types that it relies on."""

from typing import Final

import msgspec

from claude_gateway_proxy.gateway.errors import bad_request
from claude_gateway_proxy.gateway.lanes.codec.pair import Json
from claude_gateway_proxy.translation.messages.dialect import plain_messages

_NUMBERS: Final = ("temperature", "top_p", "top_k")


def decoded(body: bytes) -> Json:
    """Decode a body that is known to be a JSON object. Raises Failure (400) where it is nested too deeply."""
    try:
        found: Json = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"the body is not valid JSON: {error}") from None
    return found


def messages_fields(body: bytes, *, counted: bool) -> Json:
    """Read a request in Claude Code's dialect as plain Messages; a ``counted`` one needs no output limit.

    Raises Failure (400) for a value that is invalid for every upstream.
    """
    document = decoded(body)
    _check_lists(document)
    limit = document.get("max_tokens")
    if not counted and (not isinstance(limit, int) or isinstance(limit, bool)):
        raise bad_request(f"max_tokens: {'Field required' if limit is None else 'has the wrong type'}")
    for name in _NUMBERS:
        value = document.get(name)
        if value is None:
            document.pop(name, None)
        elif not isinstance(value, int | float) or isinstance(value, bool):
            raise bad_request(f"{name}: must be a number")
    try:
        return {**plain_messages(document)}
    except RecursionError:
        raise bad_request("messages: nested too deeply") from None


def _check_lists(document: Json) -> None:
    messages, tools = document.get("messages"), document.get("tools")
    if messages is None:
        raise bad_request("messages: Field required")
    if not _is_objects(messages):
        raise bad_request("messages: must be a list of objects")
    if tools is not None and not _is_objects(tools):
        raise bad_request("tools: must be a list of objects")


def _is_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)
