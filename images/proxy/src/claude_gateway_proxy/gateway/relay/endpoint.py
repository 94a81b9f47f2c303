"""Where a target's requests go and what they carry: made once per target and snapshot."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from yarl import URL

from claude_gateway.contract.policy import Format, Target, Wire

_PATHS: Final = {
    (Wire.ANTHROPIC, Format.MESSAGES): "/v1/messages",
    (Wire.ANTHROPIC, Format.COUNT_TOKENS): "/v1/messages/count_tokens",
    (Wire.OPENAI, Format.CHAT): "/chat/completions",
    (Wire.OPENAI, Format.COMPLETIONS): "/completions",
    (Wire.OPENAI, Format.RESPONSES): "/responses",
    (Wire.OPENAI, Format.EMBEDDINGS): "/embeddings",
}
_BASES: Final = {Wire.ANTHROPIC: "https://api.anthropic.com", Wire.OPENAI: "https://api.openai.com/v1"}
_VERSION: Final = ("anthropic-version", "2023-06-01")
_QUERY: Final = re.compile(rb"[!\"$-~]{1,2048}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of one target, with headers of our own: ``always`` replace the client's, ``missing`` do not."""

    url: URL
    wire: Wire
    always: tuple[tuple[str, str], ...] = field(repr=False)
    missing: tuple[tuple[str, str], ...]

    def address(self, query: bytes) -> URL:
        """The URL for a request; only the Anthropic API knows a query (``?beta=true``)."""
        if self.wire is not Wire.ANTHROPIC or not _QUERY.fullmatch(query):
            return self.url
        return URL(f"{self.url}?{query.decode()}", encoded=True)


def endpoint(target: Target, *, format: Format, secrets: Mapping[str, str]) -> Endpoint | None:  # noqa: A002
    """The endpoint for requests of one format, or None where the target's wire does not have it.

    Raises KeyError where the secret part lacks the target's key, which a verified bundle never does.
    """
    if target.wire is None or (path := _PATHS.get((target.wire, format))) is None:
        return None
    base = (target.base_url or _BASES[target.wire]).rstrip("/")
    always = [("accept-encoding", "identity")]
    if target.secret is not None:
        key = secrets[target.secret]
        always.append(("x-api-key", key) if target.wire is Wire.ANTHROPIC else ("authorization", f"Bearer {key}"))
    missing = [("content-type", "application/json")]
    if target.wire is Wire.ANTHROPIC:
        missing.append(_VERSION)
    return Endpoint(url=URL(base + path, encoded=True), wire=target.wire, always=tuple(always), missing=tuple(missing))
