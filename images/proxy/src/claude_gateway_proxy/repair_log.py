"""What each lane does once a repaired request was taken: remember the repair, and log one that is new."""

import logging
from collections.abc import Iterable
from typing import Final

from claude_gateway_proxy.translation.refusal import Refusal
from claude_gateway_proxy.translation.repair import KEPT_SECONDS, Model, Repairs
from claude_gateway_runtime.logs import emit

_log: Final = logging.getLogger(__name__)


def learn(repairs: Repairs, model: Model, tried: Iterable[tuple[Refusal, str]]) -> None:
    """Remember the repairs that made a model take a request: what it refused, and the repair's name."""
    for refusal, name in tried:
        if repairs.learn(model, refusal, name) is not None:
            emit(
                _log,
                "repair_learned",
                level=logging.WARNING,
                target=model.target,
                model=model.name,
                repair=name,
                seconds=int(KEPT_SECONDS),
            )
