"""The LiteLLM lane: the worker next door answers in the caller's format what no upstream answers in it by itself."""

from collections.abc import Awaitable
from typing import Final

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from claude_gateway.contract.policy import Format, Target
from claude_gateway.names import HEADER_MODEL, HEADER_TARGET
from claude_gateway_proxy.gateway.body.facts import readable
from claude_gateway_proxy.gateway.call import Call
from claude_gateway_proxy.gateway.errors import bad_request
from claude_gateway_proxy.gateway.upstream.session import JsonPayload, unix_session

_URLS: Final = {
    format_: URL(f"http://litellm/v1/{path}")
    for format_, path in {
        Format.MESSAGES: "messages",
        Format.COUNT_TOKENS: "messages/count_tokens",
        Format.CHAT: "chat/completions",
        Format.COMPLETIONS: "completions",
        Format.RESPONSES: "responses",
        Format.EMBEDDINGS: "embeddings",
    }.items()
}


class LiteLLMLane:
    """Requests to the LiteLLM worker over its Unix socket."""

    def __init__(self, socket: str) -> None:
        self._session = unix_session(socket)

    def request(self, target: Target, *, call: Call, body: bytes) -> Awaitable[aiohttp.ClientResponse]:
        """Prepare the POST of ``body``; awaited, it gives the head of the answer.

        Raises Failure (400) for a model name that does not fit in a header; the awaitable raises aiohttp.ClientError
        or OSError where the worker does not answer.
        """
        model = call.asked if target.model == "*" else target.model
        if not model.isascii():
            raise bad_request("model: this route takes names in ASCII only")
        headers = CIMultiDict({HEADER_TARGET: target.id, HEADER_MODEL: model, "content-type": "application/json"})
        headers["x-request-id"] = call.record.request_id
        headers["accept"] = "text/event-stream" if call.body.stream else "application/json"
        return self._session.post(
            _URLS[call.format], headers=headers, data=JsonPayload(readable(body)), allow_redirects=False
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()
