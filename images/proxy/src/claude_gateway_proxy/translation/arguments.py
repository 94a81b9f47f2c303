"""Arguments of calls, which have to be an object in every format, from whatever a model or a client wrote."""

import json
import re
from typing import Any, Final

from claude_gateway_proxy.translation.decoding import MALFORMED, decode
from claude_gateway_proxy.translation.progress import Progress

_NAME: Final = "arguments"
"""The property for arguments that are not an object: then the tool's complaint about it makes sense to the model."""

_FENCE: Final = re.compile(r"[ \t\r\n\ufeff]*```[A-Za-z]*[ \t\r\n]*(?=[{\[\"])")


def arguments(value: object) -> dict[str, Any]:
    """Return arguments as an object. A text may be JSON, with the mistakes that models make, or hold it once more."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, str):
        return {} if value is None else {_NAME: value}
    if not value.strip():
        return {}
    found = _decoded(value)
    if isinstance(found, str):
        inner = _decoded(found)
        found = inner if isinstance(inner, dict) else found
    if isinstance(found, dict):
        return found
    return {} if found is None else {_NAME: value if found is MALFORMED else found}


def written(value: object) -> str:
    """Return arguments as the JSON text of an object."""
    return json.dumps(arguments(value), ensure_ascii=False, separators=(",", ":"))


def _decoded(text: str) -> Any:
    """Return the value of a JSON text, or MALFORMED. What is behind the value is left out where it was mended."""
    found = decode(text.encode("utf-8", "surrogatepass"))
    if found is not MALFORMED:
        return found
    fence = _FENCE.match(text)
    reading = Progress()
    mended, end = reading.feed(text, fence.end() if fence else 0)
    if not reading.complete or (text[end:].strip(" \t\r\n`") and fence is None):
        return MALFORMED
    return decode(mended.encode("utf-8", "surrogatepass"))
