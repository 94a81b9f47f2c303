"""What a check works with: the gateway, its upstream, and helpers for common calls."""

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from claude_gateway.conformance import sse
from claude_gateway.conformance.client import TIMEOUT, Client, Headers, Reply
from claude_gateway.conformance.options import Models, Options
from claude_gateway.conformance.requirement import Failed, expect
from claude_gateway.conformance.upstream import AGAIN, Seen, Upstream

VERSION: Final = ("anthropic-version", "2023-06-01")
JSON: Final = ("content-type", "application/json")

Json = dict[str, Any]


class Bench:
    """The environment of one check; ``marker`` is a unique text in its requests."""

    def __init__(self, gateway: Client, options: Options, upstream: Upstream | None) -> None:
        self.gateway = gateway
        self.options = options
        self.marker = f"mark-{secrets.token_hex(6)}"
        self._upstream = upstream

    @property
    def models(self) -> Models:
        """The model names."""
        return self.options.models

    @property
    def key(self) -> str:
        """The client key."""
        return self.options.key

    @property
    def bearer(self) -> tuple[str, str]:
        """The header in which Claude Code sends ``ANTHROPIC_AUTH_TOKEN``."""
        return ("authorization", f"Bearer {self.key}")

    @property
    def upstream(self) -> Upstream:
        """The control client of the scripted model behind the gateway."""
        if self._upstream is None:
            raise Failed("the check uses the upstream but does not declare this need")
        return self._upstream

    def body(self, text: str = "Say hello", *, model: str | None = None, **fields: Any) -> Json:
        """Return a small Messages body with the marker."""
        return {
            "model": model or self.models.claude,
            "max_tokens": 256,
            "messages": [{"role": "user", "content": f"{text} {self.marker}"}],
            **fields,
        }

    def post(
        self,
        path: str,
        body: Mapping[str, Any] | bytes,
        *,
        headers: Headers = (),
        auth: Headers | None = None,
        timeout: float = TIMEOUT,
    ) -> Reply:
        """POST JSON with the key as bearer token, or with the headers ``auth`` instead."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = [JSON, *([self.bearer] if auth is None else auth), *headers]
        return self.gateway.call("POST", path, headers=sent, body=data, timeout=timeout)

    def get(self, path: str, *, headers: Headers = (), auth: Headers | None = None, timeout: float = TIMEOUT) -> Reply:
        """GET with the key as bearer token, or with the headers ``auth`` instead."""
        sent = [*([self.bearer] if auth is None else auth), *headers]
        return self.gateway.call("GET", path, headers=sent, timeout=timeout)

    def messages(
        self,
        body: Mapping[str, Any] | bytes,
        *,
        headers: Headers = (),
        auth: Headers | None = None,
        timeout: float = TIMEOUT,
    ) -> Reply:
        """POST a Messages body to the path that Claude Code uses."""
        return self.post("/v1/messages?beta=true", body, headers=[VERSION, *headers], auth=auth, timeout=timeout)

    def answer(self, body: Mapping[str, Any] | bytes, *, headers: Headers = ()) -> Json:
        """POST a body and return the message. Raises Failed for another status or another structure."""
        reply = self.messages(body, headers=headers)
        document = reply.expect(200).json
        expect(
            isinstance(document, dict) and document.get("type") == "message", f"{reply}: the response is not a message"
        )
        expect(isinstance(document.get("content"), list), f"{reply}: no content blocks")
        return dict(document)

    def stream(self, body: Mapping[str, Any], *, headers: Headers = (), timeout: float = TIMEOUT) -> list[sse.Event]:
        """POST a body and return the streamed events. Raises Failed if Claude Code would reject them."""
        return sse.of_messages(self.messages({**body, "stream": True}, headers=headers, timeout=timeout))

    def script(self, **step: Any) -> None:
        """Script the upstream's answer to this check's requests with a step of the scripted model."""
        self.upstream.script({"match": self.marker, "times": AGAIN, **step})

    def seen(self) -> Seen:
        """Return this check's newest request as the upstream received it. Raises Failed if there is none."""
        found = self.all_seen()
        if not found:
            raise Failed("the upstream received no request")
        return found[-1]

    def all_seen(self) -> Sequence[Seen]:
        """Return this check's requests as the upstream received them."""
        return self.upstream.seen(self.marker)


def text_of(message: Mapping[str, Any]) -> str:
    """Return the text of a message's blocks."""
    return "".join(str(block.get("text", "")) for block in message["content"] if block.get("type") == "text")


def tools_of(message: Mapping[str, Any]) -> list[Json]:
    """Return the tool calls of a message."""
    return [dict(block) for block in message["content"] if block.get("type") == "tool_use"]
