"""Facts about a request that routing rules and lanes ask for: thinking, effort, images, tools, size, agent.

Each fact is computed when it is first read and cached for the rest of the request; unread facts decode nothing. A value
of the wrong type counts as absent: the upstream rejects it, not the gateway.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import msgspec

from claude_gateway.contract.model_ids import context_of
from claude_gateway.contract.route import RequestClass
from claude_gateway_proxy.gateway.body import estimate, purpose
from claude_gateway_proxy.gateway.body.document import Body

SESSION_HEADER: Final = b"x-claude-code-session-id"

_HINTS: Final = b"x-claude-code-"
_IMAGES: Final = frozenset({"image", "image_url", "input_image"})
_DOCUMENTS: Final = frozenset({"document", "file", "input_file"})
_CONVERSATION: Final = ("messages", "input")
_CLIENT_TOOLS: Final = frozenset({"custom", "function"})
_SERVER_TOOLS: Final = 16 * 1024
"""The largest tools of a search in bytes; the larger tools of a conversation need not be decoded."""
_RUN_BY_CLIENT: Final = ("bash_", "computer_", "memory_", "text_editor_")
"""Tools that Anthropic defines and the client runs (platform.claude.com, tool use)."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """The field ``thinking`` of a Messages request; ``budget`` is in tokens, None if it is not set.

    ``enabled`` covers every type but ``disabled``. ``budget`` is reported whatever the type.
    """

    enabled: bool = False
    adaptive: bool = False
    budget: int | None = None


class Agent(msgspec.Struct, frozen=True):
    """What Claude Code reports about the agent behind a request; empty if it reports nothing.

    It always sends the session and the ids of a subagent, and the others with ``CLAUDE_CODE_GATEWAY_HINT_HEADERS=1``.
    The type is Claude Code's own name of a built-in agent, and ``custom`` for every other one.
    """

    session: str = ""
    request_class: str = ""
    agent_type: str = ""
    agent_id: str = ""
    parent_agent_id: str = ""
    prompt_id: str = ""


class Facts:
    """The facts of one request, lazily computed from its ``body`` and ``headers`` (lower-case names)."""

    def __init__(self, body: Body, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Store the sources of the facts; nothing is read yet."""
        self.body = body
        self.headers = headers

    @cached_property
    def thinking(self) -> Thinking:
        """Whether the model should think, and with which budget."""
        value = self._value("thinking")
        if not isinstance(value, dict):
            return Thinking()
        kind, budget = value.get("type"), value.get("budget_tokens")
        return Thinking(
            enabled=kind != "disabled",
            adaptive=kind == "adaptive",
            budget=budget if isinstance(budget, int) and budget > 0 else None,
        )

    @cached_property
    def effort(self) -> str | None:
        """The effort that the client set, in any format."""
        for field in ("output_config", "reasoning"):
            value = self._value(field)
            if isinstance(value, dict) and isinstance(value.get("effort"), str):
                return str(value["effort"])
        value = self._value("reasoning_effort")
        return value if isinstance(value, str) else None

    @property
    def context(self) -> int:
        """The context in tokens that the client requests in brackets after the model's name; 0 without brackets."""
        return context_of(self.body.model)

    @cached_property
    def images(self) -> bool:
        """Whether the conversation has images, also those in the results of tools."""
        return self._may_have(_IMAGES) and not _IMAGES.isdisjoint(self._blocks)

    @cached_property
    def documents(self) -> bool:
        """Whether the conversation has documents or files, also those in the results of tools."""
        return self._may_have(_DOCUMENTS) and not _DOCUMENTS.isdisjoint(self._blocks)

    @property
    def fetches(self) -> bool:
        """Whether the conversation names documents, by URL or by file id, that the upstream reads itself."""
        return self.documents and any(
            _is_elsewhere(block) for name in _CONVERSATION for block in _blocks_of(self._value(name))
        )

    @cached_property
    def tools(self) -> int:
        """How many tools the client defines, server tools included."""
        return len(self._tools)

    @cached_property
    def server_tools(self) -> tuple[str, ...]:
        """The types of the tools that the upstream runs by itself, such as ``web_search_20250305``, in their order."""
        kinds = [tool.get("type") for tool in self._tools]
        return tuple(
            kind
            for kind in kinds
            if isinstance(kind, str) and kind not in _CLIENT_TOOLS and not kind.startswith(_RUN_BY_CLIENT)
        )

    @property
    def size(self) -> int:
        """The bytes of the body."""
        return len(self.body.raw)

    @property
    def measured(self) -> bool:
        """Whether the input tokens were estimated already."""
        return "_measure" in self.__dict__

    @property
    def input_tokens(self) -> int:
        """An estimate of the input tokens, rather too high (see ``estimate``); some milliseconds per 256 KiB."""
        return self._measure.tokens

    @property
    def least_tokens(self) -> int:
        """A lower bound of the input tokens; 0 if the upstream shortens what does not fit."""
        return self._measure.least

    @cached_property
    def rough_tokens(self) -> int:
        """A cheap estimate of the input tokens: by the size, unless the request has files."""
        rough = estimate.roughly(self.body.raw)
        return self.input_tokens if rough is None else rough

    @cached_property
    def long_context(self) -> bool:
        """Whether the client requests a longer context than usual: by ``[1m]`` after the name, or by a beta."""
        return self.context > 0 or any(
            name == b"anthropic-beta" and b"context-1m" in value for name, value in self.headers
        )

    def has_input_tokens(self, least: int) -> bool:
        """Return whether there are at least this many input tokens, by the same estimate; cheap for small bodies."""
        if not self.measured:
            most = estimate.at_most(self.body.raw)
            if most is not None and most < least:
                return False
        return self.input_tokens >= least

    @cached_property
    def agent(self) -> Agent:
        """Claude Code's session and agent."""
        found = {name: value.decode("latin-1") for name, value in self.headers if name.startswith(_HINTS)}
        return Agent(
            session=found.get(SESSION_HEADER, ""),
            request_class=found.get(b"x-claude-code-request-class", ""),
            agent_type=found.get(b"x-claude-code-agent-type", ""),
            agent_id=found.get(b"x-claude-code-agent-id", ""),
            parent_agent_id=found.get(b"x-claude-code-parent-agent-id", ""),
            prompt_id=found.get(b"x-claude-code-prompt-id", ""),
        )

    @property
    def subagent(self) -> bool:
        """Whether a subagent of Claude Code sent it."""
        return bool(self.agent.agent_id) or self.agent.request_class.lower() == "subagent"

    @cached_property
    def request_class(self) -> RequestClass | None:
        """The purpose of a request of Claude Code: as reported, else as detected; None if neither is possible."""
        agent = self.agent
        if agent.request_class:
            return purpose.said(agent.request_class)
        if not agent.session:
            return None
        # The search speeds up bodies of megabytes: few of them need to be decoded.
        if purpose.SUMMARY in self.body.raw and purpose.is_compaction(self._value("messages")):
            return RequestClass.COMPACTION
        if agent.agent_id:
            return RequestClass.SUBAGENT
        start, end = self.body.members.get("tools", (0, 0))
        if end - start > _SERVER_TOOLS:
            return None
        if purpose.is_auxiliary(
            tools=self._tools, server_tools=len(self.server_tools), output=self._value("output_config")
        ):
            return RequestClass.AUXILIARY
        return None

    def _may_have(self, types: Iterable[str]) -> bool:
        """Return whether the body has one of these words, or escapes that may hide one."""
        raw = self.body.raw
        return any(b'"%b"' % each.encode() in raw for each in types) or any(each in raw for each in estimate.ESCAPES)

    @cached_property
    def _measure(self) -> estimate.Measure:
        return estimate.measure(self.body.raw)

    @cached_property
    def _blocks(self) -> frozenset[str]:
        """The types of all content blocks of the conversation."""
        return frozenset(kind for field in _CONVERSATION for kind in _types(self._value(field)))

    @cached_property
    def _tools(self) -> Sequence[dict[str, Any]]:
        value = self._value("tools")
        return [tool for tool in value if isinstance(tool, dict)] if isinstance(value, list) else ()

    def _value(self, key: str) -> Any:
        text = self.body.value(key)
        try:
            return None if text is None else msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None


def _types(conversation: object) -> Iterator[str]:
    """The types of the blocks in a conversation."""
    for block in _blocks_of(conversation):
        kind = block.get("type")
        if isinstance(kind, str):
            yield kind


def _blocks_of(conversation: object) -> Iterator[dict[str, Any]]:
    """The blocks of a conversation; only ``content`` is followed, never what a tool was called with."""
    left = [conversation]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            yield value
            left.append(value.get("content"))
            if value.get("type") in ("function_call_output", "custom_tool_call_output"):
                left.append(value.get("output"))


def _is_elsewhere(block: dict[str, Any]) -> bool:
    source = block.get("source")
    return block.get("type") == "document" and isinstance(source, dict) and source.get("type") in ("url", "file")
