"""A client's request of Chat Completions as one of Messages, for a Claude."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from claude_gateway_proxy.translation.arguments import arguments
from claude_gateway_proxy.translation.chat.client_tools import choice_of, is_legacy, offered_of
from claude_gateway_proxy.translation.claude import media, options, parts, tools
from claude_gateway_proxy.translation.claude.models import claude
from claude_gateway_proxy.translation.claude.options import AnswerOptions, Target
from claude_gateway_proxy.translation.claude.rejected import Rejected
from claude_gateway_proxy.translation.claude.thinking import Wanted, effort_of, thinking_fields
from claude_gateway_proxy.translation.claude.tools import ClientTool, Toolbox, toolbox
from claude_gateway_proxy.translation.claude.turns import Block, Turns
from claude_gateway_proxy.translation.names import upstream_id

_SILENT: Final = {
    "n": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "audio": (),
    "modalities": (["text"],),
}
"""Fields that Claude has nothing like, and their values that ask for nothing. Penalties, ``seed`` and other hints that
only lean on a model's choice of words are left out instead, like the temperature of a model that takes none."""

_SYSTEM: Final = ("system", "developer")
_TEXTS: Final = ("text", "input_text", "output_text")
"""Types of texts; clients of several formats send those of Responses."""

_SPEAKERS: Final = ("user", "assistant")
_PLAIN: Final = 2
"""Fields of a message that has a role and content, and nothing else."""

_REASONING: Final = ("thinking", "redacted_thinking", "reasoning")


@dataclass(frozen=True, slots=True)
class ChatAsked:
    """A request for Claude, and what its answer needs. ``legacy``: calls are written as ``function_call``."""

    body: dict[str, Any]
    answer: AnswerOptions
    stream: bool
    usage: bool
    legacy: bool


def messages_request(request: Mapping[str, Any], *, target: Target) -> ChatAsked:
    """Return a request of Chat Completions as one of Messages. Raises Rejected, which names what is not supported."""
    options.unsupported(request, _SILENT)
    model = claude(target.plain)
    conversation = _Conversation(request, target)
    body: dict[str, Any] = {"model": target.model}
    most = request.get("max_completion_tokens")
    at = "max_tokens" if most is None else "max_completion_tokens"
    body["max_tokens"] = options.limit(request.get("max_tokens") if most is None else most, model, at=at)
    answer, json_only = _format(request, model=model)
    body["messages"] = conversation.turns.closed(prefill=model.prefill)
    if not body["messages"]:
        raise Rejected("messages: at least one message with content is required")
    system = options.system_blocks(conversation.system, json_only=json_only)
    if system:
        body["system"] = system
    body |= conversation.tool_fields(request)
    forced = body.get("tool_choice", {}).get("type") in ("any", "tool")
    wanted = Wanted(
        effort=effort_of(request.get("reasoning_effort"), at="reasoning_effort"),
        shown=True,
        forced=forced,
        unthought=not conversation.turns.loop_thinks(),
        limit=body["max_tokens"],
    )
    thinking = thinking_fields(wanted, model)
    config = {**thinking.pop("output_config", {}), **answer}
    body |= thinking | ({"output_config": config} if config else {})
    body |= options.sampling(request, model, thinks="thinking" in body) | options.user_id(request)
    sent, own = options.stops(request.get("stop"))
    if sent:
        body["stop_sequences"] = sent
    stream = request.get("stream") is True
    if stream:
        body["stream"] = True
    written = AnswerOptions(tools=conversation.box, stops=own, fenced=json_only)
    given = request.get("stream_options")
    usage = isinstance(given, dict) and given.get("include_usage") is True
    return ChatAsked(body, written, stream=stream, usage=usage, legacy=is_legacy(request))


def _format(request: Mapping[str, Any], *, model: Any) -> tuple[dict[str, Any], bool]:
    wanted = request.get("response_format")
    if wanted is None:
        return {}, False
    if not isinstance(wanted, dict):
        raise Rejected("response_format: must be an object")
    inner = wanted.get("json_schema")
    schema = inner.get("schema") if isinstance(inner, dict) else None
    return options.answer_format(wanted.get("type"), schema, model=model, at="response_format")


