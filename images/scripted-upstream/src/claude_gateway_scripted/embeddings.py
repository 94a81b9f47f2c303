"""OpenAI Embeddings: the same text always has the same vector, of unit length."""

import base64
import hashlib
import json
import math
import struct
from typing import Final

from claude_gateway_scripted.answer import estimate
from claude_gateway_scripted.prompt import InvalidRequestError, model_of
from claude_gateway_scripted.script import Json

DIMENSIONS: Final = 16


def document(body: Json) -> Json:
    """Answer an Embeddings request. Raises InvalidRequestError where OpenAI answers 400."""
    model = model_of(body)
    given = body.get("input")
    if not given or not isinstance(given, str | list):
        raise InvalidRequestError("input: a string, a list of strings or tokens is required")
    one = isinstance(given, str) or isinstance(given[0], int)
    texts = [given] if one else given
    dimensions = body.get("dimensions") or DIMENSIONS
    encoded = body.get("encoding_format") == "base64"
    data = []
    for index, text in enumerate(texts):
        values = vector(text if isinstance(text, str) else json.dumps(text), dimensions)
        embedding = base64.b64encode(struct.pack(f"<{dimensions}f", *values)).decode() if encoded else values
        data.append({"object": "embedding", "index": index, "embedding": embedding})
    tokens = sum(estimate(len(str(text))) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model, "usage": usage}


def vector(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Return the vector of a text."""
    raw = hashlib.shake_256(text.encode()).digest(2 * dimensions)
    values = [value - 32767.5 for value in struct.unpack(f"<{dimensions}H", raw)]
    length = math.sqrt(sum(value * value for value in values))
    return [value / length for value in values]
