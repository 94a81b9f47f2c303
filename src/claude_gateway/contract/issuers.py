"""Where the keys of an issuer of tokens may be fetched: from public HTTPS addresses, unless more is allowed.

Whoever answers there decides who may call. So plain HTTP is only for hosts that the installation names, and private
networks, where models may run, are closed as well: a tenant writes these addresses, and no model needs them.
"""

from urllib.parse import urlsplit

from claude_gateway.contract import addresses
from claude_gateway.contract.policy import Egress

DISCOVERY = "/.well-known/openid-configuration"
"""What follows the issuer in the address of its discovery document. Source: OpenID Connect Discovery 1.0, 4."""


def public(egress: Egress) -> Egress:
    """Return the egress rule for documents of issuers: without private networks."""
    return egress.model_copy(update={"private": False})


def refusal(url: str, egress: Egress) -> str | None:
    """Return why a document must not be fetched from an URL; None if it may. ``egress`` is the installation's."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
        literal = addresses.literal(host)
    except ValueError:
        return "it is not a valid URL"
    if parts.scheme not in ("http", "https") or not host or port == 0 or parts.username is not None:
        return "it is not a plain http or https URL"
    if literal is not None:
        refused = addresses.refusal(literal, public(egress), host=host)
    else:
        refused = addresses.name_refusal(host, egress)
    if refused is None and parts.scheme == "http" and not _near_or_named(host, literal, egress):
        return "keys are fetched over https"
    return refused


def _near_or_named(host: str, literal: addresses.Address | None, egress: Egress) -> bool:
    """Whether the installation allowed a host of plain HTTP: by name, or as an address of this machine."""
    if host.lower() in {name.lower().rstrip(".").strip("[]") for name in egress.hosts}:
        return True
    local = literal.is_loopback if literal is not None else addresses.name_refusal(host, Egress()) is not None
    return egress.loopback and local
