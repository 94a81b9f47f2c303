"""A full pod says so, in time and with the moment to come back; no client fills it for the others."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.support.builders.bundles import bundle, route, target
from tests.support.processes.inprocess import gateway, hang, upstream
from tests.support.processes.lone_gateway import LoneGateway, Reply, read_answer
from tests.support.processes.waiting import until, until_async

from claude_gateway.contract.client import Client
from claude_gateway_proxy.gateway.admission.load import Bounds, Load
from claude_gateway_scripted.local import Scripted

DEV, OTHER = "cgw_key-of-dev", "cgw_key-of-other"
BODY = {"model": "c", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
_MIB = 2**20


@pytest.fixture(scope="module")
def upstream_url() -> Iterator[str]:
    with Scripted() as scripted:
        yield scripted.url


@pytest.fixture
def full(upstream_url: str) -> Iterator[LoneGateway]:
    """A gateway with little room."""
    policy = bundle(
        [route("c", targets=[target(base_url=upstream_url)])],
        clients=[Client(name="ns/dev"), Client(name="ns/other")],
        keys={DEV: "ns/dev", OTHER: "ns/other"},
    )
    with LoneGateway(
        policy,
        max_in_flight=40,
        max_in_flight_per_client=30,
        max_buffered_bytes=24 * _MIB,
        max_buffered_bytes_per_client=16 * _MIB,
        max_connections=60,
        max_connections_per_address=50,
    ) as running:
        yield running


def begun(size: int, key: str = DEV) -> bytes:
    return f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: {size}\r\n\r\n".encode()


def asked(gateway: LoneGateway, key: str) -> Reply:
    return gateway.call("POST", "/v1/messages", body=BODY, headers={"x-api-key": key})


def test_unfinished_bodies_of_one_client_leave_room_for_another(full: LoneGateway) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(full.dial()) for _ in range(6)]
        for connection in connections:
            connection.sendall(begun(8 * _MIB) + b" " * (5 * _MIB))
        refused = full.requests(count=3, status=529)
        assert {line["client"] for line in refused} == {"ns/dev"}
        assert asked(full, DEV).status == 200  # its body is small
        assert asked(full, OTHER).status == 200
        until(lambda: full.status().in_flight in (2, 3), what="the bodies that there is room for")
    until(lambda: full.status().in_flight == 0, what="all of them to be gone")
    with full.dial() as connection:
        connection.sendall(begun(8 * _MIB) + b" " * (8 * _MIB))
        assert read_answer(connection).status == 400


def test_a_body_for_which_there_is_no_room_is_refused_before_it_is_sent(full: LoneGateway) -> None:
    with full.dial() as connection:
        connection.sendall(begun(17 * _MIB))
        answer = read_answer(connection)
    assert (answer.status, answer.json["error"]["type"]) == (529, "overloaded_error")
    assert (answer.headers["retry-after"], answer.headers["x-should-retry"]) == ("5", "true")


def test_one_request_too_many_is_answered_at_once(full: LoneGateway) -> None:
    with ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(full.dial()).sendall(begun(10))
        until(lambda: full.status().in_flight == 30, what="thirty requests")
        assert asked(full, DEV).status == 529
        assert asked(full, OTHER).status == 200
        for _ in range(10):
            stack.enter_context(full.dial()).sendall(begun(10, OTHER))
        until(lambda: full.status().in_flight == 40, what="forty requests")
        busy = asked(full, OTHER)
        assert (busy.status, busy.headers["retry-after"]) == (529, "5")
        assert full.call("GET", "/healthz").status == 200
    (line,) = full.requests(count=1, status=529, client="ns/other")
    assert line["outcome"] == "refused"


async def test_an_answer_in_flight_counts_until_it_ends() -> None:
    load = Load(pod=Bounds(requests=1, bytes=10_000), client=Bounds(requests=1, bytes=10_000))

    async def sent() -> bool:
        return bool(up.seen)

    async with upstream(hang) as up, gateway(route("c", targets=[target(base_url=up.url)]), load=load) as gw:
        first = asyncio.create_task(gw.post("/v1/messages", BODY))
        await until_async(sent, what="the first request")
        second = await gw.post("/v1/chat/completions", BODY)
        assert second.status == 529
        assert json.loads(await second.read())["error"]["type"] == "server_error"
        first.cancel()
        await gw.idle()


def test_more_connections_than_there_may_be_push_out_the_idle_ones(full: LoneGateway) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(full.dial()) for _ in range(100)]
        assert full.call("GET", "/healthz").status == 200
        assert asked(full, DEV).status == 200
        assert idle[0].recv(1000).startswith(b"HTTP/1.1 503 Service Unavailable\r\nretry-after: ")
        idle[-1].sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert read_answer(idle[-1]).status == 200


def test_connections_of_one_address_leave_room_for_another(full: LoneGateway) -> None:
    with ExitStack() as stack:
        other = stack.enter_context(full.dial(source="127.0.0.2"))
        crowd = [stack.enter_context(full.dial()) for _ in range(200)]
        assert asked(full, DEV).status == 200
        assert crowd[0].recv(1000).startswith(b"HTTP/1.1 503 Service Unavailable\r\nretry-after: ")
        other.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert read_answer(other).status == 200


def test_a_request_under_way_is_never_pushed_out(full: LoneGateway) -> None:
    with ExitStack() as stack:
        head = begun(100)
        busy = stack.enter_context(full.dial())
        busy.sendall(head)
        until(lambda: full.status().in_flight == 1, what="a request")
        for _ in range(100):
            stack.enter_context(full.dial())
        assert full.call("GET", "/healthz").status == 200
        busy.sendall(b"x" * 100)
        assert read_answer(busy).status == 400