class _Conversation:
    """Reads the messages and the tools of one request."""

    def __init__(self, request: Mapping[str, Any], target: Target) -> None:
        self.system: list[Block] = []
        self.turns = Turns()
        self._target = target
        self._idents: dict[str, str] = {}
        self._legacy: list[str] = []
        self._called: list[str] = []
        messages = request.get("messages")
        if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
            raise Rejected("messages: must be a list of objects")
        self._offered, self._search = offered_of(request, target)
        calling = (message for message in messages if len(message) > _PLAIN)
        named = [ClientTool(name, kind) for message in calling for name, kind in _names(message)]
        self.box: Toolbox = toolbox((*named, *(each.tool for each in self._offered)))
        for number, message in enumerate(messages):
            self._read(message, at=f"messages.{number}")
        if not self._says_anything():
            self.turns.say("user", self.system)
            self.system = []

    def tool_fields(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """``tools`` and ``tool_choice``."""
        choice = choice_of(request)
        model = claude(self._target.plain)
        own = [tools.definition(each, self.box, model=model) for each in self._offered]
        if choice.only is not None:
            allowed = {self.box.to_claude(ClientTool(name)) for name in choice.only}
            own = [each for each in own if each["name"] in allowed]
        found = tools.unique([*own, *self._search])
        chosen = tools.tool_choice(choice, parallel=request.get("parallel_tool_calls"), tools=found, box=self.box)
        if not found and self._called:
            return {"tools": tools.recalled(self._called), "tool_choice": {"type": "none"}}
        return {**({"tools": found} if found else {}), **({"tool_choice": chosen} if chosen else {})}

    def _says_anything(self) -> bool:
        return bool(self._idents) or not self.turns.empty

    def _read(self, message: Mapping[str, Any], *, at: str) -> None:
        role, content = message.get("role"), message.get("content")
        if role in _SPEAKERS and isinstance(content, str) and len(message) == _PLAIN:
            # Nearly all of a long conversation: nothing else is looked for.
            self.turns.say(role, parts.text(content))
            return
        hint = message.get("cache_control")
        if role in _SYSTEM:
            self.system += parts.hinted(_texts(message.get("content"), at=at), hint)
        elif role == "user":
            self.turns.say("user", parts.hinted(list(self._parts(message.get("content"), at=at)), hint))
        elif role == "assistant":
            self.turns.say("assistant", parts.hinted(self._said(message, at=at), hint))
        elif role == "tool":
            ident = str(message.get("tool_call_id") or "")
            content = list(self._parts(message.get("content"), at=at))
            self.turns.result(self._idents.get(ident, upstream_id(ident)), content, hint=parts.hint(hint))
        elif role == "function":
            content = list(self._parts(message.get("content"), at=at))
            self.turns.result(self._legacy.pop(0) if self._legacy else "", content)
        else:
            raise Rejected(f"{at}.role: must be system, developer, user, assistant, tool or function")

    def _said(self, message: Mapping[str, Any], *, at: str) -> list[Block]:
        found = [*_thoughts(message), *_texts(message.get("content"), at=at)]
        if not message.get("content") and isinstance(message.get("refusal"), str):
            found += parts.text(message["refusal"])
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                found.append(self._call(call, ident=str(call.get("id") or "")))
        legacy = message.get("function_call")
        if isinstance(legacy, dict):
            block = self._call({"function": legacy}, ident=f"call_{len(self._idents)}")
            self._legacy.append(block["id"])
            found.append(block)
        return found

    def _call(self, call: Mapping[str, Any], *, ident: str) -> Block:
        own = upstream_id(ident)
        if own in self._idents.values():
            own = f"{own[:30]}_{len(self._idents)}"
        self._idents[ident] = own
        custom, function = call.get("custom"), call.get("function")
        if call.get("type") == "custom" and isinstance(custom, dict):
            name = self.box.to_claude(ClientTool(str(custom.get("name")), "custom"))
            given = tools.custom_arguments(custom.get("input"))
        else:
            function = function if isinstance(function, dict) else {}
            name = self.box.to_claude(ClientTool(str(function.get("name"))))
            given = arguments(function.get("arguments"))
        self._called.append(name)
        return {"type": "tool_use", "id": own, "name": name, "input": given}

    def _parts(self, content: object, *, at: str) -> Iterator[Block]:
        """The blocks of a user's content, or of a tool's result; parts without content are left out."""
        if isinstance(content, str):
            yield from parts.text(content)
            return
        for number, part in enumerate(parts.objects(content, at=f"{at}.content")):
            here = f"{at}.content.{number}"
            for block in self._part(part, at=here):
                yield block | parts.hint(part.get("cache_control"))

    def _part(self, part: Mapping[str, Any], *, at: str) -> list[Block]:
        kind = part.get("type")
        if kind in _TEXTS:
            return parts.text(part.get("text"))
        if kind == "refusal":
            return parts.text(part.get("refusal"))
        if kind in ("image_url", "input_image"):
            given = part.get("image_url")
            url = given.get("url") if isinstance(given, dict) else given
            return [media.image(url, at=f"{at}.image_url", urls=self._target.urls)]
        if kind in ("file", "input_file"):
            given = part.get("file")
            file = given if isinstance(given, dict) else part
            data, name = file.get("file_data"), file.get("filename")
            return [media.document(data, url=file.get("file_url"), name=name, at=f"{at}.file", urls=self._target.urls)]
        raise Rejected(f"{at}.type: parts of type '{str(kind)[:64]}' are not supported for this model")


def _names(message: Mapping[str, Any]) -> Iterator[tuple[str, tools.Kind]]:
    """The names of the tools that a message calls."""
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            custom = call.get("custom")
            if call.get("type") == "custom" and isinstance(custom, dict):
                yield str(custom.get("name")), "custom"
            elif isinstance(call.get("function"), dict):
                yield str(call["function"].get("name")), "function"
    legacy = message.get("function_call")
    if isinstance(legacy, dict):
        yield str(legacy.get("name")), "function"


def _thoughts(message: Mapping[str, Any]) -> list[Block]:
    """Signed thinking that a client sends back, as we write it or as LiteLLM does; unsigned thoughts prove nothing."""
    details = message.get("reasoning_details")
    found = []
    for each in details if isinstance(details, list) else ():
        if isinstance(each, dict) and each.get("type") == "reasoning.text" and each.get("signature"):
            found.append({"type": "thinking", "thinking": each.get("text") or "", "signature": each["signature"]})
        elif isinstance(each, dict) and each.get("type") == "reasoning.encrypted" and each.get("data"):
            found.append({"type": "redacted_thinking", "data": each["data"]})
    blocks = message.get("thinking_blocks") or message.get("content")
    for each in blocks if isinstance(blocks, list) and not found else ():
        if isinstance(each, dict) and each.get("type") == "thinking" and each.get("signature"):
            found.append({"type": "thinking", "thinking": each.get("thinking") or "", "signature": each["signature"]})
        elif isinstance(each, dict) and each.get("type") == "redacted_thinking" and each.get("data"):
            found.append({"type": "redacted_thinking", "data": each["data"]})
    return found


def _texts(content: object, *, at: str) -> list[Block]:
    """The texts of a system's or an assistant's content."""
    if isinstance(content, str):
        return parts.text(content)
    found: list[Block] = []
    for number, part in enumerate(parts.objects(content, at=f"{at}.content")):
        kind = part.get("type")
        if kind in _REASONING:
            continue
        if kind not in (*_TEXTS, "refusal"):
            raise Rejected(f"{at}.content.{number}.type: must be text")
        said = part.get("refusal" if kind == "refusal" else "text")
        found += parts.hinted(parts.text(said), part.get("cache_control"))
    return found
