"""What the planner and, for targets that leave the model to the client, the gateway must know of OpenAI's models."""

import re
from typing import Final
from urllib.parse import urlsplit

_RESPONSES_ONLY: Final = re.compile(
    r"(?:ft:)?(?:(?:gpt|o)-?\d[\w.]*(?:-\w+)*?-(?:codex|pro|deep-research)\b|codex-|gpt-daybreak-|computer-use-)"
)
"""OpenAI's models that have neither Chat Completions nor any older API."""


def is_for_responses_only(model: str) -> bool:
    """Whether OpenAI offers a model in the Responses API only; LiteLLM's own list says so of each that it knows."""
    return _RESPONSES_ONLY.match(model) is not None


def is_openais_own(base_url: str) -> bool:
    """Whether an address is OpenAI's, regional ones included; other servers rarely have the Responses API."""
    host = (urlsplit(base_url).hostname or "").rstrip(".")
    return host == "api.openai.com" or host.endswith(".api.openai.com")
