"""Checks base URLs: they must not point to the pod itself, its node or a cloud's metadata service.

The check covers the literal host in all spellings that client libraries understand. When the data plane connects, it
also checks the address that a host name resolves to.
"""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final
from urllib.parse import urlsplit

from claude_gateway.contract.policy import CLAUDE_WIRES, Egress, Wire

_METADATA: Final = frozenset(
    (
        IPv4Address("169.254.169.254"),
        IPv4Address("100.100.100.200"),  # Alibaba Cloud
        IPv4Address("168.63.129.16"),  # Azure
        IPv4Address("192.0.0.192"),  # Oracle Cloud
        IPv6Address("fd00:ec2::254"),  # AWS
        IPv6Address("fd20:ce::254"),  # Google Cloud
    )
)
_METADATA_NAMES: Final = frozenset(
    ("metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal")
)
_LOOPBACK_NAMES: Final = frozenset(("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"))
_THIS_NETWORK: Final = IPv4Network("0.0.0.0/8")
_RESERVED: Final = IPv4Network("240.0.0.0/4")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = IPv6Network("::/96")
_PLAIN: Final = re.compile(r"[!$&'()*+,\-./0-9:;=A-Z\[\]_a-z~%]+")
_HOST: Final = re.compile(r"[a-z0-9_]([-a-z0-9_.]*[a-z0-9_])?")
_NUMBER: Final = re.compile(r"0x[0-9a-f]*|[0-9]+")


def refusal(base_url: str, egress: Egress) -> str | None:
    """Return why requests must not be sent to an address; None if they may."""
    if not _PLAIN.fullmatch(base_url):
        return "it contains characters that are not allowed in a base URL"
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "it is not a valid URL"
    if parts.scheme not in ("http", "https") or not host or port == 0:
        return "it is not an http or https URL"
    if ".." in parts.path or "//" in parts.path or "%" in base_url:
        return "its path contains `..`, `//` or `%`"
    return _refused_host(host.rstrip("."), egress)


def normal(base_url: str, wire: Wire | None) -> str:
    """Return a base URL in the form that the bundle holds.

    That is without a slash at the end and, for Claude wires, without ``/v1``, as the Anthropic SDK expects it.
    """
    trimmed = base_url.rstrip("/")
    return trimmed.removesuffix("/v1").rstrip("/") if wire in CLAUDE_WIRES else trimmed


def _refused_host(host: str, egress: Egress) -> str | None:
    allowed = {name.lower().rstrip(".").strip("[]") for name in egress.hosts}
    if host in allowed:
        return None
    address: IPv4Address | IPv6Address | None
    try:
        address = _embedded(IPv6Address(host)) if ":" in host else _ipv4(host)
    except ValueError:
        return "its host is a number but not an IP address"
    if address is None:
        return _refused_name(host, egress)
    if str(address) in allowed:
        return None
    if address.is_loopback:
        return None if egress.loopback else "it is a loopback address"
    if address in _METADATA:
        return "it is a cloud's metadata address"
    if address.is_link_local:
        return "it is a link-local address"
    if address.is_multicast or address.is_unspecified or address in _THIS_NETWORK or address in _RESERVED:
        return "it is not the address of a single server"
    return None


def _refused_name(host: str, egress: Egress) -> str | None:
    if host in _LOOPBACK_NAMES or host.endswith(".localhost"):
        return None if egress.loopback else "it is a loopback name"
    if host in _METADATA_NAMES:
        return "it is a cloud's metadata address"
    return None if _HOST.fullmatch(host) else "its host is not a valid host name"


def _ipv4(host: str) -> IPv4Address | None:
    """Parse a host as ``inet_aton`` and browsers do: 1 to 4 parts, each decimal, octal or hexadecimal.

    Returns None if it is a name. Raises ValueError if the last part is a number but the whole is not an address.
    """
    parts = host.split(".")
    if not _NUMBER.fullmatch(parts[-1]):
        return None
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        raise ValueError
    numbers = [_number(part) for part in parts]
    if any(number > 255 for number in numbers[:-1]) or numbers[-1] >= 256 ** (5 - len(parts)):
        raise ValueError
    high = sum(number << (24 - 8 * index) for index, number in enumerate(numbers[:-1]))
    return IPv4Address(high + numbers[-1])


def _number(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8) if part.startswith("0") else int(part)


def _embedded(address: IPv6Address) -> IPv4Address | IPv6Address:
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
