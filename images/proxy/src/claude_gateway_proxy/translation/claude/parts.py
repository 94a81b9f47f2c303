"""Small parts of OpenAI's formats as blocks of Messages: texts, lists of objects, hints for the prompt cache."""

from typing import Any

from claude_gateway_proxy.translation.claude.rejected import Rejected
from claude_gateway_proxy.translation.claude.turns import Block


def text(value: object) -> list[Block]:
    """Return a block of text; none if there is only white space, which Claude refuses."""
    return [{"type": "text", "text": value}] if isinstance(value, str) and value.strip() else []


def objects(value: object, *, at: str) -> list[dict[str, Any]]:
    """Return a list of objects, empty if there is none. Raises Rejected."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Rejected(f"{at}: must be a list of objects")
    return value


def hint(value: object) -> Block:
    """Return a hint for the prompt cache, as the fields of a block."""
    return {"cache_control": value} if isinstance(value, dict) else {}


def hinted(blocks: list[Block], value: object) -> list[Block]:
    """Return the blocks, the last of them with a hint for the prompt cache; thinking takes none."""
    if isinstance(value, dict) and blocks and not blocks[-1]["type"].endswith("thinking"):
        return [*blocks[:-1], {**blocks[-1], "cache_control": value}]
    return blocks
