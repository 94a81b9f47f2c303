"""The one list of addresses that nothing may connect to, and what an address stands for."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_gateway.contract.addresses import IDENTITY_SERVICES, literal, name_refusal, refusal
from claude_gateway.contract.policy import Egress
from claude_gateway.plan import addresses as planner
from claude_gateway_proxy.egress import host_refused, refused

CLOSED = Egress()
METADATA = "it is a cloud's metadata address"
LOOPBACK = "it is a loopback address"

_REFUSED = {
    **dict.fromkeys((*IDENTITY_SERVICES, "fd00:ec2::123", "fd00:ec2::253", "fd00:c1::a9fe:a9fe"), METADATA),
    **dict.fromkeys(("168.63.129.16", "100.100.100.200", "192.0.0.192", "169.254.42.42", "fe80::a9fe:a9fe"), METADATA),
    "127.0.0.1": LOOPBACK,
    "::1": LOOPBACK,
    "169.254.1.1": "it is a link-local address",
    "fe80::1": "it is a link-local address",
    **dict.fromkeys(
        ("0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "ff02::1", "240.0.0.1", "255.255.255.255"),
        "it is not the address of a single server",
    ),
}


@pytest.mark.parametrize(("address", "reason"), _REFUSED.items())
def test_an_address_is_refused_with_its_reason(address: str, reason: str) -> None:
    assert refusal(ip_address(address), CLOSED) == reason


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "172.16.0.9", "100.64.0.1", "8.8.8.8", "fd12::1"])
def test_private_and_public_addresses_are_allowed(address: str) -> None:
    assert refusal(ip_address(address), CLOSED) is None


def _within(inner: str) -> list[str]:
    """IPv6 addresses whose packets end at an IPv4 one, by every scheme that has one."""
    high, low = (f"{IPv4Address(inner).packed[at]:02x}{IPv4Address(inner).packed[at + 1]:02x}" for at in (0, 2))
    a, b, c, d = (high[:2], high[2:], low[:2], low[2:])
    return [
        f"::ffff:{inner}",
        f"::ffff:0:{inner}",
        f"::{inner}",
        f"64:ff9b::{inner}",
        f"2002:{high}:{low}::1",
        f"64:ff9b:1::{inner}",
        f"64:ff9b:1:7::{inner}",
        f"64:ff9b:1:{high}:{c}:{d}00::",
        f"64:ff9b:1:{a}:{b}:{low}::".replace(f":1:{a}:{b}:", f":1:12{a}:00{b}:"),
        f"64:ff9b:1:1234:{a}:{b}{c}:{d}00:0",
        f"2001:0:{high}:{low}:0:0:f7f7:f7f7",
        f"2001:0:0808:0808:0:0:{int(high, 16) ^ 0xFFFF:x}:{int(low, 16) ^ 0xFFFF:x}",
        f"2001:db8::5efe:{inner}",
        f"2001:db8::200:5efe:{inner}",
    ]


@pytest.mark.parametrize("inner", ["127.0.0.1", "169.254.169.254", "100.100.100.200", "168.63.129.16"])
@pytest.mark.parametrize("scheme", range(14))
def test_an_address_within_an_address_counts_as_itself(inner: str, scheme: int) -> None:
    assert refusal(ip_address(_within(inner)[scheme]), CLOSED) == refusal(ip_address(inner), CLOSED) is not None


@pytest.mark.parametrize("inner", ["8.8.8.8", "10.1.2.3"])
@pytest.mark.parametrize("scheme", range(14))
def test_servers_behind_nat64_and_tunnels_are_reached(inner: str, scheme: int) -> None:
    assert refusal(ip_address(_within(inner)[scheme]), CLOSED) is None


def test_a_scope_changes_nothing() -> None:
    assert refusal(IPv6Address("fe80::1%eth0"), CLOSED) == "it is a link-local address"
    assert refusal(IPv6Address("fe80::1%eth0"), Egress(hosts=("fe80::1",))) is None


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b:1::7f00:1"])
def test_loopback_may_be_allowed(address: str) -> None:
    assert refusal(ip_address(address), Egress(loopback=True)) is None


@pytest.mark.parametrize("entry", ["169.254.1.1", "Model.internal.", "::ffff:a9fe:101"])
def test_a_host_may_be_allowed_by_name_or_address(entry: str) -> None:
    egress = Egress(hosts=(entry,))
    assert refusal(ip_address("::ffff:169.254.1.1"), egress, host="model.internal") is None
    assert refusal(ip_address("169.254.1.2"), egress, host="other.internal") is not None


@pytest.mark.parametrize(
    ("name", "egress", "reason"),
    [
        ("metadata.google.internal", CLOSED, METADATA),
        ("METADATA.", CLOSED, METADATA),
        ("metadata", Egress(hosts=("metadata",)), None),
        ("localhost", CLOSED, "it is a loopback name"),
        ("a.localhost", CLOSED, "it is a loopback name"),
        ("localhost", Egress(loopback=True), None),
        ("api.example.com", CLOSED, None),
    ],
)
def test_names_that_stand_for_such_addresses(name: str, egress: Egress, reason: str | None) -> None:
    assert name_refusal(name, egress) == reason


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.1", "127.0.0.1"),
        ("0x7f.0.0.1.", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("0x", "0.0.0.0"),
        ("[::1]", "::1"),
        ("api.example.com", None),
        ("abc.0x7f.example", None),
    ],
)
def test_a_literal_host_in_every_spelling(host: str, expected: str | None) -> None:
    assert literal(host) == (None if expected is None else ip_address(expected))


@pytest.mark.parametrize("host", ["1.2.3.4.5", "300.1.1.1", "4294967296", "08.1.1.1", "a.1", "::1::", "[nonsense:]"])
def test_a_number_that_is_no_address(host: str) -> None:
    with pytest.raises(ValueError, match=r"[a-z]"):
        literal(host)
    assert host_refused(host, Egress(loopback=True))


_EGRESS = st.sampled_from([CLOSED, Egress(loopback=True), Egress(hosts=("169.254.169.254", "::1"))])
_ADDRESSES = st.one_of(
    st.ip_addresses(),
    st.sampled_from(sorted(_REFUSED)).map(ip_address),
    st.tuples(st.sampled_from(sorted(a for a in _REFUSED if ":" not in a)), st.integers(0, 13)).map(
        lambda pair: ip_address(_within(pair[0])[pair[1]])
    ),
)


@given(_ADDRESSES, _EGRESS)
def test_planner_connector_and_guard_decide_alike(address: IPv4Address | IPv6Address, egress: Egress) -> None:
    host = f"[{address}]" if isinstance(address, IPv6Address) else str(address)
    expected = refusal(address, egress) is not None
    assert (planner.refusal(f"http://{host}/v1", egress) is not None) is expected
    assert refused(str(address), egress, "") is expected
    assert host_refused(host, egress) is expected
