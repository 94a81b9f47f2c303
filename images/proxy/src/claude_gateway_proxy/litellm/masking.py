"""Keys in an upstream's words: some servers repeat the credential that they reject."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from claude_gateway_proxy.litellm.targets import Target

MASK: Final = "[key]"

_LEAST: Final = 4
"""Characters of a key; to replace a shorter one would garble words and hide nothing."""

_NOT_SECRET: Final = frozenset({"aws_region_name", "aws_bedrock_runtime_endpoint", "vertex_project", "vertex_location"})
_SECRET_OF_GOOGLE: Final = ("private_key", "private_key_id", "client_secret", "refresh_token")
_TOKENS: Final = re.compile(
    r"(?P<scheme>\b(?:Bearer|Basic)\s)[\w.~+/=-]{16,}|\bya29\.[\w.-]+|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", re.IGNORECASE
)
"""Credentials that are not a target's own: tokens made from them, and the pod's identity."""


def masked(text: str, target: Target) -> str:
    """Return a text without the target's secrets, as they are or as JSON and URLs escape them. Takes linear time."""
    for secret in _secrets(target):
        for spelling in dict.fromkeys((secret, json.dumps(secret)[1:-1], quote(secret, safe=""))):
            text = text.replace(spelling, MASK)
    return text


def without_tokens(text: str) -> str:
    """Return a text of bounded length without what looks like a credential."""
    return _TOKENS.sub(lambda found: f"{found['scheme'] or ''}{MASK}", text)


def _secrets(target: Target) -> Iterator[str]:
    """The longest come first, since one may contain another."""
    found = [target.api_key, target.login, *_of_cloud(target.cloud or {})]
    yield from sorted((each for each in found if each and len(each) >= _LEAST), key=len, reverse=True)


def _of_cloud(cloud: Mapping[str, Any]) -> Iterator[str]:
    for name, value in cloud.items():
        if name == "vertex_credentials":
            yield from (str(value[field]) for field in _SECRET_OF_GOOGLE if field in value)
        elif name not in _NOT_SECRET and isinstance(value, str):
            yield value
