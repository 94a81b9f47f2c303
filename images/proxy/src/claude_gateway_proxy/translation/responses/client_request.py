"""A client's request of Responses as one of Messages, for a Claude."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from claude_gateway_proxy.translation.arguments import arguments
from claude_gateway_proxy.translation.claude import media, options, parts, tools
from claude_gateway_proxy.translation.claude.models import Claude, claude
from claude_gateway_proxy.translation.claude.options import AnswerOptions, Target
from claude_gateway_proxy.translation.claude.rejected import Rejected
from claude_gateway_proxy.translation.claude.thinking import Wanted, effort_of, opened, thinking_fields
from claude_gateway_proxy.translation.claude.tools import Choice, ClientTool
from claude_gateway_proxy.translation.claude.turns import Block, Turns
from claude_gateway_proxy.translation.names import upstream_id
from claude_gateway_proxy.translation.responses import history
from claude_gateway_proxy.translation.responses.client_tools import call_of, choice_of, offered_of
from claude_gateway_proxy.translation.responses.summaries import opened_summary

_SILENT: Final = {"top_logprobs": (0,), "background": (False,)}
_LOGPROBS: Final = "message.output_text.logprobs"
_STATEFUL: Final = ("previous_response_id", "conversation", "prompt")
"""Fields that refer to what a server keeps; nothing is kept here."""

_SYSTEM: Final = ("system", "developer")
_SUMMARIES: Final = ("auto", "concise", "detailed")
_ECHOED: Final = (
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "parallel_tool_calls",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
    "truncation",
    "user",
)
"""Fields of a request that its response repeats."""


@dataclass(frozen=True, slots=True)
class ResponsesAsked:
    """A request for Claude, and what its answer needs; ``echoed`` are the fields that a response repeats."""

    body: dict[str, Any]
    answer: AnswerOptions
    stream: bool
    echoed: Mapping[str, Any]


def messages_request(request: Mapping[str, Any], *, target: Target) -> ResponsesAsked:
    """Return a request of Responses as one of Messages. Raises Rejected, which names what is not supported."""
    _refuse_state(request)
    options.unsupported(request, _SILENT)
    if _LOGPROBS in (request.get("include") or ()):
        raise Rejected(f"include: {_LOGPROBS} is not supported for this model")
    model = claude(target.plain)
    conversation = _Conversation(request, target)
    most = options.limit(request.get("max_output_tokens"), model, at="max_output_tokens")
    body: dict[str, Any] = {"model": target.model, "max_tokens": most}
    answer, json_only = _format(request, model=model)
    body["messages"] = conversation.turns.closed(prefill=model.prefill)
    if not body["messages"]:
        raise Rejected("input: at least one message with content is required")
    system = options.system_blocks(conversation.system, json_only=json_only)
    if system:
        body["system"] = system
    body |= conversation.tool_fields(request, model=model)
    reasoning = _object(request, "reasoning")
    shown = reasoning.get("summary", reasoning.get("generate_summary")) in _SUMMARIES
    wanted = Wanted(
        effort=effort_of(reasoning.get("effort"), at="reasoning.effort"),
        shown=shown,
        forced=body.get("tool_choice", {}).get("type") in ("any", "tool"),
        unthought=not conversation.turns.loop_thinks(),
        limit=most,
    )
    thinking = thinking_fields(wanted, model)
    config = {**thinking.pop("output_config", {}), **answer}
    body |= thinking | ({"output_config": config} if config else {})
    body |= options.sampling(request, model, thinks="thinking" in body) | options.user_id(request)
    stream = request.get("stream") is True
    if stream:
        body["stream"] = True
    written = AnswerOptions(tools=conversation.box, shown=shown, fenced=json_only)
    echoed = {name: request[name] for name in _ECHOED if request.get(name) is not None}
    return ResponsesAsked(body, written, stream=stream, echoed=echoed)


def _refuse_state(request: Mapping[str, Any]) -> None:
    for name in _STATEFUL:
        if request.get(name):
            raise Rejected(f"{name}: is not supported for this model, send the whole conversation as input")


def _format(request: Mapping[str, Any], *, model: Claude) -> tuple[dict[str, Any], bool]:
    wanted = _object(request, "text").get("format")
    if wanted is None:
        return {}, False
    if not isinstance(wanted, dict):
        raise Rejected("text.format: must be an object")
    return options.answer_format(wanted.get("type"), wanted.get("schema"), model=model, at="text.format")


def _object(request: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = request.get(name)
    if found is not None and not isinstance(found, dict):
        raise Rejected(f"{name}: must be an object")
    return found or {}


class _Conversation:
    """Reads the input and the tools of one request."""

    def __init__(self, request: Mapping[str, Any], target: Target) -> None:
        self.turns = Turns()
        self._target = target
        self._idents: dict[str, str] = {}
        self._called: list[str] = []
        instructions = request.get("instructions")
        if instructions is not None and not isinstance(instructions, str):
            raise Rejected("instructions: must be a string")
        self.system = parts.text(instructions)
        given = request.get("input")
        found = [{"role": "user", "content": given}] if isinstance(given, str) else parts.objects(given, at="input")
        items = [history.plain_item(item) for item in found]
        self._offered, self._search = offered_of(request, items, target)
        calls = [tool for item in items if (tool := call_of(item)) is not None]
        self.box = tools.toolbox((*calls, *(each.tool for each in self._offered)))
        for number, item in enumerate(items):
            self._read(item, at=f"input.{number}")
        if self.turns.empty:
            self.turns.say("user", self.system)
            self.system = []

    def tool_fields(self, request: Mapping[str, Any], *, model: Claude) -> dict[str, Any]:
        """Return ``tools`` and ``tool_choice``."""
        choice = choice_of(request.get("tool_choice"))
        own = [tools.definition(each, self.box, model=model) for each in self._offered]
        found = tools.unique(_left([*own, *self._search], choice, self.box))
        chosen = tools.tool_choice(choice, parallel=request.get("parallel_tool_calls"), tools=found, box=self.box)
        if not found and self._called:
            return {"tools": tools.recalled(self._called), "tool_choice": {"type": "none"}}
        return {**({"tools": found} if found else {}), **({"tool_choice": chosen} if chosen else {})}

    def _read(self, item: Mapping[str, Any], *, at: str) -> None:
        kind = item.get("type") or "message"
        reader = _READERS.get(kind) if isinstance(kind, str) else None
        if reader is None:
            raise Rejected(f"{at}: items of type '{str(kind)[:64]}' are not supported for this model")
        reader(self, item, at)

    def message(self, item: Mapping[str, Any], at: str) -> None:
        """Read what somebody says."""
        role, content = item.get("role"), item.get("content")
        if role == "assistant":
            self.turns.say("assistant", list(self._parts(content, at=at)))
        elif role == "user":
            self.turns.say("user", list(self._parts(content, at=at)))
        elif role in _SYSTEM:
            found = list(self._parts(content, at=at))
            if any(block["type"] != "text" for block in found):
                raise Rejected(f"{at}.content: must be text")
            self.system += found
        else:
            raise Rejected(f"{at}.role: must be user, assistant, system or developer")

    def call(self, item: Mapping[str, Any], _: str) -> None:
        """Read a call of one of the client's tools."""
        tool = call_of(item)
        if tool is None:
            return
        ident = str(item.get("call_id") or item.get("id") or "")
        own = upstream_id(ident)
        if not self.turns.is_new(own):
            own = f"{own[:30]}_{len(self._called)}"
        self._idents[ident] = own
        name = self.box.to_claude(tool)
        custom = tool.kind == "custom"
        given = tools.custom_arguments(item.get("input")) if custom else arguments(item.get("arguments"))
        self._called.append(name)
        self.turns.say("assistant", [{"type": "tool_use", "id": own, "name": name, "input": given}])

    def result(self, item: Mapping[str, Any], at: str) -> None:
        """Read the result of a call."""
        ident = str(item.get("call_id") or "")
        content = list(self._parts(item.get("output"), at=at, name="output"))
        self.turns.result(self._idents.get(ident, upstream_id(ident)), content)

    def reasoning(self, item: Mapping[str, Any], _: str) -> None:
        """Read thinking that this gateway sealed; of any other there is nothing that a Claude would accept."""
        block = opened(item.get("encrypted_content"))
        self.turns.say("assistant", [] if block is None else [block])

    def compaction(self, item: Mapping[str, Any], at: str) -> None:
        """Read the summary of an earlier part of the conversation."""
        summary = opened_summary(item.get("encrypted_content"))
        if summary is None:
            raise Rejected(f"{at}.encrypted_content: was not written for this model")
        self.turns.say("user", parts.text(summary))

    def reference(self, _: Mapping[str, Any], at: str) -> None:
        """Refuse a reference to what a server keeps."""
        raise Rejected(
            f"{at}: an item_reference is not supported for this model, send the items themselves (store: false)"
        )

    def skipped(self, item: Mapping[str, Any], at: str) -> None:
        """Skip what is not part of the conversation; the answer that followed a search has its results."""

    def _parts(self, content: object, *, at: str, name: str = "content") -> Iterator[Block]:
        """The blocks of a content or an output; parts without content are left out."""
        if isinstance(content, str):
            yield from parts.text(content)
            return
        for number, part in enumerate(parts.objects(content, at=f"{at}.{name}")):
            for block in self._part(part, at=f"{at}.{name}.{number}"):
                yield block | parts.hint(part.get("cache_control"))

    def _part(self, part: Mapping[str, Any], *, at: str) -> list[Block]:
        kind = part.get("type")
        if kind in ("input_text", "output_text", "text", "summary_text"):
            return parts.text(part.get("text"))
        if kind == "refusal":
            return parts.text(part.get("refusal"))
        urls = self._target.urls
        if kind == "input_image":
            return [media.image(part.get("image_url"), at=f"{at}.image_url", urls=urls)]
        if kind == "input_file":
            data, url = part.get("file_data"), part.get("file_url")
            return [media.document(data, url=url, name=part.get("filename"), at=at, urls=urls)]
        raise Rejected(f"{at}.type: parts of type '{str(kind)[:64]}' are not supported for this model")


def _left(found: list[Block], choice: Choice, box: tools.Toolbox) -> list[Block]:
    """The tools that ``allowed_tools`` leaves."""
    if choice.only is None:
        return found
    allowed = {box.to_claude(ClientTool(name)) for name in choice.only}
    return [each for each in found if each["name"] in allowed]


_READERS: Final[Mapping[str, Callable[[_Conversation, Mapping[str, Any], str], None]]] = {
    "message": _Conversation.message,
    "function_call": _Conversation.call,
    "custom_tool_call": _Conversation.call,
    "function_call_output": _Conversation.result,
    "custom_tool_call_output": _Conversation.result,
    "reasoning": _Conversation.reasoning,
    "compaction": _Conversation.compaction,
    "compaction_summary": _Conversation.compaction,
    "item_reference": _Conversation.reference,
    **dict.fromkeys(("web_search_call", *history.DONE), _Conversation.skipped),
}
