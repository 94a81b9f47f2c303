"""The egress rule: the data plane never connects to itself, to its node or to a cloud's metadata service.

It is applied to resolved addresses, directly before the connection, so that no DNS answer can bypass it.
"""

from ipaddress import ip_address

from claude_gateway.contract import addresses
from claude_gateway.contract.policy import Egress


def refused(address: str, egress: Egress, host: str) -> bool:
    """Whether no connection may be made to ``address``, which ``host`` resolved to (or is).

    ``egress.hosts`` allows exact host names or addresses, ``egress.loopback`` the loopback range. Anything that is not
    an IP address is refused.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return True
    return addresses.refusal(found, egress, host=host) is not None


def host_refused(host: str, egress: Egress) -> bool:
    """Whether no connection may be made to a host as it is written: a literal address in any spelling, or a name."""
    try:
        found = addresses.literal(host)
    except ValueError:
        return True
    if found is None:
        return addresses.name_refusal(host, egress) is not None
    return addresses.refusal(found, egress, host=host) is not None
