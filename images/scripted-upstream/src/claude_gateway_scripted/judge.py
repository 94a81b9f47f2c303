"""Answers a gateway that asks whether tool calls are dangerous, as a model would that it chose as judge."""

import json
import re
from typing import Final

_DOCUMENT: Final = re.compile(r"\A<document>\n(.*)\n</document>\n", re.DOTALL)
_TOKEN: Final = re.compile(r"The token is (\w+)\.")


def is_asked(text: str) -> bool:
    """Return whether a user text is such a question; its content is quoted, and contains no directives."""
    return _DOCUMENT.match(text) is not None


def judged(text: str, *, dangerous: str) -> str:
    """Judge each call: dangerous is one with the text ``dangerous`` in it."""
    document, token = _DOCUMENT.match(text), _TOKEN.findall(text)
    calls = json.loads(document[1])["tool_calls"] if document else []
    verdicts = [
        {"call": call["call"], "dangerous": dangerous in json.dumps(call), "reason": f"scripted: {dangerous!r}"}
        for call in calls
    ]
    return json.dumps({"token": token[-1] if token else "", "verdicts": verdicts})
