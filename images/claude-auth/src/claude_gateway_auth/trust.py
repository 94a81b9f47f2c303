"""Which certificates the service accepts from Anthropic and from the identity provider."""

import ssl
from collections.abc import Mapping
from pathlib import Path


def authorities(environment: Mapping[str, str]) -> ssl.SSLContext:
    """Trust what the CLI trusts: the system's authorities, and the company's in ``NODE_EXTRA_CA_CERTS``."""
    context = ssl.create_default_context()
    more = environment.get("NODE_EXTRA_CA_CERTS")
    if more and Path(more).is_file():
        context.load_verify_locations(more)
    return context
