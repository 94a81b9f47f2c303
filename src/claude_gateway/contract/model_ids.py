"""Names of one Claude model: it has one at Anthropic, one at Bedrock and one at Vertex.

``claude-opus-4-5-20251101``, ``us.anthropic.claude-opus-4-5-20251101-v1:0`` (also at the end of an ARN) and
``claude-opus-4-5@20251101`` are the same model. A name that one route holds covers the others too, so the planner
and the gateway share this module.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

ARN: Final = "arn:"
BEDROCK_ID: Final = re.compile(
    r"(?:[a-z]{2,6}(?:-[a-z]{2,6})?\.)?anthropic\.(claude[^:]*?)(?:-v\d+)?(?::\d+(?::\w+)?)?"
)
DATE: Final = re.compile(r"-(\d{8})$")
_CONTEXT: Final = re.compile(r"(.+)\[(\d{1,4})([kKmM])\]")
_SIZES: Final = {"k": 1_000, "m": 1_000_000}
_PROVIDER: Final = re.compile(r"[a-z0-9_-]+/(.+)")
_VERTEX: Final = re.compile(r"(claude[^@]*)@(\d{8}|latest|default)")


@lru_cache(maxsize=4096)
def variants(model: str) -> Sequence[str]:
    """The names under which a model is looked up: as sent; for an id of a cloud also plain, with and without date.

    A context in brackets, as Claude Code's users write it behind a name, is not a part of the name.
    """
    bare = without_context(model)
    plain = plain_name(bare)
    undated = DATE.sub("", plain) if plain != bare else plain
    return tuple(dict.fromkeys((model, bare, plain, undated)))


@lru_cache(maxsize=4096)
def without_context(model: str) -> str:
    """Return a model's name without the context that a client requests, such as ``[1m]``."""
    found = _CONTEXT.fullmatch(model)
    return model if found is None else found[1]


@lru_cache(maxsize=4096)
def context_of(model: str) -> int:
    """Return the context in tokens that a client requests after the model's name; 0 without one."""
    found = _CONTEXT.fullmatch(model)
    return 0 if found is None else int(found[2]) * _SIZES[found[3].lower()]


@lru_cache(maxsize=4096)
def without_provider(model: str) -> str | None:
    """Return a model's name without its provider, such as ``gpt-5`` for ``openai/gpt-5``; None if it has no provider.

    A name that no route serves as it was sent is looked up like this.
    """
    found = _PROVIDER.fullmatch(model)
    return None if found is None else found[1]


@lru_cache(maxsize=4096)
def plain_name(model: str) -> str:
    """Anthropic's own name of a model; anything but an id of a Claude model on a cloud stays as it is."""
    last = model.rpartition("/")[2] if model.startswith(ARN) else model
    if match := BEDROCK_ID.fullmatch(last):
        return match[1]
    if match := _VERTEX.fullmatch(last):
        name, version = match.groups()
        return name if version == "default" else f"{name}-{version}"
    return model
