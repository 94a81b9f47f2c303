"""Masks keys in an upstream's message: some servers repeat the credential that they reject."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from claude_gateway_proxy.litellm.targets import Target
from claude_gateway_proxy.masking import MASKED, Mask

_NOT_SECRET: Final = frozenset({"aws_region_name", "aws_bedrock_runtime_endpoint", "vertex_project", "vertex_location"})
_SECRET_OF_GOOGLE: Final = ("private_key", "private_key_id", "client_secret", "refresh_token")
_TOKENS: Final = re.compile(
    r"(?P<scheme>\b(?:Bearer|Basic)\s)[\w.~+/=-]{16,}|\bya29\.[\w.-]+|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", re.IGNORECASE
)
"""Credentials that are not a target's own: tokens made from them, and the pod's identity."""


def mask_of(target: Target) -> Mask:
    """Return the mask of a target's secrets."""
    return Mask(each for each in (target.api_key, *_of_cloud(target.cloud or {})) if each)


def without_tokens(text: str) -> str:
    """Return a text of bounded length without what looks like a credential."""
    return _TOKENS.sub(lambda found: f"{found['scheme'] or ''}{MASKED}", text)


def _of_cloud(cloud: Mapping[str, Any]) -> Iterator[str]:
    for name, value in cloud.items():
        if name == "vertex_credentials":
            yield from (str(value[field]) for field in _SECRET_OF_GOOGLE if field in value)
        elif name not in _NOT_SECRET and isinstance(value, str):
            yield value
