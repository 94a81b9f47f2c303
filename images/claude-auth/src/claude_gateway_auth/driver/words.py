"""What the CLI's words mean. Pure; its words are never shown to a person nor logged, only what they mean."""

import re
from typing import Final

from claude_gateway_auth.flow import Trouble

_ESCAPES: Final = re.compile(
    r"\x1b\[[0-9;?<>=]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]|\x1b[=>78]"
)
_STATE: Final = re.compile(r"state=[\w-]+")
_TOKEN: Final = re.compile(r"sk-ant-oat01-[\w-]+")
_STATUS: Final = re.compile(r"(?:statuscode|http)(\d{3})")
_NOT_ACCEPTED: Final = ("wasn'taccepted", "invalidcode", "invalid_grant")
_INCOMPLETE: Final = "doesn'tlooklikethefullcode"
_FAILURES: Final = ("couldn'tlogin", "oautherror", "loginfailed")
_NETWORK: Final = re.compile(
    r"ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOST|ENET|timeout|timedout|certificate|socket|proxy", re.I
)


def plain(text: str) -> str:
    """Return text without the escape sequences of terminals."""
    return _ESCAPES.sub("", text)


def link(text: str) -> str | None:
    """Return the link to sign in, once it is there in whole: up to its state and what follows it."""
    words = plain(text).split()
    for number, word in enumerate(words):
        start = word.find("https://")
        at = word.find("state=", start) if start >= 0 else -1
        state = _STATE.match(word, at) if at >= 0 else None
        # The state may still be arriving: it is whole once something follows it.
        if state is not None and (state.end() < len(word) or number < len(words) - 1 or text[-1:].isspace()):
            return word[start : state.end()]
    return None


def token(text: str) -> str | None:
    """Return the long-lived token, once something follows it."""
    found = _TOKEN.search(text)
    return found[0] if found and found.end() < len(text) else None


def trouble(text: str) -> Trouble | None:
    """Return what a message of the CLI says went wrong; None if it says nothing about a failure."""
    # A terminal program draws words with cursor movements in place of spaces.
    solid = "".join(plain(text).replace("\u2019", "'").split()).lower()
    if _INCOMPLETE in solid:
        return Trouble.INCOMPLETE
    if any(words in solid for words in _NOT_ACCEPTED):
        return Trouble.NOT_ACCEPTED
    if not any(words in solid for words in _FAILURES):
        return None
    status = _STATUS.search(solid)
    if status:
        return Trouble.ANTHROPIC if int(status[1]) >= 429 else Trouble.NOT_ACCEPTED
    return Trouble.NETWORK if _NETWORK.search(solid) else Trouble.CLI
