"""The metrics of requests that a mirror copied: original and copy, side by side."""

from claude_gateway import metric_names
from claude_gateway.contract.money import NANODOLLARS
from claude_gateway_proxy.gateway.telemetry.bounded import Bounded
from claude_gateway_proxy.gateway.telemetry.families import Families
from claude_gateway_proxy.gateway.telemetry.record import Compared
from claude_gateway_proxy.gateway.telemetry.spend import MODELS


class Comparisons:
    """Counts requests that have a copy, and their copies."""

    def __init__(self, families: Families) -> None:
        """Define the metrics."""
        self._mirrored = families.counter(
            metric_names.MIRRORED, "Requests copied to the candidate of a route's mirror", "route", "result"
        )
        self._tokens = families.counter(
            metric_names.MIRROR_TOKENS,
            "Tokens that upstreams reported for requests with a copy, of the original (not counted again) and the copy",
            *("client", "route", "side", "type"),
        )
        self._cost = families.counter(
            metric_names.MIRROR_COST,
            "Dollars that requests with a copy cost, of the original (not counted again) and of the copy, which is in "
            "no other metric of money",
            *("client", "route", "provider", "model", "side"),
        )
        self._models = Bounded(MODELS)
        self._duration = families.histogram(
            metric_names.MIRROR_DURATION, "Seconds to the end of answers that have a copy, by side", "route", "side"
        )
        self._ttft = families.histogram(
            metric_names.MIRROR_TTFT, "Seconds to the first byte of answers that have a copy, by side", "route", "side"
        )

    def count(self, compared: Compared) -> None:
        """Count one request and its copy: tokens, dollars and seconds."""
        route = compared.original.route
        self._mirrored.of(route, compared.result).inc()
        if compared.copy is None:
            return
        sides = (("original", compared.original), ("copy", compared.copy))
        for (side, record), seconds in zip(sides, compared.seconds, strict=True):
            for kind, tokens in record.reported_tokens():
                self._tokens.of(record.client, route, side, kind).inc(tokens)
            if record.cost and record.billed_model:
                model = self._models.of(record.billed_model)
                self._cost.of(record.client, route, record.provider, model, side).inc(record.cost / NANODOLLARS)
            if seconds is not None:
                self._duration.of(route, side).observe(seconds)
            if record.first_byte is not None:
                self._ttft.of(route, side).observe(record.first_byte - record.started)
