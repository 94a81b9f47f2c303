"""Refusals that the relay lane reads before it sends a request once more."""

from claude_gateway_proxy.bounds import ERROR_MOST
from claude_gateway_proxy.gateway.lanes.lane import Response
from claude_gateway_proxy.gateway.lanes.whole import Whole, json_answer


async def refusal(response: Response) -> tuple[bytes, Whole]:
    """Read a refusal, of a very large one the beginning; return it, and the answer that passes it on.

    Raises OSError where it breaks off.
    """
    body = bytearray()
    try:
        while len(body) < ERROR_MOST and (piece := await response.read()):
            body += piece
    finally:
        response.close()
    read = bytes(body)
    return read, json_answer(read, status=response.status, headers=response.headers)
