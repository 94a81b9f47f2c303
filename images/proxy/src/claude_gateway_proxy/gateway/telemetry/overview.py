"""The current state of the process: running requests, and targets in use or ejected. Bounded, without content."""

from collections import Counter
from collections.abc import Collection, Iterable
from itertools import islice
from typing import Final

from claude_gateway.contract.report import EjectedTarget, LiveRequest, Overview, TargetFailure, TargetState
from claude_gateway_proxy.gateway.telemetry.record import Record

MOST_REQUESTS: Final = 500
MOST_TARGETS: Final = 500
_MODEL: Final = 128
"""The most characters of a model's name that are shown, which clients choose."""


def overview(
    running: Collection[Record],
    *,
    ejected: Iterable[EjectedTarget],
    failures: Iterable[TargetFailure],
    revision: str | None,
    now: float,
    unix: float,
) -> Overview:
    """Return an overview of the ``running`` requests, the oldest first, and of the targets.

    ``now`` is on the clock of the records, ``unix`` is Unix time.
    """
    used = Counter(record.target for record in running if record.target)
    last = {failure.target: failure for failure in failures}
    left: dict[str, float] = {}
    for each in ejected:
        left[each.target] = max(left.get(each.target, 0.0), each.until - unix)
    names = sorted({*used, *left, *last}, key=lambda name: (-used[name], -left.get(name, 0.0), name))
    return Overview(
        revision=revision,
        in_flight=len(running),
        requests=tuple(_request(record, now=now) for record in islice(running, MOST_REQUESTS)),
        targets=tuple(
            TargetState(
                target=name,
                in_flight=used[name],
                ejected_seconds=round(max(0.0, left.get(name, 0.0)), 1),
                last=(last[name].reason or last[name].kind) if name in last else "",
            )
            for name in names[:MOST_TARGETS]
        ),
    )


def _request(record: Record, *, now: float) -> LiveRequest:
    return LiveRequest(
        request_id=record.request_id,
        client=record.client,
        route=record.route,
        model=record.model[:_MODEL],
        format=record.format.value,
        target=record.target,
        lane=record.lane,
        attempts=record.attempts,
        stream=record.stream,
        first_byte=record.first_byte is not None,
        seconds=round(now - record.started, 1),
        bytes_out=record.bytes_out,
    )
