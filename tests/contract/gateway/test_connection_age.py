"""A connection's greatest age: it ends with an answer that says so or in a pause, never within an answer."""

import http.client
import json
import socket

from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.lone_gateway import LoneGateway, read_answer, reply
from tests.support.processes.waiting import until

from claude_gateway_scripted.local import Scripted

KEY = "cgw_key-of-dev"
AUTH = {"authorization": f"Bearer {KEY}"}
BODY = {"model": "m", "max_tokens": 64, "messages": [{"role": "user", "content": "x"}], "stream": True}
AGE = 1.0


def _gateway(scripted: Scripted, *, age: float) -> LoneGateway:
    policy = bundle([route("m", targets=[target(base_url=scripted.url)])], keys={KEY: "ns/dev"})
    return LoneGateway(policy, max_connection_age_seconds=age)


def _ask(connection: http.client.HTTPConnection) -> str | None:
    """Send a small request and return the ``connection`` header of the answer."""
    connection.request("GET", "/healthz")
    answer = reply(connection.getresponse())
    assert answer.status == 200
    return answer.headers.get("connection")


def test_a_busy_connection_ends_after_an_answer_says_so_and_the_next_one_works(scripted: Scripted) -> None:
    with _gateway(scripted, age=AGE) as gateway:
        connection = gateway.connect()
        said = [_ask(connection)]
        assert said == [None]
        first = connection.sock
        while said[-1] is None:
            assert connection.sock is first
            said.append(_ask(connection))
        assert said[-1] == "close"
        assert connection.sock is None
        assert _ask(connection) is None
        connection.close()


def test_an_idle_connection_is_closed(scripted: Scripted) -> None:
    with _gateway(scripted, age=AGE) as gateway, gateway.dial() as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = read_answer(idle)
        assert (answer.status, answer.headers.get("connection")) == (200, None)
        assert idle.recv(1) == b""


def test_a_connection_that_grows_old_within_a_stream_ends_after_it(scripted: Scripted) -> None:
    words = " ".join(["word"] * 12)
    scripted.script({"text": words, "chunk_delay": 0.2})
    with _gateway(scripted, age=0.5) as gateway:
        connection = gateway.connect()
        connection.request("POST", "/v1/messages", body=json.dumps(BODY), headers=AUTH)
        response = connection.getresponse()
        assert (response.status, response.headers.get("connection")) == (200, None)
        assert response.read().count(b"text_delta") == len(words.split())
        # No response said so yet: the client may send this request, and it is answered.
        assert _ask(connection) == "close"
        assert connection.sock is None
        line = gateway.requests(count=1, outcome="ok")[0]
        assert line["status"] == 200


def test_an_answer_that_begins_late_says_so(scripted: Scripted) -> None:
    scripted.script({"text": "late", "delay": 1.5})
    with _gateway(scripted, age=0.5) as gateway:
        connection = gateway.connect()
        connection.request("POST", "/v1/messages", body=json.dumps(BODY), headers=AUTH)
        response = connection.getresponse()
        assert response.headers["connection"] == "close"
        assert b"message_stop" in response.read()


def test_a_request_that_arrives_in_pieces_is_not_cut(scripted: Scripted) -> None:
    with _gateway(scripted, age=0.3) as gateway, gateway.dial() as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert read_answer(slow).headers.get("connection") is None
        slow.sendall(b"GET /healthz HTTP/1.1\r\n")
        _two_lifetimes(gateway)
        slow.sendall(b"host: x\r\n\r\n")
        answer = read_answer(slow)
        assert (answer.status, answer.headers["connection"]) == (200, "close")


def test_a_request_behind_another_is_answered_by_the_next_connection(scripted: Scripted) -> None:
    with _gateway(scripted, age=0.3) as gateway, gateway.dial() as pipelined:
        pipelined.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert read_answer(pipelined).status == 200
        _two_lifetimes(gateway)
        pipelined.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n" * 3)
        answers = _all(pipelined)
        # A client that hears `close` knows that what it sent after this request was not looked at (RFC 9112, 9.6).
        assert answers.count(b"HTTP/1.1 200") == answers.count(b"connection: close") == 1


def test_without_a_limit_connections_stay(scripted: Scripted) -> None:
    with _gateway(scripted, age=0) as gateway, _gateway(scripted, age=0.2) as aging:
        connection = gateway.connect()
        assert _ask(connection) is None
        _two_lifetimes(aging)
        assert _ask(connection) is None
        connection.close()


def _two_lifetimes(gateway: LoneGateway) -> None:
    """Wait until every connection from before is old, whatever share of chance each has."""
    for _ in range(2):
        connection = gateway.connect()
        until(lambda: _ask(connection) == "close", what="the age")  # noqa: B023 - asked within the round
        connection.close()


def _all(connection: socket.socket) -> bytes:
    data = b""
    while more := connection.recv(65536):
        data += more
    return data
