"""Probes of TCP connections."""

import socket
import sys
from contextlib import suppress

import pytest

from claude_gateway_runtime import keepalive


def test_the_system_probes_after_seconds_and_gives_up_within_a_minute() -> None:
    with socket.socket() as made:
        keepalive.probe(made)
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle, interval, count = (
            made.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert idle + interval * count <= 60


class Info:
    """A socket of which the system says this: how often data was sent again, and milliseconds since it heard."""

    family = socket.AF_INET

    def __init__(self, again: int, silent: int) -> None:
        self._info = bytes([1, 4, again]) + bytes(53) + silent.to_bytes(4, sys.byteorder)

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes:
        assert (level, option) == (socket.IPPROTO_TCP, socket.TCP_INFO)
        return self._info[:size]


@pytest.mark.parametrize(
    ("again", "silent", "unheard"),
    [
        pytest.param(8, 31_000, True, id="sent again for half a minute"),
        pytest.param(8, 2_000, False, id="acknowledged of late"),
        pytest.param(0, 110_000, False, id="a window of zero, or an answer that takes long"),
        pytest.param(2, 31_000, False, id="sent after a silence"),
    ],
)
def test_a_connection_is_unheard_when_nothing_comes_back(again: int, silent: int, unheard: bool) -> None:
    assert keepalive.is_unheard(Info(again, silent)) is unheard


def test_a_server_that_does_not_read_is_heard() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as made:
        made.setblocking(False)
        with suppress(BlockingIOError):
            while made.send(bytes(1 << 20)):
                pass
        assert not keepalive.is_unheard(made)


def test_a_socket_of_this_machine_alone_is_heard() -> None:
    with socket.socket(socket.AF_UNIX) as made:
        assert not keepalive.is_unheard(made)
