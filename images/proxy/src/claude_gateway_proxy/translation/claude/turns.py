"""The turns of a conversation as Claude takes them: roles alternate, and every call is followed by its result."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

Block = dict[str, Any]
"""A content block of Messages."""

_NO_RESULT: Final = "The call was interrupted; it has no result."
_FIRST: Final = "(The assistant speaks first.)"
_GO_ON: Final = "Continue."


@dataclass(slots=True)
class _Turn:
    """One turn; of an assistant's, ``calls`` are the ids of its calls, of a user's the first ``results`` blocks."""

    role: str
    content: list[Block] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    results: int = 0


class Turns:
    """Collects turns in the order in which a client wrote them.

    Claude takes the results of all calls of a turn at the beginning of the next one, and no call without a result.
    OpenAI's clients write results as messages of their own, late, or not at all where somebody interrupted the call.
    """

    def __init__(self) -> None:
        """Begin an empty conversation."""
        self._turns: list[_Turn] = []
        self._asked: dict[str, int] = {}
        self._answered: set[str] = set()

    def say(self, role: str, blocks: Sequence[Block]) -> None:
        """Add what a role says; two turns of one role in a row become one."""
        if not blocks:
            return
        if not self._turns or self._turns[-1].role != role:
            self._turns.append(_Turn(role))
        turn = self._turns[-1]
        turn.content += blocks
        for block in blocks:
            if block["type"] == "tool_use":
                turn.calls.append(block["id"])
                self._asked[block["id"]] = len(self._turns) - 1

    @property
    def empty(self) -> bool:
        """Whether the conversation is empty."""
        return not self._turns

    def is_new(self, ident: str) -> bool:
        """Whether no call has this id yet; Claude refuses an id that comes twice."""
        return ident not in self._asked

    def result(self, ident: str, content: list[Block], *, hint: Block | None = None) -> None:
        """Add the result of a call where Claude expects it. A result without a call becomes text of the user."""
        at = self._asked.get(ident)
        if at is None or ident in self._answered:
            self.say("user", content)
            return
        self._answered.add(ident)
        block: Block = {"type": "tool_result", "tool_use_id": ident}
        if content:
            block["content"] = content
        self._place(at, {**block, **(hint or {})})

    def closed(self, *, prefill: bool) -> list[Block]:
        """Return the turns, as ``messages``. Without ``prefill``, the last one must be a user's."""
        for ident, at in self._asked.items():
            if ident not in self._answered:
                self._place(at, {"type": "tool_result", "tool_use_id": ident, "content": _NO_RESULT, "is_error": True})
        if self._turns and self._turns[0].role == "assistant":
            self._turns.insert(0, _Turn("user", [{"type": "text", "text": _FIRST}]))
        if self._turns and self._turns[-1].role == "assistant":
            self._end(self._turns[-1], prefill=prefill)
        return [{"role": turn.role, "content": turn.content} for turn in self._turns]

    def loop_thinks(self) -> bool:
        """Whether the running loop of calls began with thinking, or there is none.

        A model with a thinking budget refuses a loop that it did not think in.
        """
        for turn in reversed(self._turns):
            if turn.role == "user" and turn.results < len(turn.content):
                return True
            if turn.role == "assistant" and turn.calls:
                return turn.content[0]["type"] in ("thinking", "redacted_thinking")
        return True

    def _place(self, at: int, result: Block) -> None:
        """Put a result into the user's turn behind the turn at a number."""
        after = at + 1
        if after == len(self._turns):
            self._turns.append(_Turn("user"))
        turn = self._turns[after]
        turn.content.insert(turn.results, result)
        turn.results += 1

    def _end(self, turn: _Turn, *, prefill: bool) -> None:
        last = turn.content[-1]
        if not prefill or last["type"] != "text":
            self._turns.append(_Turn("user", [{"type": "text", "text": _GO_ON}]))
        else:
            # Claude refuses a last turn that ends in white space.
            turn.content[-1] = {**last, "text": last["text"].rstrip()}
