"""A Claude's answer as the events of a response, or as a whole one, for a client of Responses."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

import msgspec

from claude_gateway_proxy.translation.claude.counts import Counts
from claude_gateway_proxy.translation.claude.fence import Fence
from claude_gateway_proxy.translation.claude.reader import Finish
from claude_gateway_proxy.translation.claude.thinking import sealed
from claude_gateway_proxy.translation.claude.tools import ClientTool, custom_input
from claude_gateway_proxy.translation.claude.turns import Block
from claude_gateway_proxy.translation.responses.client_request import ResponsesAsked

_ENCODER: Final = msgspec.json.Encoder()
_INCOMPLETE: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}
_DEFAULTS: Final[Mapping[str, Any]] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None},
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
"""What a response says of its request where the request says nothing."""


class ResponsesWriter:
    """Writes one answer. ``document`` is the response, complete once it is finished."""

    def __init__(self, asked: ResponsesAsked, *, model: str, created: int) -> None:
        """``model`` is the name to use if the answer has none, ``created`` the time in seconds."""
        self._answer = asked.answer
        self._number = 0
        self._output: list[Block] = []
        self._item: Block | None = None
        self._pieces: list[str] = []
        self._citations: list[Block] = []
        self._tool = ClientTool("")
        self._fence: Fence | None = None
        self.document: dict[str, Any] = {
            "id": f"resp_{uuid4().hex}",
            "object": "response",
            "created_at": created,
            "status": "in_progress",
            "background": False,
            "error": None,
            "incomplete_details": None,
            **_DEFAULTS,
            **asked.echoed,
            "model": model,
            "output": [],
            "previous_response_id": None,
            "service_tier": "default",
            "store": False,
            "usage": None,
        }

    def start(self, model: str) -> bytes:
        """Begin the answer."""
        self.document["model"] = model or self.document["model"]
        return self._event("response.created", response=self.document) + self._event(
            "response.in_progress", response=self.document
        )

    def text(self, text: str) -> bytes:
        """Write a piece of text."""
        before = b"" if self._is("message") else self._begin_message()
        if self._fence is not None:
            text = self._fence.feed(text)
        return before + self._said(text)

    def text_done(self) -> bytes:
        """End a message; one without text is left out."""
        if not self._is("message"):
            return b""
        item = self._open()
        rest = self._said(self._fence.rest()) if self._fence is not None else b""
        text = "".join(self._pieces)
        annotations = self._annotations(len(text))
        part = {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}
        item |= {"status": "completed", "content": [part]}
        place = {"item_id": item["id"], "output_index": len(self._output), "content_index": 0}
        found = self._cited(place, annotations)
        found += self._event("response.output_text.done", **place, text=text, logprobs=[])
        found += self._event("response.content_part.done", **place, part=part)
        return rest + found + self._done()

    def cited(self, citation: Mapping[str, Any]) -> bytes:
        """Record a source of the message."""
        if citation.get("url"):
            self._citations.append({"url": str(citation["url"]), "title": str(citation.get("title") or "")})
        return b""

    def thinking(self, text: str) -> bytes:
        """Write a piece of thinking, as the summary of a reasoning item."""
        before = b"" if self._is("reasoning") else self._begin_reasoning()
        if not self._answer.shown:
            return before
        item = self._open()
        place = {"item_id": item["id"], "output_index": len(self._output), "summary_index": 0}
        if not self._pieces:
            empty = {"type": "summary_text", "text": ""}
            before += self._event("response.reasoning_summary_part.added", **place, part=empty)
        self._pieces.append(text)
        return before + self._event("response.reasoning_summary_text.delta", **place, delta=text)

    def thought(self, block: Block) -> bytes:
        """End a reasoning item, which contains what must be sent back to continue the thinking."""
        before = b"" if self._is("reasoning") else self._begin_reasoning()
        item = self._open()
        if self._pieces:
            part = {"type": "summary_text", "text": "".join(self._pieces)}
            item["summary"] = [part]
            place = {"item_id": item["id"], "output_index": len(self._output), "summary_index": 0}
            before += self._event("response.reasoning_summary_text.done", **place, text=part["text"])
            before += self._event("response.reasoning_summary_part.done", **place, part=part)
        if block["type"] == "redacted_thinking" or block["signature"]:
            item["encrypted_content"] = sealed(block)
        return before + self._done()

    def call(self, ident: str, name: str) -> bytes:
        """Begin a call."""
        self._tool = self._answer.tools.to_client(name)
        group = {} if self._tool.namespace is None else {"namespace": self._tool.namespace}
        head = {"status": "in_progress", "call_id": ident, "name": self._tool.name, **group}
        if self._tool.kind == "custom":
            return self._begin({"id": f"ctc_{uuid4().hex}", "type": "custom_tool_call", **head, "input": ""})
        return self._begin({"id": f"fc_{uuid4().hex}", "type": "function_call", **head, "arguments": ""})

    def arguments(self, text: str) -> bytes:
        """Write a piece of a call's arguments; the text for a custom tool is known at the end only."""
        self._pieces.append(text)
        if self._tool.kind == "custom":
            return b""
        place = {"item_id": self._open()["id"], "output_index": len(self._output)}
        return self._event("response.function_call_arguments.delta", **place, delta=text)

    def called(self) -> bytes:
        """End a call."""
        item, text = self._open(), "".join(self._pieces)
        item["status"] = "completed"
        place = {"item_id": item["id"], "output_index": len(self._output)}
        if self._tool.kind == "custom":
            text = item["input"] = custom_input(text)
            found = self._event("response.custom_tool_call_input.delta", **place, delta=text)
            found += self._event("response.custom_tool_call_input.done", **place, input=text)
        else:
            item["arguments"] = text
            name = self._tool.name
            found = self._event("response.function_call_arguments.done", **place, name=name, arguments=text)
        return found + self._done()

    def search(self, ident: str, query: str) -> bytes:
        """Write a search of the server's, which is over when it is known."""
        action = {"type": "search", "query": query}
        item = {
            "id": f"ws_{ident or uuid4().hex}",
            "type": "web_search_call",
            "status": "in_progress",
            "action": action,
        }
        found = self._begin(item)
        place = {"item_id": item["id"], "output_index": len(self._output)}
        for state in ("in_progress", "searching", "completed"):
            found += self._event(f"response.web_search_call.{state}", **place)
        self._open()["status"] = "completed"
        return found + self._done()

    def finish(self, reason: Finish, counts: Counts, *, refusal: str | None) -> bytes:
        """End the answer."""
        found = b""
        if reason == "content_filter" and refusal and not any(item["type"] == "message" for item in self._output):
            found = self._refused(refusal)
        why = _INCOMPLETE.get(reason)
        self.document["status"] = "completed" if why is None else "incomplete"
        self.document["incomplete_details"] = None if why is None else {"reason": why}
        self.document |= {"output": self._output, "usage": counts.of_responses()}
        return found + self._event(f"response.{self.document['status']}", response=self.document)

    def fail(self, *, code: str, message: str) -> bytes:
        """End the answer with an error."""
        self.document |= {"status": "failed", "error": {"code": code, "message": message}, "output": self._output}
        return self._event("response.failed", response=self.document)

    def _begin_message(self) -> bytes:
        self._fence = Fence() if self._answer.fenced else None
        item = {"id": f"msg_{uuid4().hex}", "type": "message", "status": "in_progress", "role": "assistant"}
        found = self._begin({**item, "content": []})
        place = {"item_id": item["id"], "output_index": len(self._output), "content_index": 0}
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        return found + self._event("response.content_part.added", **place, part=part)

    def _begin_reasoning(self) -> bytes:
        return self._begin({"id": f"rs_{uuid4().hex}", "type": "reasoning", "summary": []})

    def _refused(self, refusal: str) -> bytes:
        """A message that says why the model declined."""
        item: Block = {"id": f"msg_{uuid4().hex}", "type": "message", "status": "in_progress", "role": "assistant"}
        found = self._begin({**item, "content": []})
        place = {"item_id": item["id"], "output_index": len(self._output), "content_index": 0}
        part = {"type": "refusal", "refusal": refusal}
        found += self._event("response.content_part.added", **place, part={"type": "refusal", "refusal": ""})
        found += self._event("response.refusal.delta", **place, delta=refusal)
        found += self._event("response.refusal.done", **place, refusal=refusal)
        found += self._event("response.content_part.done", **place, part=part)
        opened = self._open()
        opened |= {"status": "completed", "content": [part]}
        return found + self._done()

    def _said(self, text: str) -> bytes:
        if not text:
            return b""
        self._pieces.append(text)
        place = {"item_id": self._open()["id"], "output_index": len(self._output), "content_index": 0}
        return self._event("response.output_text.delta", **place, delta=text, logprobs=[])

    def _annotations(self, end: int) -> list[Block]:
        found = [{"type": "url_citation", **each, "start_index": 0, "end_index": end} for each in self._citations]
        self._citations = []
        return found

    def _cited(self, place: Block, annotations: list[Block]) -> bytes:
        kind = "response.output_text.annotation.added"
        events = (
            self._event(kind, **place, annotation_index=at, annotation=each) for at, each in enumerate(annotations)
        )
        return b"".join(events)

    def _is(self, kind: str) -> bool:
        return self._item is not None and self._item["type"] == kind

    def _open(self) -> Block:
        """The item that is being written."""
        if self._item is None:
            raise RuntimeError("no item is open")
        return self._item

    def _begin(self, item: Block) -> bytes:
        self._item, self._pieces = item, []
        return self._event("response.output_item.added", output_index=len(self._output), item=item)

    def _done(self) -> bytes:
        item, self._item = self._open(), None
        found = self._event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)
        return found

    def _event(self, kind: str, /, **fields: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        body = _ENCODER.encode({"type": kind, "sequence_number": number, **fields})
        return b"event: %s\ndata: %s\n\n" % (kind.encode(), body)
