"""Trace headers from a caller, or from the gateway's span, to what LiteLLM asks: every format, whole and streamed."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
from tests.support.builders.bundles import bundle, route
from tests.support.processes.collector import Collector
from tests.support.processes.lone_gateway import LoneGateway
from tests.support.processes.worker import ENTRY, KEY, Worker, deployment, headers
from tests.support.processes.worker import bundle as targets_only

from claude_gateway_scripted.local import Scripted

CLIENT_KEY: Final = "cgw_key-of-dev"
TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT: Final = f"00-{TRACE}-00f067aa0ba902b7-01"
STATE: Final = "a=1,b=2"
HELLO: Final[list[dict[str, Any]]] = [{"role": "user", "content": "hello"}]
ASKED: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "messages": ("/v1/messages", {"model": "gemini-2.5-pro", "max_tokens": 9, "messages": HELLO}),
    "messages, streamed": (
        "/v1/messages",
        {"model": "gemini-2.5-pro", "max_tokens": 9, "messages": HELLO, "stream": True},
    ),
    "count": ("/v1/messages/count_tokens", {"model": "gemini-2.5-pro", "messages": HELLO}),
    "chat": ("/v1/chat/completions", {"model": "mistral-large", "messages": HELLO}),
    "chat, streamed": ("/v1/chat/completions", {"model": "mistral-large", "messages": HELLO, "stream": True}),
    "chat of Claude": ("/v1/chat/completions", {"model": "claude-opus-5-5", "messages": HELLO}),
    "responses": ("/v1/responses", {"model": "mistral-large", "input": "hello"}),
    "responses, streamed": ("/v1/responses", {"model": "mistral-large", "input": "hello", "stream": True}),
    "embeddings": ("/v1/embeddings", {"model": "mistral-large", "input": "hello"}),
}


@pytest.fixture(autouse=True)
def targets(worker: Worker, upstream: Scripted) -> None:
    claude = deployment("claude", "anthropic/claude-opus-5-5", api_base=upstream.url)
    translated = claude.translation.model_copy(update={"codec": ()})
    bases = {"gemini/gemini-2.5-pro": f"{upstream.url}/v1beta", "mistral/mistral-large": upstream.openai_url}
    worker.offer(
        bundle(
            [
                *(
                    route(model.partition("/")[2], targets=[deployment(model, model, api_base=base)])
                    for model, base in bases.items()
                ),
                route("claude-opus-5-5", targets=[claude.model_copy(update={"translation": translated})]),
            ],
            keys={CLIENT_KEY: "ns/dev"},
            secrets={ENTRY: KEY.encode()},
        )
    )


def seen(upstream: Scripted) -> dict[str, str]:
    """The trace headers of the last request to the upstream, and other headers that a caller sent."""
    sent = {name.lower(): value for name, value in upstream.last.headers}
    return {name: sent[name] for name in ("traceparent", "tracestate", "baggage", "x-other") if name in sent}


def serving(worker: Worker, environment: Mapping[str, str]) -> LoneGateway:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return LoneGateway(run_dir=worker.run_dir)


def ask(gateway: LoneGateway, asked: str, **more: str) -> None:
    path, body = ASKED[asked]
    answer = gateway.call("POST", path, body=body, headers={"authorization": f"Bearer {CLIENT_KEY}", **more})
    assert answer.status == 200, answer.body


def test_the_callers_trace_reaches_what_litellm_asks(worker: Worker, upstream: Scripted) -> None:
    with serving(worker, {}) as gateway:
        for asked in ASKED:
            ask(gateway, asked, traceparent=PARENT, tracestate=STATE, baggage="user=alice", **{"x-other": "1"})
            assert seen(upstream) == {"traceparent": PARENT, "tracestate": STATE}, asked
            ask(gateway, asked)
            assert seen(upstream) == {}, asked
        assert {line["lane"] for line in gateway.requests(count=2 * len(ASKED))} == {"litellm"}


def test_the_gateways_span_is_the_parent_of_what_litellm_asks(
    worker: Worker, upstream: Scripted, collector: Collector
) -> None:
    with serving(worker, collector.environment()) as gateway:
        for number, asked in enumerate(ASKED, start=1):
            ask(gateway, asked, traceparent=PARENT, tracestate=STATE)
            span = collector.wait(number)[-1]
            assert span.trace == TRACE
            assert seen(upstream) == {"traceparent": f"00-{TRACE}-{span.id}-01", "tracestate": STATE}, asked


def test_a_body_names_no_headers(worker: Worker, upstream: Scripted) -> None:
    with serving(worker, {}) as gateway:
        path, body = ASKED["chat"]
        given = {"extra_headers": {"traceparent": PARENT, "x-other": "1"}, "headers": {"tracestate": STATE}}
        answer = gateway.call("POST", path, body={**body, **given}, headers={"authorization": f"Bearer {CLIENT_KEY}"})
        assert answer.status == 200, answer.body
        assert seen(upstream) == {}


def test_a_header_that_is_no_trace_breaks_no_request(worker: Worker, upstream: Scripted) -> None:
    worker.apply(targets_only(deployment("mistral", "mistral/m", api_base=upstream.openai_url)))
    for odd in (b"not-a-traceparent", b"", b"x" * 4000, "caf\u00e9".encode(), b"\xff\xfe", b"\xe2\x80\xa8"):
        sent: Mapping[str, str | bytes] = {**headers("mistral", "m"), "traceparent": odd, "x-other": "1"}
        fields = [
            (name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in sent.items()
        ]
        answer = worker.http.post("/v1/chat/completions", headers=fields, json={"messages": HELLO})
        assert answer.status_code == 200, answer.text
        assert seen(upstream).keys() == {"traceparent"}
