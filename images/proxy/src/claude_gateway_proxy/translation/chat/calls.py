"""Tool calls of Chat Completions put together: each once, complete and in order, however a server sends its pieces.

OpenAI numbers the calls of an answer and names and identifies each in its first piece. Others give every call the
number 0, or none, repeat the name or a new id in every piece, send the name itself in pieces, arguments before the
name, as an object or as JSON within JSON, repeat whole calls at the end, or put the arguments of several calls of one
tool behind each other, as those of one call.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from claude_gateway_proxy.translation.bad_answer import Broken
from claude_gateway_proxy.translation.chat.partial_call import PartialCall, behind
from claude_gateway_proxy.translation.chat.parts import objects_of, text_of
from claude_gateway_proxy.translation.chat.tool_names import ToolNames
from claude_gateway_proxy.translation.decoding import whole

_MOST: Final = 1_000
"""Calls of one answer."""


class Begin(NamedTuple):
    """A call begins; ``key`` is its number in the answer, ``signature`` that of the thought behind it.

    ``ident`` is empty where the upstream has none, or gave it to an earlier call.
    """

    key: int
    ident: str
    name: str
    signature: object


class Arguments(NamedTuple):
    """A piece of a call's arguments."""

    key: int
    text: str


class Calls:
    """Puts the calls of one answer together.

    A call begins once its name is certain: it is that of a tool, or something follows it.
    """

    __slots__ = ("_behind", "_by_ident", "_by_index", "_calls", "_given", "_tools", "_waiting")

    def __init__(self, tools: frozenset[str] = frozenset()) -> None:
        """Start without a call; ``tools`` are the names that the upstream was sent, as far as they are known."""
        self._tools = ToolNames(tools)
        self._calls: list[PartialCall] = []
        self._behind: list[PartialCall] = []
        self._waiting: dict[int, PartialCall] = {}
        self._by_ident: dict[str, PartialCall] = {}
        self._given: set[str] = set()
        self._by_index: dict[int, PartialCall] = {}

    @property
    def begun(self) -> bool:
        """Whether the answer has a call."""
        return bool(self._calls)

    def read(self, pieces: object) -> Iterator[Begin | Arguments]:
        """Read the ``tool_calls`` of one chunk."""
        known = objects_of(pieces)
        for place, piece in enumerate(known):
            yield from self._piece(piece, place=place if len(known) > 1 else None)

    def end(self, *, cut: bool) -> Iterator[Begin | Arguments]:
        """Return what is left at the end of the answer.

        Raises Broken where a call is not complete, unless the answer was ``cut`` at a limit of its length.
        """
        for call in self._behind:
            self._settle(call, cut=cut)
        for call in self._calls:
            if not call.name and not cut and (call.ident or not call.is_empty):
                raise Broken("the upstream sent a tool call without its name")
            if call.progress.open and not cut:
                raise Broken("the upstream ended its answer within a tool call")
            yield from self._news(call, last=True)
            if call.name and call.is_empty and not cut:
                # Clients of Chat read the arguments as JSON, also those of a call without any.
                yield Arguments(call.key, "{}")

    def finish(self, index: int) -> Iterator[Begin | Arguments]:
        """Return what is left of the call with a number, which the upstream says is complete."""
        if index in self._by_index:
            yield from self._news(self._by_index[index], last=True)

    def key(self, index: int) -> int | None:
        """Return the key of the call with a number; None where it says nothing so far."""
        return self._by_index[index].key if index in self._by_index else None

    def sign(self, ident: object, signature: str) -> None:
        """Add the signature of a thought to the call that it belongs to: the one with an id, else the first."""
        call = self._by_ident.get(ident) if isinstance(ident, str) else None
        call = call or next(iter(self._calls), None)
        if call is not None and call.signature is None:
            call.signature = signature

    def signature(self, key: int) -> object:
        """Return the signature of the thought behind a call."""
        return self._calls[key].signature

    def is_complete(self, key: int) -> bool:
        """Return whether a call's arguments are one whole value."""
        return self._calls[key].progress.complete

    def _piece(self, piece: Mapping[str, Any], *, place: int | None) -> Iterator[Begin | Arguments]:
        inner = (piece.get("function"), piece.get("custom"))
        function = next((each for each in inner if isinstance(each, dict)), piece)
        name, ident = whole(text_of(function.get("name"))).strip(), whole(text_of(piece.get("id")))
        arguments = _arguments(function)
        index = _index(piece.get("index"))
        call = self._call(index if index is not None else place, ident=ident, name=name, arguments=arguments)
        if call is None:
            return
        if ident:
            call.ident = call.ident or ident
            call.idents.add(ident)
            self._by_ident[ident] = call
        if name:
            call.name = self._tools.joined(call.name, name, has_arguments=bool(call.head)) or call.name
        call.signature = call.signature or _signature(piece) or _signature(function)
        if name and call.key < 0:
            self._behind.remove(call)
            self._enter(call)
        if arguments and not call.is_done:
            self._add(call, arguments)
        yield from self._news(call, last=False)

    def _add(self, call: PartialCall, text: str) -> None:
        """Add a piece of a call's arguments, and those behind its end to further calls of its tool."""
        at = call.add(text, behind(text, 0) if call.before is not None and not call.parts else 0)
        while at < len(text) and call.progress.kind == "{":
            at = behind(text, at)
            if not text.startswith("{", at):
                return
            call = call if call.is_empty else self._new(call)
            at = call.add(text, at)

    def _new(self, before: PartialCall | None) -> PartialCall:
        """Return a new call, behind the arguments of another one where there is one."""
        if len(self._calls) + len(self._behind) == _MOST:
            raise Broken(f"the upstream made more than {_MOST:,} tool calls in one answer")
        if before is None:
            call = PartialCall(key=-1)
            self._enter(call)
            return call
        first = before.first or before
        first.last = call = PartialCall(key=-1, before=before, first=first)
        self._behind.append(call)
        return call

    def _enter(self, call: PartialCall) -> None:
        """Count a call as one of the answer's."""
        call.key = len(self._calls)
        self._calls.append(call)
        self._waiting[call.key] = call

    def _settle(self, call: PartialCall, *, cut: bool) -> None:
        """Count a call behind the arguments of another one if it is a call of its own. Raises Broken within one."""
        if call.progress.open and not cut:
            raise Broken("the upstream ended its answer within a tool call")
        if call.before is not None and call.first is not None and not call.repeats(call.before):
            call.name = call.first.name
            self._enter(call)

    def _call(self, index: int | None, *, ident: str, name: str, arguments: str) -> PartialCall | None:
        """Return the call that a piece belongs to, a new one if one begins; None if the piece is empty."""
        known = _newest(self._by_ident.get(ident)) if ident else None
        if known is not None and not (name and self._begins(known, ident=ident, name=name, arguments=arguments)):
            return known
        last = _newest(self._calls[-1]) if self._calls else None
        found = last if index is None else _newest(self._by_index.get(index))
        if known is None and found is not None and not self._begins(found, ident=ident, name=name, arguments=arguments):
            return found
        if not (name or ident or arguments.strip()):
            return None
        if found is None and last is not None and not (name or ident or last.is_done):
            # The rest of the call at hand, under another number than its beginning.
            return last
        if found is not None and not (name or ident):
            return self._new(found)
        call = self._new(None)
        if index is not None:
            self._by_index[index] = call
        return call

    def _begins(self, found: PartialCall, *, ident: str, name: str, arguments: str) -> bool:
        """Return whether a piece begins a call behind ``found``, which has its id or number, or is the last one."""
        other = bool(ident) and bool(found.ident) and ident not in found.idents
        if name and found.name and name != found.name:
            return other or self._tools.joined(found.name, name, has_arguments=bool(found.head)) is None
        if not found.is_done:
            # The name again, or a new id, in every piece of one call.
            return bool(name and found.name) and other and found.is_empty
        if name:
            return bool(found.name) and (other or not found.is_said_by(arguments))
        # What follows a whole value, such as one brace too many, begins a call only where it looks like one.
        return arguments.startswith("{", behind(arguments, 0)) and (other or not found.is_said_by(arguments))

    def _news(self, call: PartialCall, *, last: bool) -> Iterator[Begin | Arguments]:
        """Return what of a call can be passed on, behind the beginnings of those before it."""
        if not call.name:
            return
        if call.key in self._waiting:
            if not (last or call.head or self._tools.has_whole(call.name)):
                return
            for key in [key for key in self._waiting if key <= call.key]:
                before = self._waiting[key]
                if before.name:
                    del self._waiting[key]
                    ident = "" if before.ident in self._given else before.ident
                    self._given.add(ident)
                    yield Begin(key, ident, self._tools.meant(before.name), before.signature)
        text = call.unwritten(last=last)
        if text:
            yield Arguments(call.key, text)


def _newest(call: PartialCall | None) -> PartialCall | None:
    """Return the newest call behind the arguments of a call, if there is one."""
    return call if call is None else call.last or call


def _arguments(function: Mapping[str, Any]) -> str:
    """Return a piece of a call's arguments as JSON text."""
    for name in ("arguments", "parameters", "input"):
        value = function.get(name)
        if isinstance(value, str):
            return value
        if value is not None:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return ""


def _index(value: object) -> int | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else None


def _signature(piece: Mapping[str, Any]) -> object:
    """Return the signature of a thought: Google's own endpoints have it in ``extra_content``, others at the call."""
    extra = piece.get("extra_content")
    extra = extra if isinstance(extra, dict) else {}
    own = piece.get("provider_specific_fields")
    for place in (extra.get("google"), extra.get("vertex"), piece, own):
        if isinstance(place, dict):
            for name in ("thought_signature", "thoughtSignature"):
                if isinstance(place.get(name), str):
                    return place[name]
    return None
