"""Conversations of Responses made shorter: what came before becomes a summary by the model, as one item.

Source: OpenAI's API reference, "Compact a response": all messages of the user stay, and one item of type ``compaction``
follows, whose encrypted content stands for the rest.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from claude_gateway_proxy.translation.bad_answer import Broken
from claude_gateway_proxy.translation.claude.counts import Counts
from claude_gateway_proxy.translation.claude.reader import Finish
from claude_gateway_proxy.translation.claude.rejected import Rejected
from claude_gateway_proxy.translation.responses.client_answer import ResponsesWriter
from claude_gateway_proxy.translation.responses.summaries import sealed_summary

_ORDER: Final = (
    "Summarize this conversation for a model that goes on with it and sees nothing else but the user's messages: what "
    "was asked, what was done and found out, names, paths and numbers that matter, what is open. Answer with the "
    "summary alone."
)
_UNREAD: Final = ("tools", "tool_choice", "parallel_tool_calls", "reasoning", "text", "stream")
"""Fields that say nothing of a summary."""


def summary_request(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request of Responses whose answer is the summary of another one's input. Raises Rejected."""
    given = request.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    if not isinstance(items, list):
        raise Rejected("input: must be a string or a list of objects")
    kept = {name: value for name, value in request.items() if name not in _UNREAD}
    return {**kept, "input": [*items, {"role": "user", "content": _ORDER}]}


def user_messages(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what the user said, item by item."""
    given = request.get("input")
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": given}]}]
    items = given if isinstance(given, list) else []
    return [item for item in items if isinstance(item, dict) and item.get("role") == "user"]


class CompactionWriter(ResponsesWriter):
    """Writes a whole answer, the summary, as a compaction; it is never streamed."""

    kept: list[dict[str, Any]]

    def finish(self, reason: Finish, counts: Counts, *, refusal: str | None) -> bytes:
        """End the answer. Raises Broken for a summary that is not complete."""
        written = super().finish(reason, counts, refusal=refusal)
        output = self.document["output"]
        texts = [part.get("text", "") for item in output if item["type"] == "message" for part in item["content"]]
        if self.document["status"] != "completed" or not "".join(texts).strip():
            raise Broken("the model did not write a complete summary")
        item = {"type": "compaction", "id": f"cmp_{uuid4().hex}", "encrypted_content": sealed_summary("".join(texts))}
        names = ("id", "created_at", "usage")
        found = {name: self.document[name] for name in names}
        self.document = {**found, "object": "response.compaction", "output": [*self.kept, item]}
        return written
