"""The requests of a batch, as they are in the body that creates it."""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from claude_gateway_proxy.gateway.body.document import parse
from claude_gateway_proxy.gateway.errors import Failure, bad_json, bad_request

MOST: Final = 100_000
"""The most requests of a batch, as at Anthropic (platform.claude.com, batch processing)."""

_CUSTOM_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FIELD: Final = "requests"
_WORDS: Final = 200
_ANY_MODEL: Final = "-"


class _Ident(str):
    __slots__ = ()


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    custom_id: _Ident
    params: msgspec.Raw


def items(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the custom id and the JSON text of the parameters of each request.

    Linear in the size of the body. Raises Failure (400) if it does not describe a batch, or if a custom id is not
    unique.
    """
    body = parse(raw, model=_ANY_MODEL)
    for field in body.members:
        if field != _FIELD:
            raise bad_request(f"{field[:_WORDS]}: unknown field; a batch has {_FIELD} alone")
    found = _decoded(body.value(_FIELD) or b"[]")
    if not found:
        raise bad_request(f"{_FIELD}: must have at least one request")
    seen: set[str] = set()
    for index, request in enumerate(found):
        ident = str(request.custom_id)
        if not _CUSTOM_ID.fullmatch(ident):
            raise bad_request(f"{_FIELD}.{index}.custom_id: must be 1 to 64 letters, digits, '_' and '-'")
        if ident in seen:
            raise bad_request(f"{_FIELD}.{index}.custom_id: '{ident}' is the id of another request of the batch too")
        seen.add(ident)
        yield ident, bytes(request.params)


def _decoded(text: bytes) -> list[_Request]:
    """Decode the list; a list that is too long fails at the first request above the limit, before it takes memory."""
    left = MOST

    def counted(_: type, ident: Any) -> _Ident:
        nonlocal left
        left -= 1
        if left < 0:
            raise _too_many()
        if not isinstance(ident, str):
            raise TypeError("Expected `str`")
        return _Ident(ident)

    try:
        found: list[_Request] = msgspec.json.decode(text, type=list[_Request], dec_hook=counted)
    except msgspec.ValidationError as error:
        raise bad_request(f"{_FIELD}: {str(error)[:_WORDS]}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise bad_json("it is not UTF-8") from None
    return found


def _too_many() -> Failure:
    return bad_request(f"{_FIELD}: a batch has at most {MOST} requests")
