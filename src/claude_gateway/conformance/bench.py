"""What a check works with: the gateway, the upstream behind it, and short words for the usual calls."""

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from claude_gateway.conformance import sse
from claude_gateway.conformance.check import Failed, expect
from claude_gateway.conformance.client import TIMEOUT, Client, Headers, Reply
from claude_gateway.conformance.options import Models, Options
from claude_gateway.conformance.upstream import AGAIN, Seen, Upstream

VERSION: Final = ("anthropic-version", "2023-06-01")
JSON: Final = ("content-type", "application/json")

Json = dict[str, Any]


class Bench:
    """One check's view: ``marker`` is a text of its own, by which its requests are known upstream."""

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
        """The key as Claude Code sends ``ANTHROPIC_AUTH_TOKEN``."""
        return ("authorization", f"Bearer {self.key}")

    @property
    def upstream(self) -> Upstream:
        """The control face of what is behind the gateway."""
        if self._upstream is None:
            raise Failed("a check looks upstream and does not say that it needs to")
        return self._upstream

    def body(self, text: str = "Say hello", *, model: str | None = None, **fields: Any) -> Json:
        """A small Messages body that carries the marker."""
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
        """POST a Messages body where Claude Code does."""
        return self.post("/v1/messages?beta=true", body, headers=[VERSION, *headers], auth=auth, timeout=timeout)

    def answer(self, body: Mapping[str, Any] | bytes, *, headers: Headers = ()) -> Json:
        """The message that a body earns. Raises Failed for another status and another shape."""
        reply = self.messages(body, headers=headers)
        document = reply.expect(200).json
        expect(isinstance(document, dict) and document.get("type") == "message", f"{reply}: no message")
        expect(isinstance(document.get("content"), list), f"{reply}: no content blocks")
        return dict(document)

    def stream(self, body: Mapping[str, Any], *, headers: Headers = (), timeout: float = TIMEOUT) -> list[sse.Event]:
        """The events that a body earns as a stream. Raises Failed where Claude Code would not take them."""
        return sse.of_messages(self.messages({**body, "stream": True}, headers=headers, timeout=timeout))

    def script(self, **step: Any) -> None:
        """Answer this check's requests upstream by a step (keys of the scripted model's)."""
        self.upstream.script({"match": self.marker, "times": AGAIN, **step})

    def seen(self) -> Seen:
        """This check's request as the upstream received it (the newest). Raises Failed if it never came."""
        found = self.all_seen()
        if not found:
            raise Failed("nothing came to the upstream")
        return found[-1]

    def all_seen(self) -> Sequence[Seen]:
        """This check's requests as the upstream received them."""
        return self.upstream.seen(self.marker)


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message's blocks."""
    return "".join(str(block.get("text", "")) for block in message["content"] if block.get("type") == "text")


def tools_of(message: Mapping[str, Any]) -> list[Json]:
    """The tool calls of a message."""
    return [dict(block) for block in message["content"] if block.get("type") == "tool_use"]
