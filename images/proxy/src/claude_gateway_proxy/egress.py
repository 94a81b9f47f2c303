"""The rule where the data plane may connect to: never to itself, to its node or to a cloud's metadata service.

Applied to the address that a name resolved to, right before the connection, so that no DNS answer gets round it.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from claude_gateway.contract.policy import Egress

_METADATA: Final = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",
        "100.100.100.200",  # Alibaba Cloud
        "168.63.129.16",  # Azure
        "192.0.0.192",  # Oracle Cloud
        "fd00:ec2::254",  # AWS
        "fd20:ce::254",  # Google Cloud
    )
)
_THIS_NETWORK: Final = IPv4Network("0.0.0.0/8")
_NAT64: Final = IPv6Network("64:ff9b::/96")


def refused(address: str, egress: Egress, host: str) -> bool:
    """Whether no connection may be made to ``address``, which ``host`` resolved to (or is).

    ``egress.hosts`` allows exact host names or addresses, ``egress.loopback`` the loopback range. What is not an IP
    address is refused. An IPv4 address within an IPv6 one (mapped, 6to4, NAT64) counts as itself.
    """
    try:
        outer = ip_address(address)
    except ValueError:
        return True
    named = {host.lower().rstrip(".").strip("[]"), str(outer)}
    inner = _embedded(outer)
    named.add(str(inner))
    if any(allowed.lower().rstrip(".").strip("[]") in named for allowed in egress.hosts):
        return False
    if inner.is_loopback:
        return not egress.loopback
    return (
        inner.is_link_local
        or inner.is_multicast
        or inner.is_unspecified
        or inner in _METADATA
        or (inner.version == 4 and inner in _THIS_NETWORK)
    )


def _embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address if address.scope_id is None else _unscoped(address))


def _unscoped(address: IPv6Address) -> IPv6Address:
    return IPv6Address(int(address))
