"""The items of a response while they arrive: each is known by its ids or by its place, as far as a server names them.

OpenAI numbers the items of an output and repeats number and id in every event. Others leave one or both out, give every
item the number 0, or write a new id in every event.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MESSAGE: Final = "message"
REASONING: Final = "reasoning"
CALL: Final = "function_call"


@dataclass(slots=True)
class Item:
    """One item. ``number`` counts those of its kind; ``parts`` are the pieces of it so far, by the part they are of."""

    kind: str
    number: int
    place: int | None = None
    parts: dict[object, list[str]] = field(default_factory=dict)
    done: bool = False
    matched: bool = False
    size: int = 0

    def unsaid(self, whole: str, between: str = "") -> str:
        """Return the part of the whole that was not read piece by piece; empty if the two differ.

        Its end may be repeated: what was read is put together only for a whole that is longer.
        """
        if len(whole) <= self.size:
            return ""
        return _rest(whole, between.join("".join(pieces) for pieces in self.parts.values()))

    def unsaid_of(self, part: object, whole: str) -> str:
        """Return the same of one part."""
        pieces = self.parts.get(part if part in self.parts else None, [])
        # Put together once, however often the whole is repeated.
        pieces[:] = ["".join(pieces)] if pieces else []
        return _rest(whole, pieces[0] if pieces else "")

    def add(self, part: object, piece: str) -> bool:
        """Add a piece of a part, and return whether another part comes before it."""
        self.size += len(piece)
        pieces = self.parts.get(part)
        if pieces is not None:
            pieces.append(piece)
            return False
        self.parts[part] = [piece]
        return len(self.parts) > 1


class Items:
    """Finds the item that an event or a member of an output refers to."""

    __slots__ = ("_by_id", "_by_place", "_kinds", "_matched")

    def __init__(self) -> None:
        """Start without an item."""
        self._by_id: dict[tuple[str, str], Item] = {}
        self._by_place: dict[int, Item] = {}
        self._kinds: dict[str, list[Item]] = {MESSAGE: [], REASONING: [], CALL: []}
        self._matched = dict.fromkeys(self._kinds, 0)

    def have(self, kind: str) -> bool:
        """Return whether there is an item of a kind."""
        return bool(self._kinds[kind])

    def of_piece(self, event: Mapping[str, Any], kind: str) -> Item:
        """Return the item that an event has a piece of, or the whole of a part."""
        ident = event.get("item_id")
        if type(ident) is str and (found := self._by_id.get((kind, ident))) is not None:
            # Nearly all events are further pieces of an item that is known.
            return found
        ids, place = list(_ids(event, "item_id")), event.get("output_index")
        found = self._known(kind, ids, place)
        if found is None:
            last = self._open(kind, place)
            # Where it has pieces already, another id is that of another item.
            found = None if last is not None and ids and last.parts else last
        return self._named(found, kind, ids, place)

    def of_event(self, event: Mapping[str, Any], item: Mapping[str, Any], *, done: bool) -> Item:
        """Return the item that an event begins, or ends."""
        kind, ids, place = str(item["type"]), list(_ids(item, "id", "call_id")), event.get("output_index")
        found = self._known(kind, ids, place)
        if found is None and done and not (kind == CALL and item.get("call_id")):
            found = self._open(kind, place)
        return self._named(found, kind, ids, place)

    def of_output(self, item: Mapping[str, Any], number: int) -> Item:
        """Return the item of a whole output. Servers leave items out of it, or write new ids."""
        kind, ids = str(item.get("type")), list(_ids(item, "id", "call_id"))
        found = self._by_ids(kind, ids) or self._at(kind, number)
        if found is None:
            found = self._unmatched(kind)
        found = self._named(found, kind, ids, None)
        found.matched = True
        return found

    def _unmatched(self, kind: str) -> Item | None:
        """Return the first item that is none of the output yet; those before it are passed once."""
        items = self._kinds[kind]
        while self._matched[kind] < len(items) and items[self._matched[kind]].matched:
            self._matched[kind] += 1
        return items[self._matched[kind]] if self._matched[kind] < len(items) else None

    def _known(self, kind: str, ids: list[str], place: object) -> Item | None:
        """Return the item with an id or at a place; a place where an item ended is taken by the next one."""
        found = self._by_ids(kind, ids)
        if found is not None:
            return found
        found = self._at(kind, place)
        return None if found is not None and found.done and ids else found

    def _open(self, kind: str, place: object) -> Item | None:
        """Return the item at hand, where nothing says that it is another one than at ``place``."""
        last = self._kinds[kind][-1] if self._kinds[kind] else None
        if last is None or last.done:
            return None
        return last if place is None or last.place is None else None

    def _by_ids(self, kind: str, ids: list[str]) -> Item | None:
        return next(filter(None, (self._by_id.get((kind, ident)) for ident in ids)), None)

    def _at(self, kind: str, place: object) -> Item | None:
        found = self._by_place.get(place) if isinstance(place, int) else None
        return found if found is not None and found.kind == kind else None

    def _named(self, found: Item | None, kind: str, ids: list[str], place: object) -> Item:
        """Return an item, or a new one, and remember its name."""
        if found is None:
            found = Item(kind, len(self._kinds[kind]))
            self._kinds[kind].append(found)
        if isinstance(place, int) and found.place is None:
            found.place = place
            self._by_place[place] = found
        for ident in ids:
            self._by_id[kind, ident] = found
        return found


def _ids(value: Mapping[str, Any], *names: str) -> Iterator[str]:
    for name in names:
        ident = value.get(name)
        if isinstance(ident, str) and ident:
            yield ident


def _rest(whole: str, said: str) -> str:
    return whole[len(said) :] if whole.startswith(said) else ""
