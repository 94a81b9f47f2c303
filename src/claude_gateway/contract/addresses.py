"""The addresses that nothing may connect to unless the installation allows it: one list for planner and data plane.

These are this machine (loopback), its network segment (link-local), the services by which clouds hand out identities
(metadata), and what is not the address of a single server. Private networks are allowed: models run there.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

from claude_gateway.contract.policy import Egress

Address = IPv4Address | IPv6Address

IDENTITY_SERVICES: Final = (
    "169.254.169.254",  # machines of most clouds
    "169.254.170.2",  # AWS's containers
    "169.254.170.23",  # EKS Pod Identity
    "fd00:ec2::23",
    "fd00:ec2::254",
    "fd20:ce::254",  # Google Cloud
)
"""The addresses where clouds serve the identity of a pod or of its machine; all are metadata addresses."""

_METADATA_4: Final = frozenset(
    IPv4Address(text)
    for text in (
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "169.254.42.42",  # Scaleway
        "169.254.0.23",  # Tencent Cloud
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure
        "192.0.0.192",  # Oracle Cloud
        "192.80.8.124",  # Equinix Metal
    )
)
_METADATA_6: Final = tuple(
    IPv6Network(text)
    for text in (
        "fd00:ec2::/32",  # AWS: machines, EKS Pod Identity, clock and name servers
        "fd20:ce::254",  # Google Cloud
        "fd00:42::42",  # Scaleway
        "fd00:c1::a9fe:a9fe",  # Oracle Cloud
        "fd00:a9fe:a9fe::1",  # Akamai
        "fe80::a9fe:a9fe",  # OpenStack
    )
)
_METADATA_NAMES: Final = frozenset(
    (
        *("metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"),
        *("metadata.tencentyun.com", "api.metadata.cloud.ibm.com", "metadata.platformequinix.com"),
        *("metadata.packet.net", "rancher-metadata"),
    )
)
_LOOPBACK_NAMES: Final = frozenset(("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"))
_THIS_NETWORK: Final = IPv4Network("0.0.0.0/8")
_RESERVED: Final = IPv4Network("240.0.0.0/4")
_LAST_32_BITS: Final = tuple(
    IPv6Network(text)
    for text in (
        "64:ff9b::/96",  # NAT64 (RFC 6052)
        "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765)
        "::/96",  # IPv4-compatible (RFC 4291), without :: and ::1
    )
)
_LOCAL_NAT64: Final = IPv6Network("64:ff9b:1::/48")
"""RFC 8215: each network chooses how long its prefix is, and with it where the IPv4 address stands (RFC 6052, 2.2)."""

_ISATAP: Final = frozenset((0x00005EFE, 0x02005EFE))
_NUMBER: Final = re.compile(r"0x[0-9a-f]*|[0-9]+")


def refusal(address: Address, egress: Egress, *, host: str = "") -> str | None:
    """Return why no connection may be made to ``address``, which ``host`` resolved to; None if it may.

    ``egress.hosts`` allows exact host names or addresses, ``egress.loopback`` the loopback range, ``egress.private``
    private networks. An IPv4 address within an IPv6 one counts as itself.
    """
    plain = address if isinstance(address, IPv4Address) else IPv6Address(int(address))
    allowed = {name.lower().rstrip(".").strip("[]") for name in egress.hosts}
    if not allowed.isdisjoint((host.lower().rstrip(".").strip("[]"), str(address), str(plain))):
        return None
    for meant in _meanings(plain):
        reason = _reason(meant)
        if reason is None and not (egress.private or meant.is_global):
            reason = "it is a private address"
        if reason is not None and str(meant) not in allowed and not (egress.loopback and meant.is_loopback):
            return reason
    return None


def name_refusal(name: str, egress: Egress) -> str | None:
    """Return why no connection may be made to a host of this name, whatever it resolves to; None if it may."""
    plain = name.lower().rstrip(".")
    if plain in {allowed.lower().rstrip(".") for allowed in egress.hosts}:
        return None
    if plain in _LOOPBACK_NAMES or plain.endswith(".localhost"):
        return None if egress.loopback else "it is a loopback name"
    return "it is a cloud's metadata address" if plain in _METADATA_NAMES else None


def literal(host: str) -> Address | None:
    """Return the address that a host is, in any spelling that client libraries understand; None if it is a name.

    IPv4 is read as ``inet_aton`` and browsers do: 1 to 4 parts, each decimal, octal or hexadecimal. Raises ValueError
    if the last part is a number but the whole is not an address.
    """
    plain = host.lower().rstrip(".")
    if ":" in plain:
        return IPv6Address(plain.strip("[]"))
    parts = plain.split(".")
    if not _NUMBER.fullmatch(parts[-1]):
        return None
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        raise ValueError("not an IPv4 address")
    numbers = [_number(part) for part in parts]
    if any(number > 255 for number in numbers[:-1]) or numbers[-1] >= 256 ** (5 - len(parts)):
        raise ValueError("not an IPv4 address")
    high = sum(number << (24 - 8 * index) for index, number in enumerate(numbers[:-1]))
    return IPv4Address(high + numbers[-1])


def _number(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8) if part.startswith("0") else int(part)


def _reason(address: Address) -> str | None:
    if address.is_loopback:
        return "it is a loopback address"
    if address in _METADATA_4 or any(address in network for network in _METADATA_6):
        return "it is a cloud's metadata address"
    if address.is_link_local:
        return "it is a link-local address"
    if address.is_multicast or address.is_unspecified or address in _THIS_NETWORK or address in _RESERVED:
        return "it is not the address of a single server"
    return None


def _meanings(address: Address) -> Iterator[Address]:
    """The addresses that packets to ``address`` may end at."""
    if isinstance(address, IPv4Address):
        yield address
        return
    number = int(address)
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and number > 1 and any(address in network for network in _LAST_32_BITS):
        inner = IPv4Address(number & 0xFFFFFFFF)
    if inner is not None:
        yield inner
        return
    yield address
    if address.teredo is not None:
        yield from address.teredo
    if number >> 32 & 0xFFFFFFFF in _ISATAP:
        yield IPv4Address(number & 0xFFFFFFFF)
    if address in _LOCAL_NAT64:
        yield from _of_local_nat64(number)


def _of_local_nat64(number: int) -> Iterator[Address]:
    """Yield the IPv4 addresses in an address of a local NAT64 prefix, with prefixes of 48, 56, 64 and 96 bits.

    Only one of them is meant; an address that could not be a server's is not that one.
    """
    for bits in (48, 56, 64):
        # The bits 64 to 71 are left out of the address.
        without = (number >> 64 << 56) | (number & (1 << 56) - 1)
        yield from _server(without >> (120 - bits - 32) & 0xFFFFFFFF)
    yield from _server(number & 0xFFFFFFFF)


def _server(number: int) -> Iterator[Address]:
    found = IPv4Address(number)
    if found not in _THIS_NETWORK and found not in _RESERVED and not found.is_multicast:
        yield found
