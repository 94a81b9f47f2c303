"""Traces and metrics at a collector that reads the real protobuf, and trace headers on every lane."""

from itertools import product

import pytest
from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.collector import Collector
from tests.support.processes.lone_gateway import LoneGateway, Reply

from claude_gateway.contract.target import Format, Translation, Wire
from claude_gateway_scripted.local import Scripted

KEY, COLLECTOR_KEY = "cgw_key-of-dev", "Bearer collector-key"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
SECRET_WORDS = "the conversation itself"
MODELS = ("claude-a", "gpt-a")
SERVER = 2


def serving(scripted: Scripted, **environment: str) -> LoneGateway:
    codec = Translation(codec=(Format.MESSAGES,))
    chat = target(base_url=scripted.openai_url, wire=Wire.OPENAI, provider="openai", translation=codec)
    routes = [
        route("claude-a", targets=[target(base_url=scripted.url, provider="anthropic")]),
        route("gpt-a", targets=[chat]),
    ]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return LoneGateway(bundle(routes, keys={KEY: "ns/dev"}))


def ask(gateway: LoneGateway, model: str = "claude-a", **headers: str) -> Reply:
    body = {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": SECRET_WORDS}], "stream": True}
    sent = {"authorization": f"Bearer {KEY}", "x-claude-code-session-id": "session-1", **headers}
    return gateway.call("POST", "/v1/messages", body=body, headers=sent)


def seen(scripted: Scripted) -> dict[str, str]:
    """The trace headers of the last request to the upstream."""
    headers = {name.lower(): value for name, value in scripted.last.headers}
    return {name: headers[name] for name in ("traceparent", "tracestate", "baggage") if name in headers}


def test_without_a_collector_the_trace_headers_pass_unchanged(scripted: Scripted) -> None:
    with serving(scripted) as gateway:
        for model, parent in product(MODELS, (SAMPLED, UNSAMPLED, "not-a-traceparent")):
            assert ask(gateway, model).status == 200
            assert seen(scripted) == {}
            assert ask(gateway, model, traceparent=parent, tracestate="a=1,b=2", baggage="user=alice").status == 200
            assert seen(scripted) == {"traceparent": parent, "tracestate": "a=1,b=2"}
        assert not [line for line in gateway.requests(count=12) if "trace_id" in line]


def test_the_span_of_a_request_is_between_its_callers_and_its_upstreams(
    scripted: Scripted, collector: Collector
) -> None:
    with serving(scripted, **collector.environment()) as gateway:
        for number, model in enumerate(MODELS, start=1):
            assert ask(gateway, model, traceparent=SAMPLED, tracestate="a=1").status == 200
            span = collector.wait(number)[-1]
            assert (span.trace, span.parent, span.kind) == (TRACE, PARENT, SERVER)
            assert seen(scripted) == {"traceparent": f"00-{TRACE}-{span.id}-01", "tracestate": "a=1"}
            assert gateway.requests(count=number)[-1]["trace_id"] == TRACE
        # Without headers, or with none that can be read, a trace begins.
        ask(gateway)
        ask(gateway, traceparent="not-a-traceparent", tracestate="a=1")
        first, second = collector.wait(4)[2:]
        assert first.parent == second.parent == ""
        assert first.trace != second.trace
        assert seen(scripted) == {"traceparent": f"00-{second.trace}-{second.id}-03"}, "sampled, at random"


@pytest.mark.parametrize(
    ("environment", "headers"),
    [
        ({}, {"traceparent": UNSAMPLED, "tracestate": "a=1"}),
        ({"TRACES_SAMPLER": "parentbased_traceidratio", "TRACES_SAMPLER_ARG": "0"}, {}),
        ({"TRACES_EXPORTER": "none"}, {"traceparent": SAMPLED}),
        ({"SDK_DISABLED": "true"}, {"traceparent": SAMPLED}),
    ],
)
def test_what_is_not_recorded_passes_unchanged(
    scripted: Scripted, collector: Collector, environment: dict[str, str], headers: dict[str, str]
) -> None:
    with serving(scripted, **collector.environment(**environment)) as gateway:
        assert ask(gateway, **headers).status == 200
        assert seen(scripted) == headers
    assert collector.spans == []


def test_a_span_has_the_conventions_attributes_and_no_content(scripted: Scripted, collector: Collector) -> None:
    environment = collector.environment(EXPORTER_OTLP_HEADERS="authorization=Bearer%20collector-key")
    with serving(scripted, **environment) as gateway:
        assert ask(gateway).status == 200
        (span,) = collector.wait(1)
        line = gateway.requests(count=1)[0]
        assert COLLECTOR_KEY not in gateway.process.output
    assert collector.headers["authorization"] == COLLECTOR_KEY
    assert span.name == "chat ns/claude-a"
    found = span.attributes
    assert {name: found[name] for name in found if name.startswith("gen_ai.") and ".usage." not in name} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude-a",
        "gen_ai.conversation.id": "session-1",
    }
    assert found["gen_ai.usage.input_tokens"] == line["input_tokens"] + line["cache_read_tokens"]
    assert found["gen_ai.usage.output_tokens"] == line["output_tokens"]
    assert (found["http.response.status_code"], found["claude_gateway.request_id"]) == (200, line["request_id"])
    assert found["claude_gateway.client"] == "ns/dev"
    assert not span.failed
    assert span.end > span.start
    assert collector.resources[0]["service.name"] == "claude-gateway"
    for secret in (SECRET_WORDS, KEY, "collector-key"):
        assert secret.encode() not in collector.raw


def test_a_refused_request_has_a_span_that_failed(scripted: Scripted, collector: Collector) -> None:
    with serving(scripted, **collector.environment(SERVICE_NAME="mine")) as gateway:
        assert ask(gateway, "unknown").status == 404
        assert gateway.call("POST", "/v1/messages", body={}, headers={"authorization": "Bearer x"}).status == 401
        unknown, stranger = collector.wait(2)
        assert (unknown.failed, unknown.attributes["error.type"]) == (True, "client_error")
        assert (stranger.failed, stranger.attributes["error.type"]) == (True, "refused")
        assert collector.resources[0]["service.name"] == "mine"


def test_metrics_have_the_conventions_names(scripted: Scripted, collector: Collector) -> None:
    scripted.script({"text": "one two three four", "chunk_delay": 0.01})
    with serving(scripted, **collector.environment(TRACES_EXPORTER="none")) as gateway:
        assert ask(gateway).status == 200
        line = gateway.requests(count=1)[0]
    # The end of the process sends what was not sent yet.
    labels = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "ns/claude-a",
    }
    tokens = {point["gen_ai.token.type"]: amount for point, _, amount in collector.metrics["gen_ai.client.token.usage"]}
    assert tokens == {"input": line["input_tokens"] + line["cache_read_tokens"], "output": line["output_tokens"]}
    for name in ("operation.duration", "server.time_to_first_token", "server.time_per_output_token"):
        full = f"gen_ai.{name}" if name.startswith("server") else f"gen_ai.client.{name}"
        ((point, count, amount),) = collector.metrics[full]
        assert (point, count) == (labels, 1), full
        assert amount > 0
    assert collector.spans == []


def test_a_collector_that_is_away_or_refuses_costs_no_request(scripted: Scripted, collector: Collector) -> None:
    collector.status = 503
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    for environment in (collector.environment(EXPORTER_OTLP_TIMEOUT="1"), away):
        with serving(scripted, **environment) as gateway:
            assert [ask(gateway).status for _ in range(3)] == [200] * 3
            assert SECRET_WORDS not in gateway.process.output
