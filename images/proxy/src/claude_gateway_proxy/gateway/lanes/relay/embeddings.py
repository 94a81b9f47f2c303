"""Embeddings in base64 from servers that do not support that parameter."""

from collections.abc import Awaitable

import msgspec

from claude_gateway_proxy.bounds import WHOLE_MOST
from claude_gateway_proxy.gateway.body.document import Body
from claude_gateway_proxy.gateway.lanes.lane import Response
from claude_gateway_proxy.gateway.lanes.whole import json_answer
from claude_gateway_proxy.gateway.wire.headers import upstream_request_id
from claude_gateway_proxy.translation.embeddings import BASE64, encoded
from claude_gateway_proxy.unreachable import AnswerBroken

_WANTED = msgspec.json.encode(BASE64)


def wants_base64(body: Body) -> bool:
    """Whether a client requests embeddings in base64."""
    return body.value("encoding_format") == _WANTED


async def in_base64(response: Awaitable[Response]) -> Response:
    """Return an answer with its embeddings in base64, one that has them so already unchanged.

    Raises what awaiting the response and reading it raise.
    """
    answer = await response
    if answer.status != 200 or answer.header(b"content-encoding") not in ("", "identity"):
        return answer
    parts: list[bytes] = []
    size = 0
    try:
        while piece := await answer.read():
            parts.append(piece)
            size += len(piece)
            if size > WHOLE_MOST:
                raise AnswerBroken(f"the upstream's answer is larger than {WHOLE_MOST:,} bytes")
    finally:
        answer.close()
    ident = upstream_request_id(answer.headers)
    headers = [] if ident is None else [(b"request-id", ident.encode())]
    return json_answer(_converted(b"".join(parts)), headers=headers)


def _converted(body: bytes) -> bytes:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body
    return msgspec.json.encode(encoded(document, form=BASE64)) if isinstance(document, dict) else body
