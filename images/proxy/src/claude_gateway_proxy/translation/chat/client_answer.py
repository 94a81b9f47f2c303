"""A Claude's answer as the chunks of a chat completion, or as a whole one, for a client of Chat Completions."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

import msgspec

from claude_gateway_proxy.translation.chat.client_request import ChatAsked
from claude_gateway_proxy.translation.claude.counts import Counts
from claude_gateway_proxy.translation.claude.fence import Fence
from claude_gateway_proxy.translation.claude.reader import Finish
from claude_gateway_proxy.translation.claude.tools import custom_input
from claude_gateway_proxy.translation.claude.turns import Block
from claude_gateway_proxy.translation.messages.stops import StopSequences

DONE: Final = b"data: [DONE]\n\n"
"""The end of a stream of Chat Completions."""

_ENCODER: Final = msgspec.json.Encoder()
_FORMAT: Final = "anthropic-claude-v1"
"""The kind of reasoning details, by OpenRouter's name."""


class ChatWriter:
    """Writes one answer. ``document`` is the whole of it once it is finished."""

    def __init__(self, asked: ChatAsked, *, model: str, created: int) -> None:
        """``model`` is the name to use if the answer has none, ``created`` the time in seconds."""
        self._asked = asked
        self._ident = f"chatcmpl-{uuid4().hex}"
        self._model = model
        self._created = created
        self._before = self._after = b""
        self._stops = StopSequences(asked.answer.stops)
        self._fence = Fence() if asked.answer.fenced else None
        self._text: list[str] = []
        self._length = self._block_start = 0
        self._thinking: list[str] = []
        self._details: list[Block] = []
        self._annotations: list[Block] = []
        self._citations: list[Mapping[str, Any]] = []
        self._calls: list[Block] = []
        self._custom = False
        self._arguments: list[str] = []
        self.document: dict[str, Any] = {}

    def start(self, model: str) -> bytes:
        """Begin the answer."""
        self._model = model or self._model
        head = {"id": self._ident, "object": "chat.completion.chunk", "created": self._created, "model": self._model}
        encoded = _ENCODER.encode(head)[:-1]
        self._before = b"data: " + encoded + b',"choices":[{"index":0,"delta":'
        self._after = b',"finish_reason":null}]}\n\n'
        return self._delta({"role": "assistant", "content": ""})

    def text(self, text: str) -> bytes:
        """Write a piece of text."""
        if self._fence is not None:
            text = self._fence.feed(text)
        if self._stops.met:
            return b""
        return self._said(self._stops.until(text))

    def text_done(self) -> bytes:
        """End a block of text: its sources apply to all of it."""
        found = [_annotation(each, self._block_start, self._length) for each in self._citations if each.get("url")]
        self._citations = []
        self._block_start = self._length
        self._annotations += found
        return self._delta({"annotations": found}) if found else b""

    def cited(self, citation: Mapping[str, Any]) -> bytes:
        """Record a source."""
        self._citations.append(citation)
        return b""

    def thinking(self, text: str) -> bytes:
        """Write a piece of thinking, in the field that servers with reasoning use."""
        if self._stops.met:
            return b""
        self._thinking.append(text)
        return self._delta({"reasoning_content": text})

    def thought(self, block: Block) -> bytes:
        """Write what must come back for the thinking to go on, where OpenRouter's clients keep it."""
        number = len(self._details)
        if block["type"] == "redacted_thinking":
            detail = {"type": "reasoning.encrypted", "data": block["data"], "format": _FORMAT, "index": number}
        elif block["signature"]:
            words = {"text": block["thinking"], "signature": block["signature"]}
            detail = {"type": "reasoning.text", **words, "format": _FORMAT, "index": number}
        else:
            return b""
        self._details.append(detail)
        return self._delta({"reasoning_details": [detail]})

    def call(self, ident: str, name: str) -> bytes:
        """Begin a call."""
        if self._stops.met:
            return b""
        tool = self._asked.answer.tools.to_client(name)
        self._custom, self._arguments = tool.kind == "custom", []
        kind, words = ("custom", "input") if self._custom else ("function", "arguments")
        call = {"id": ident, "type": kind, kind: {"name": tool.name, words: ""}}
        self._calls.append(call)
        if self._asked.legacy:
            return self._delta({"function_call": call["function"]}) if len(self._calls) == 1 else b""
        return self._delta({"tool_calls": [{"index": len(self._calls) - 1, **call}]})

    def arguments(self, text: str) -> bytes:
        """Write a piece of a call's arguments; the text for a custom tool is known at the end only."""
        if self._stops.met:
            return b""
        self._arguments.append(text)
        return b"" if self._custom else self._piece("function", "arguments", text)

    def called(self) -> bytes:
        """End a call."""
        if self._stops.met:
            return b""
        text = "".join(self._arguments)
        if not self._custom:
            self._calls[-1]["function"]["arguments"] = text
            return b""
        text = self._calls[-1]["custom"]["input"] = custom_input(text)
        return self._piece("custom", "input", text)

    def search(self, ident: str, query: str) -> bytes:  # noqa: ARG002 - Chat has no place for it
        """Pass over a search of the server's: no client can answer it."""
        return b""

    def finish(self, reason: Finish, counts: Counts, *, refusal: str | None) -> bytes:
        """End the answer."""
        if self._fence is not None:
            rest = "" if self._stops.met else self._stops.until(self._fence.rest())
            written = self._said(rest + ("" if self._stops.met else self._stops.rest()))
        else:
            written = self._said("" if self._stops.met else self._stops.rest())
        declined = refusal if reason == "content_filter" and not self._text else None
        if declined:
            written += self._delta({"refusal": declined})
        if self._stops.met:
            reason = "stop"
        elif self._asked.legacy and reason == "tool_calls":
            reason = "function_call"
        self._complete(reason, counts, declined)
        return written + self._ended(reason, counts) + DONE

    def _ended(self, reason: Finish, counts: Counts) -> bytes:
        """The reason and the counts: in a chunk of their own for a client that asked for them, else together.

        The gateway needs the counts in any case, and simple clients trip over a chunk without choices.
        """
        head = {"id": self._ident, "object": "chat.completion.chunk", "created": self._created, "model": self._model}
        choice = {"index": 0, "delta": {}, "finish_reason": reason}
        usage = {"usage": counts.of_chat()}
        if not self._asked.usage:
            return _event({**head, "choices": [choice], **usage})
        return _event({**head, "choices": [choice]}) + _event({**head, "choices": [], **usage})

    def _said(self, text: str) -> bytes:
        if not text:
            return b""
        self._text.append(text)
        self._length += len(text)
        return self._before + b'{"content":' + _ENCODER.encode(text) + b"}" + self._after

    def _piece(self, kind: str, words: str, text: str) -> bytes:
        if self._asked.legacy:
            return self._delta({"function_call": {words: text}}) if len(self._calls) == 1 else b""
        return self._delta({"tool_calls": [{"index": len(self._calls) - 1, kind: {words: text}}]})

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return self._before + _ENCODER.encode(delta) + self._after

    def _complete(self, reason: Finish, counts: Counts, refusal: str | None) -> None:
        text = "".join(self._text)
        message: dict[str, Any] = {"role": "assistant", "content": text or None, "refusal": refusal}
        if not text and not self._calls and refusal is None:
            message["content"] = ""
        if self._thinking:
            message["reasoning_content"] = "".join(self._thinking)
        if self._details:
            message["reasoning_details"] = self._details
        if self._annotations:
            message["annotations"] = self._annotations
        if self._calls and self._asked.legacy:
            message["function_call"] = self._calls[0]["function"]
        elif self._calls:
            message["tool_calls"] = self._calls
        self.document = {
            "id": self._ident,
            "object": "chat.completion",
            "created": self._created,
            "model": self._model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reason}],
            "usage": counts.of_chat(),
        }


def _event(document: Mapping[str, Any]) -> bytes:
    return b"data: " + _ENCODER.encode(document) + b"\n\n"


def _annotation(citation: Mapping[str, Any], start: int, end: int) -> Block:
    title = str(citation.get("title") or "")
    place = {"url": str(citation["url"]), "title": title, "start_index": start, "end_index": end}
    return {"type": "url_citation", "url_citation": place}
