"""Repairs requests that an upstream refuses: they are sent again without the refused part.

Claude Code names an effort and a large output limit in every request. Servers whose model does not think, writes less
or knows a field under another name refuse the whole request. They get it once more in a form that they take. What the
model itself lacks is remembered for a while; a conflict between two fields of one request is not. Requests are changed
in the upstream's own format, to which its message refers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from claude_gateway_proxy.translation.changes import Json
from claude_gateway_proxy.translation.refusal import Refusal, Repair
from claude_gateway_proxy.translation.refused_fields import repairs_of
from claude_gateway_runtime.bounded_dict import BoundedDict

KEPT_SECONDS: Final = 3600.0
"""How long a repair is remembered. Then one request asks again, since models and servers change."""

TRIES_MOST: Final = 4
"""How often one request is tried in another form."""

_MODELS_MOST: Final = 10_000
"""Models that something is remembered of. A new one takes the place of the oldest."""


class Model(NamedTuple):
    """One model of one target. Many models can be behind a target, and each refuses other things.

    ``worded``: its clients accept text in place of what the model does not support, rather than a refusal.
    """

    target: str
    name: str
    worded: bool = False


class Repairs:
    """What is known of the models of this process's targets."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        """Remember nothing yet; ``clock`` returns seconds."""
        self._clock = clock
        self._learned: BoundedDict[Model, dict[str, _Learned]] = BoundedDict(_MODELS_MOST)

    def known(self, model: Model, fields: Json) -> tuple[Json, tuple[str, ...]]:
        """Return the fields as a model is known to take them, and the names of the repairs that changed them."""
        names: list[str] = []
        for name, learned in self._lasting(model).items():
            changed = learned.change(fields)
            if changed is not fields:
                names.append(name)
            fields = changed
        return fields, tuple(names)

    def after(self, model: Model, refusal: Refusal, fields: Json) -> tuple[Json, str] | None:
        """Return the fields for a retry and the name of the repair; None if it would fail again."""
        for repair in repairs_of(refusal):
            if repair.worded and not model.worded:
                continue
            changed = repair.change(fields)
            if changed is not fields:
                return changed, repair.name
        return None

    def learn(self, model: Model, refusal: Refusal, repair: str) -> str | None:
        """Remember what a refusal said of a model, now that the request was taken after a repair of this name.

        The words of ``refusal`` must be the upstream's own. Returns the name of the repair if it is new.
        """
        found = lasting(refusal, repair)
        if found is None:
            return None
        kept = self._lasting(model)
        new = found.name not in kept
        self._learned[model] = {**kept, found.name: _Learned(found.change, until=self._clock() + KEPT_SECONDS)}
        return found.name if new else None

    def _lasting(self, model: Model) -> "dict[str, _Learned]":
        found = self._learned.get(model)
        if found is None:
            return {}
        now = self._clock()
        kept = {name: learned for name, learned in found.items() if now < learned.until}
        if not kept:
            del self._learned[model]
        return kept


def lasting(refusal: Refusal, name: str) -> Repair | None:
    """Return the repair of this name after a refusal, if every later request to the model needs it."""
    return next((repair for repair in repairs_of(refusal) if repair.name == name and repair.lasting), None)


@dataclass(frozen=True, slots=True)
class _Learned:
    """A change to every request to a model; ``until`` is a time of the clock."""

    change: Callable[[Json], Json]
    until: float
