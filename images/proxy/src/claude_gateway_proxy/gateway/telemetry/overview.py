"""What the process does now: which requests run, and which targets are in use or in trouble. Bounded; no content."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from typing import Final

from claude_gateway.contract.report import LiveRequest, Overview, TargetFailure, TargetState
from claude_gateway_proxy.gateway.telemetry.record import Record

MOST_REQUESTS: Final = 500
MOST_TARGETS: Final = 500
_MODEL: Final = 128
"""Characters of a model's name that are shown: clients write it."""


def overview(
    running: Collection[Record],
    *,
    troubles: Sequence[tuple[str, int, float]],
    failures: Iterable[TargetFailure],
    revision: str | None,
    now: float,
) -> Overview:
    """Return an overview of the ``running`` requests, the oldest first, and of the targets.

    ``troubles`` are the targets that failed lately, with failures in a row and seconds that they are put aside;
    ``now`` is on the clock of the records.
    """
    used = Counter(record.target for record in running if record.target)
    last = {failure.target: failure for failure in failures}
    ill = {target: (failed, aside) for target, failed, aside in troubles}
    names = sorted({*used, *ill, *last}, key=lambda name: (-used[name], -ill.get(name, (0, 0.0))[1], name))
    return Overview(
        revision=revision,
        in_flight=len(running),
        requests=tuple(_request(record, now=now) for record in islice(running, MOST_REQUESTS)),
        targets=tuple(
            TargetState(
                target=name,
                in_flight=used[name],
                failures=ill.get(name, (0, 0.0))[0],
                aside_seconds=round(ill.get(name, (0, 0.0))[1], 1),
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
