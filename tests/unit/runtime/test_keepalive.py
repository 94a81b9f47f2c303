"""Probes of TCP connections."""

import socket

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
