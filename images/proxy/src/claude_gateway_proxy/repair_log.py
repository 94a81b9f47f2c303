"""What each lane does once a repaired request was taken: remember the repair, and log one that is new."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from claude_gateway_proxy.translation.changes import Json
from claude_gateway_proxy.translation.echoes import without_echoes
from claude_gateway_proxy.translation.refusal import Refusal
from claude_gateway_proxy.translation.repair import KEPT_SECONDS, Model, Repairs, lasting
from claude_gateway_runtime.logs import emit

_log: Final = logging.getLogger(__name__)


async def learn(repairs: Repairs, model: Model, tried: Iterable[tuple[Refusal, str]], *, request: Json) -> None:
    """Remember the repairs that made a model take a request: what it refused, and the repair's name.

    What a refusal quotes of the request says nothing of the model.
    """
    for refusal, name in tried:
        if lasting(refusal, name) is None:
            continue
        own = await asyncio.to_thread(without_echoes, refusal.words, request)
        if repairs.learn(model, refusal._replace(words=own), name) is not None:
            emit(
                _log,
                "repair_learned",
                level=logging.WARNING,
                target=model.target,
                model=model.name,
                repair=name,
                seconds=int(KEPT_SECONDS),
            )
