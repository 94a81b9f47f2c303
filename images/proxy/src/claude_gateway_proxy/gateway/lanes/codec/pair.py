"""What the codec lane needs to translate between two formats."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from claude_gateway.contract.target import Format, Target
from claude_gateway_proxy.gateway.lanes.codec.translator import Translator

Json = dict[str, Any]


class ModelNames(NamedTuple):
    """The names of one model: ``sent`` to the target, ``answered`` to the caller; None for the upstream's name."""

    sent: str
    answered: str | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A translated request, and the way back of its answer.

    ``fields`` are the whole body but for ``model``. ``path`` follows the base URL, where that is another path than
    that of the upstream's format.
    """

    fields: Json
    translator: Translator
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """A request's translation; ``read`` and ``prepare`` may raise Failure.

    ``upstream`` is the format that a target is asked in. ``read`` returns the caller's fields from its body, checked
    and in the plain form of their format. ``prepare`` translates them for a target; its further arguments are the
    names of the model and the size of the body in bytes.
    """

    upstream: Callable[[Target], Format]
    read: Callable[[bytes], Json]
    prepare: Callable[[Json, Target, ModelNames, int], Prepared]
