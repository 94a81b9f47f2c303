"""Checks base URLs: they must not point to the pod itself, its node or a cloud's metadata service.

The check covers the literal host in all spellings that client libraries understand. When the data plane connects, it
also checks the address that a host name resolves to.
"""

import re
from typing import Final
from urllib.parse import urlsplit

from claude_gateway.contract import addresses
from claude_gateway.contract.policy import Egress
from claude_gateway.contract.target import CLAUDE_WIRES, Wire

_PLAIN: Final = re.compile(r"[!$&'()*+,\-./0-9:;=A-Z\[\]_a-z~%]+")
_HOST: Final = re.compile(r"[a-z0-9_]([-a-z0-9_.]*[a-z0-9_])?")

ALLOWED_BY: Final = (
    "have the operators of the gateway allow this host: `egress.allowHosts` of the chart, `--allow-host` of the "
    "commands."
)
"""The end of a fix: what allows a host that is refused by default."""


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

    It has no slash at the end and, for Claude wires, no ``/v1``, as the Anthropic SDK expects.
    """
    trimmed = base_url.rstrip("/")
    return trimmed.removesuffix("/v1").rstrip("/") if wire in CLAUDE_WIRES else trimmed


def _refused_host(host: str, egress: Egress) -> str | None:
    try:
        address = addresses.literal(host)
    except ValueError:
        return "its host is a number but not an IP address"
    if address is not None:
        return addresses.refusal(address, egress, host=host)
    refused = addresses.name_refusal(host, egress)
    return refused or (None if _HOST.fullmatch(host) else "its host is not a valid host name")
