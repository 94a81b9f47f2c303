"""Where the data plane may connect to."""

import pytest

from claude_gateway.contract.policy import Egress
from claude_gateway_proxy.egress import refused

_CLOSED = Egress()
_LOOPBACK = Egress(loopback=True)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "169.254.169.254",
        "169.254.1.1",
        "fe80::1",
        "fe80::1%eth0",
        "224.0.0.1",
        "ff02::1",
        "100.100.100.200",
        "168.63.129.16",
        "fd00:ec2::254",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "localhost",
        "127.1",
        "",
    ],
)
def test_local_and_metadata_addresses_are_refused(address: str) -> None:
    assert refused(address, _CLOSED, "api.example.com")


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "172.16.0.9", "8.8.8.8", "fd12::1", "2606:4700::1"])
def test_private_and_public_addresses_are_not(address: str) -> None:
    assert not refused(address, _CLOSED, "api.example.com")


def test_loopback_may_be_allowed_as_a_whole_and_nothing_else_with_it() -> None:
    assert not refused("127.0.0.1", _LOOPBACK, "localhost")
    assert not refused("::1", _LOOPBACK, "localhost")
    assert not refused("::ffff:127.0.0.1", _LOOPBACK, "localhost")
    assert refused("169.254.169.254", _LOOPBACK, "metadata")
    assert refused("0.0.0.0", _LOOPBACK, "0.0.0.0")


@pytest.mark.parametrize("entry", ["ollama.local", "OLLAMA.local.", "127.0.0.1"])
def test_one_host_or_address_may_be_allowed(entry: str) -> None:
    egress = Egress(hosts=(entry,))
    assert not refused("127.0.0.1", egress, "ollama.local")
    assert refused("127.0.0.2", egress, "other.local")


def test_an_ipv6_literal_may_be_allowed_with_or_without_brackets() -> None:
    assert not refused("::1", Egress(hosts=("[::1]",)), "[::1]")
    assert not refused("::1", Egress(hosts=("::1",)), "[::1]")


def test_a_parent_domain_allows_no_host_below_it() -> None:
    assert refused("127.0.0.1", Egress(hosts=("local",)), "ollama.local")
