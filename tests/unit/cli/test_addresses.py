"""Where ``serve`` listens: addresses and taken ports."""

import os
import socket
from pathlib import Path

import pytest

from claude_gateway.cli import addresses
from claude_gateway.cli.addresses import Address
from claude_gateway.cli.errors import Trouble


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:4000", "127.0.0.1", 4000),
        ("[::1]:0", "::1", 0),
        (":80", "", 80),
        ("localhost:65535", "localhost", 65535),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    address = addresses.parse(text)
    assert (address.host, address.port, str(address)) == (host, port, text)


@pytest.mark.parametrize("text", ["4000", "::1:4000", "h:", "h:x", "h:65536", "h:-1", "h:²"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="such as"):
        addresses.parse(text)


def test_a_wildcard_is_reached_by_loopback() -> None:
    assert str(addresses.parse("0.0.0.0:1").local) == "127.0.0.1:1"
    assert str(addresses.parse("[::]:1").local) == "[::1]:1"
    assert not addresses.parse("0.0.0.0:1").is_loopback
    assert addresses.parse("127.8.8.8:1").is_loopback


def test_a_taken_port_names_its_holder_and_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(Trouble) as caught:
            addresses.require_free(address, option="--listen")
    assert (
        f"is already in use by {Path('/proc/self/comm').read_text().strip()} (pid {os.getpid()})"
        in caught.value.message
    )
    assert "--listen" in caught.value.fix
    addresses.require_free(address, option="--listen")


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    with pytest.raises(Trouble, match=r"cannot listen on 192\.0\.2\.1"):
        addresses.require_free(Address("192.0.2.1", 4000), option="--listen")


@pytest.mark.parametrize("other", ["127.0.0.1:4000", "0.0.0.0:4000", ":4000", "[::]:4000"])
def test_two_options_for_one_port_are_named(other: str) -> None:
    wanted = {"--listen": addresses.parse("127.0.0.1:4000"), "--scripted-model": addresses.parse(other)}
    with pytest.raises(Trouble, match="--listen and --scripted-model are both port 4000"):
        addresses.require_distinct(wanted)


def test_other_ports_and_free_ones_are_distinct() -> None:
    texts = ("127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:1", "127.0.0.2:1")
    addresses.require_distinct({str(number): addresses.parse(text) for number, text in enumerate(texts)})
