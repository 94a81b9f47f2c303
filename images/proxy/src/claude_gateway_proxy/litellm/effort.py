"""How much to think, for upstreams that will not be told.

Claude Code names an effort in every request. Servers that know the field but serve a model that does not think
(Ollama among them) refuse the whole request; they get it once more without, and from then on at first.
"""

import re
from typing import Final

from claude_gateway_proxy.litellm.errors import Failure
from claude_gateway_proxy.litellm.fields import Json

_NAMES: Final = frozenset({"thinking", "reasoning_effort", "reasoning"})
_COMPLAINT: Final = re.compile(r"\b(reasoning|reasoning_effort|thinking|think)\b", re.IGNORECASE)


def is_refused(failure: Failure) -> bool:
    """Whether an upstream refused a request for what it says about thinking."""
    return failure.status in (400, 422) and _COMPLAINT.search(failure.message) is not None


def without(fields: Json) -> Json:
    """The fields without a word about thinking; the same object where there was none."""
    config = fields.get("output_config", {})
    if not _NAMES & fields.keys() and "effort" not in config:
        return fields
    kept = {name: value for name, value in fields.items() if name not in _NAMES and name != "output_config"}
    rest = {name: value for name, value in config.items() if name != "effort"}
    return {**kept, "output_config": rest} if rest else kept
