"""How the gateway goes away: running answers are completed, nothing new is begun elsewhere than on open connections."""

import http.client
import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.lone_gateway import LoneGateway, reply
from tests.support.processes.waiting import until

from claude_gateway_scripted.local import Scripted

KEY = "cgw_key-of-dev"
AUTH = {"authorization": f"Bearer {KEY}"}
SLOW = {"text": "one two three four five six seven eight nine ten", "chunk_delay": 0.1}
BODY = {"model": "m", "max_tokens": 64, "messages": [{"role": "user", "content": "x"}], "stream": True}


@contextmanager
def streaming(scripted: Scripted, **settings: object) -> Iterator[tuple[LoneGateway, http.client.HTTPResponse]]:
    """A gateway and a slow answer that has begun."""
    scripted.script(SLOW)
    policy = bundle([route("m", targets=[target(base_url=scripted.url)])], keys={KEY: "ns/dev"})
    with LoneGateway(policy, **settings) as gateway:
        connection = gateway.connect()
        connection.request("POST", "/v1/messages", body=json.dumps(BODY), headers=AUTH)
        response = connection.getresponse()
        assert response.status == 200
        yield gateway, response
        connection.close()


def test_a_running_stream_is_completed_after_sigterm(scripted: Scripted) -> None:
    with streaming(scripted) as (gateway, response):
        waiting = gateway.connect()
        with gateway.worker():
            waiting.request("GET", "/readyz")
            assert reply(waiting.getresponse()).status == 200
        gateway.process.send(signal.SIGTERM)
        until(lambda: gateway.process.lines("draining"), what="the drain")
        with pytest.raises(ConnectionRefusedError):
            gateway.call("GET", "/healthz")
        assert gateway.status().in_flight == 1
        waiting.request("GET", "/readyz")
        late = reply(waiting.getresponse())
        assert (late.status, late.headers["connection"]) == (503, "close")
        assert b"message_stop" in response.read()
        assert gateway.process.wait() == 0
        assert gateway.requests(count=1)[0]["outcome"] == "ok"
        assert not gateway.process.lines("answers_cut")


def test_what_the_last_answer_used_can_be_scraped_after_its_end(scripted: Scripted) -> None:
    with streaming(scripted, linger_seconds=60) as (gateway, response):
        gateway.process.send(signal.SIGTERM)
        assert b"message_stop" in response.read()
        until(lambda: gateway.process.lines("lingering"), what="the end of all answers")
        with pytest.raises(ConnectionRefusedError):
            gateway.call("GET", "/healthz")
        counted = [line for line in gateway.internal("/metrics").decode().splitlines() if 'type="output"' in line]
        assert [float(line.split()[-1]) > 0 for line in counted if "tokens_total" in line] == [True]
        # A second signal ends the wait.
        gateway.process.send(signal.SIGTERM)
        assert gateway.process.wait() == 0


def test_a_request_on_a_kept_connection_is_still_answered_while_draining(scripted: Scripted) -> None:
    with streaming(scripted) as (gateway, response):
        kept = gateway.connect()
        kept.request("GET", "/healthz")
        assert reply(kept.getresponse()).status == 200
        gateway.process.send(signal.SIGTERM)
        until(lambda: gateway.process.lines("draining"), what="the drain")
        kept.request("POST", "/v1/messages", body=json.dumps({**BODY, "stream": False}), headers=AUTH)
        answer = reply(kept.getresponse())
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert b"message_stop" in response.read()
        assert gateway.process.wait() == 0


def test_a_client_between_two_requests_gets_its_next_answer(scripted: Scripted) -> None:
    policy = bundle([route("m", targets=[target(base_url=scripted.url)])], keys={KEY: "ns/dev"})
    with LoneGateway(policy) as gateway:
        kept = gateway.connect()
        for again in (False, True):
            if again:
                gateway.process.send(signal.SIGTERM)
                until(lambda: gateway.process.lines("draining"), what="the drain")
            # A gateway that closed idle connections at once would have done so by now.
            time.sleep(0.3)
            kept.request("POST", "/v1/messages", body=json.dumps({**BODY, "stream": False}), headers=AUTH)
            answer = reply(kept.getresponse())
            assert (answer.status, answer.headers.get("connection")) == (200, "close" if again else None)
        assert gateway.process.wait() == 0


def test_a_connection_whose_stream_ends_while_draining_has_one_more_answer(scripted: Scripted) -> None:
    scripted.script(SLOW)
    policy = bundle([route("m", targets=[target(base_url=scripted.url)])], keys={KEY: "ns/dev"})
    with LoneGateway(policy) as gateway:
        kept = gateway.connect()
        kept.request("POST", "/v1/messages", body=json.dumps(BODY), headers=AUTH)
        response = kept.getresponse()
        assert "connection" not in response.headers
        gateway.process.send(signal.SIGTERM)
        until(lambda: gateway.process.lines("draining"), what="the drain")
        assert b"message_stop" in response.read()
        time.sleep(0.3)
        kept.request("POST", "/v1/messages", body=json.dumps({**BODY, "stream": False}), headers=AUTH)
        answer = reply(kept.getresponse())
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert gateway.process.wait() == 0


def test_a_second_signal_cuts_the_stream(scripted: Scripted) -> None:
    with streaming(scripted) as (gateway, response):
        gateway.process.send(signal.SIGTERM)
        until(lambda: gateway.process.lines("draining"), what="the drain")
        gateway.process.send(signal.SIGINT)
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()
        assert gateway.process.wait() == 0
        assert gateway.requests(count=1)[0]["outcome"] == "cancelled"
        until(lambda: scripted.open_streams == 0, what="the upstream stream to end")


def test_a_stream_that_outlasts_the_grace_period_is_cut(scripted: Scripted) -> None:
    with streaming(scripted, shutdown_seconds=0.2) as (gateway, response):
        gateway.process.send(signal.SIGTERM)
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            response.read()
        assert gateway.process.wait() == 0
        assert gateway.process.lines("answers_cut")[0]["in_flight"] == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_idle_gateway_ends_with_open_connections(number: signal.Signals) -> None:
    with LoneGateway(bundle()) as gateway:
        idle = gateway.connect()
        idle.request("GET", "/healthz")
        assert reply(idle.getresponse()).status == 200
        gateway.process.send(number)
        assert gateway.process.wait() == 0
        idle.close()
