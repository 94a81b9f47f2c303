"""Names of tools and ids of their calls, in the form that every provider accepts.

Claude Code's MCP tools have names of up to 128 characters, OpenAI and Gemini accept 64. Both maps come from the request
alone, so that no state is kept between the turns of a conversation.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", re.ASCII)
_ODD: Final = re.compile(r"[^A-Za-z0-9_-]+", re.ASCII)
_NAME_LIMIT: Final = 64
_SHORT_ID: Final = re.compile(r"[A-Za-z0-9]{9}", re.ASCII)
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
"""OpenAI's Chat takes ids of 40 characters, Anthropic these characters only."""

_THOUGHT: Final = "__thought__"
"""Separates the id of a call from the signature of the thought behind it, in ids for clients.

Conversations hold such ids, so it must not change; LiteLLM uses the same one."""


@dataclass(frozen=True, slots=True)
class Names:
    """Tool names of one request: ``sent`` maps the client's to the upstream's where they differ."""

    sent: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)

    def to_upstream(self, name: str) -> str:
        """The name under which the upstream knows a tool."""
        return self.sent.get(name, name)

    def to_client(self, name: str) -> str:
        """The name under which the client knows a tool."""
        return self.given.get(name, name)


def tool_names(names: Iterable[str]) -> Names:
    """Return the names to use instead of those that some provider rejects; no two tools get the same."""
    wanted = frozenset(names)
    taken = {name for name in wanted if _NAME.fullmatch(name)}
    sent: dict[str, str] = {}
    for name in sorted(wanted - taken):
        new = _short(name, taken)
        taken.add(new)
        sent[name] = new
    return Names(sent=sent, given={new: name for name, new in sent.items()})


def _short(name: str, taken: set[str]) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    clean = _ODD.sub("_", name)
    clean = clean if clean[:1].isalpha() or clean[:1] == "_" else f"_{clean}"
    # On a collision, which has to be constructed, more of the digest distinguishes the names.
    tails = (digest[:length] for length in range(8, _NAME_LIMIT))
    return next(found for tail in tails if (found := f"{clean[: _NAME_LIMIT - 1 - len(tail)]}_{tail}") not in taken)


def call_id(given: object, *, known: frozenset[str], signature: object = None) -> str:
    """The id of a call for a client: the upstream's own if no earlier call of the conversation (``known``) has it.

    A ``signature`` (base64), without which Gemini 3 refuses the call in the history, travels within the id: ids are
    what every client sends back.
    """
    plain = str(given or "").partition(_THOUGHT)[0]
    ident = plain if _ID.fullmatch(plain) and plain not in known else f"toolu_{uuid4().hex[:24]}"
    found = _url_safe(signature)
    return f"{ident}{_THOUGHT}{found}" if found else ident


def upstream_id(ident: object) -> str:
    """The id of a call for an upstream; the same for the call and for its result."""
    plain = str(ident or "").partition(_THOUGHT)[0]
    if _ID.fullmatch(plain):
        return plain
    return f"call_{hashlib.sha256(plain.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"


def short_id(ident: object) -> str:
    """The id of a call for Mistral, which takes nine letters and digits only."""
    plain = str(ident or "").partition(_THOUGHT)[0]
    if _SHORT_ID.fullmatch(plain):
        return plain
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:9]


def signature_of(ident: object) -> str | None:
    """The signature (base64) that ``call_id`` put into an id."""
    _, _, found = str(ident or "").partition(_THOUGHT)
    if not found:
        return None
    try:
        return base64.b64encode(base64.urlsafe_b64decode(found + "=" * (-len(found) % 4))).decode()
    except (binascii.Error, ValueError):
        return None


def _url_safe(signature: object) -> str | None:
    if not isinstance(signature, str) or not signature:
        return None
    try:
        raw = base64.b64decode(signature)
    except (binascii.Error, ValueError):
        return None
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
