"""What is kept of one request."""

import json

import pytest

from claude_gateway.contract.target import Format, Wire
from claude_gateway_proxy.gateway.telemetry.record import Record, UpstreamError


def test_times_are_milliseconds_from_the_start() -> None:
    record = Record(wire=Wire.OPENAI, format=Format.CHAT, started=100.0, first_byte=100.25)
    fields = record.fields(now=101.5)
    assert (fields["ttft_ms"], fields["duration_ms"]) == (250.0, 1500.0)
    record.first_byte = None
    assert record.fields(now=101.5)["ttft_ms"] is None


def test_what_the_client_sent_is_cut_to_a_bound() -> None:
    record = Record(wire=Wire.OPENAI, format=Format.CHAT, started=0.0, model="m" * 1000, session="s" * 1000)
    fields = record.fields(now=1.0)
    assert (len(str(fields["model"])), len(str(fields["session"]))) == (128, 64)


def test_failed_tries_are_told_by_target_and_kind() -> None:
    record = Record(wire=Wire.OPENAI, format=Format.CHAT, started=0.0)
    assert "upstream_errors" not in record.fields(now=1.0)
    record.upstream_failed(target="ns/a/0.1", provider="openai", kind=UpstreamError.RATE_LIMITED)
    fields = json.loads(json.dumps(record.fields(now=1.0)))
    assert fields["upstream_errors"] == ["ns/a/0.1: rate_limited"]


def test_every_request_has_an_id_of_its_own() -> None:
    ids = {Record(wire=Wire.OPENAI, format=Format.CHAT, started=0.0).request_id for _ in range(1000)}
    assert len(ids) == 1000
    assert all(each.startswith("req_") for each in ids)


@pytest.mark.parametrize(
    ("stream", "tokens", "first", "expected"),
    [(True, 5, 10.0, 0.5), (False, 5, 10.0, None), (True, 1, 10.0, None), (True, 5, None, None)],
)
def test_the_time_of_a_token_is_known_of_streams_alone(
    stream: bool, tokens: int, first: float | None, expected: float | None
) -> None:
    record = Record(
        wire=Wire.ANTHROPIC,
        format=Format.MESSAGES,
        started=9.0,
        stream=stream,
        output_tokens=tokens,
        first_byte=first,
    )
    assert record.seconds_per_token(now=12.0) == expected
