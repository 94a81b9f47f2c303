"""Which hosts are local: no external HTTP proxy can reach them, so they are never requested through one."""

from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from typing import Final

PROXY_VARIABLES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
"""What names the HTTP proxy; most programs read both spellings."""

BYPASS_VARIABLES: Final = ("NO_PROXY", "no_proxy")

_NETWORKS: Final = tuple(
    map(
        ip_network,
        (
            *("127.0.0.0/8", "::1/128", "0.0.0.0/32", "::/128"),  # the last two are what servers listen on
            *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),  # RFC 1918, RFC 4193
            *("169.254.0.0/16", "fe80::/10"),
        ),
    )
)
_SUFFIXES: Final = (".localhost", ".local", ".svc", ".svc.cluster.local", ".docker.internal")


def is_near(host: str) -> bool:
    """Return whether a host is this machine, in a private network, or a name that only a local resolver knows.

    The last are names without a dot, as docker compose has them, and those of Services in a cluster.
    """
    name = host.strip("[]").rstrip(".").lower()
    try:
        address = ip_address(name)
    except ValueError:
        return bool(name) and ("." not in name or name.endswith(_SUFFIXES))
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in _NETWORKS)


def with_bypass(present: str, hosts: Iterable[str]) -> str:
    """Return the value of ``NO_PROXY`` with these hosts added, each once; ``*`` names all hosts already."""
    listed = [each.strip() for each in present.split(",") if each.strip()]
    if "*" in listed:
        return present
    return ",".join((*listed, *(host for host in dict.fromkeys(hosts) if host not in listed)))
