"""The address of a target's requests and our headers in them: built once per target and snapshot."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from yarl import URL

from claude_gateway.contract.target import Format, Google, Target, Wire
from claude_gateway.names import HEADER_LOGIN
from claude_gateway_proxy.masking import NOTHING, Mask
from claude_gateway_proxy.operations import OPERATIONS

_PATHS: Final[Mapping[tuple[Wire | None, Format], str]] = {
    **{
        (each.wire, each.format): f"/v1{each.path}" if each.wire is Wire.ANTHROPIC else each.path
        for each in OPERATIONS.values()
    },
    (Wire.BEDROCK, Format.MESSAGES): "/model/",
    (Wire.BEDROCK, Format.COUNT_TOKENS): "/model/",
    (Wire.VERTEX, Format.MESSAGES): "/",
    (Wire.VERTEX, Format.COUNT_TOKENS): "/count-tokens:rawPredict",
}
_VERBS: Final = {
    (Wire.BEDROCK, Format.MESSAGES): ("/invoke", "/invoke-with-response-stream"),
    (Wire.BEDROCK, Format.COUNT_TOKENS): ("/count-tokens", "/count-tokens"),
    (Wire.VERTEX, Format.MESSAGES): (":rawPredict", ":streamRawPredict"),
}
"""The part of a path after the model: for a whole answer, and for a stream."""

_VERSION: Final = ("anthropic-version", "2023-06-01")
_ANTHROPIC: Final = ".anthropic.com"
"""The domain of Anthropic's API."""

_PARAMETER: Final = re.compile(rb"beta=[A-Za-z0-9]{1,16}")
"""The only parameter of a query that Anthropic's API knows; any other could hold a key."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of one target, with headers of our own: ``always`` replace the client's, ``missing`` do not.

    ``verbs`` is set where the path names the model: ``url`` then ends before the model, and ``verbs`` has what
    follows it. ``identified``: each request needs headers of an identity. ``mask`` knows
    the target's key and login. ``hints``: it is Anthropic's own, which may learn what Claude Code says for a gateway.
    """

    url: URL
    wire: Wire
    always: tuple[tuple[str, str], ...] = field(repr=False)
    missing: tuple[tuple[str, str], ...]
    verbs: tuple[str, str] | None = None
    identified: bool = False
    mask: Mask = NOTHING
    hints: bool = False

    def address(self, query: bytes) -> URL:
        """Return the URL for a request; only the Anthropic API has a query (``?beta=true``)."""
        if not query or self.wire is not Wire.ANTHROPIC:
            return self.url
        known = [each for each in query.split(b"&") if _PARAMETER.fullmatch(each)]
        return URL(f"{self.url}?{b'&'.join(known).decode()}", encoded=True) if known else self.url

    def of_model(self, model: str, *, stream: bool) -> URL:
        """The URL for a request whose path names the model; ``model`` is one segment of it, whatever it contains."""
        if self.verbs is None:
            return self.url
        # "@" as AWS and Google write it themselves; quoted, it would be the same address.
        return URL(f"{self.url}{quote(model, safe='@')}{self.verbs[stream]}", encoded=True)


def has_endpoint(target: Target, format: Format) -> bool:
    """Whether a target has an address of its own, on a wire that has the format."""
    return target.base_url is not None and (target.wire, format) in _PATHS


def endpoint(target: Target, *, format: Format, secrets: Mapping[str, str]) -> Endpoint:
    """Return the endpoint for requests of one format.

    Raises ValueError for a target without such an endpoint, and KeyError where the secret part lacks the target's
    key or login, which a verified bundle never does.
    """
    if target.wire is None or target.base_url is None or not has_endpoint(target, format):
        raise ValueError(f"{target.id} has no endpoint for {format}")
    path = _PATHS[target.wire, format]
    always = [("accept-encoding", "identity")]
    identified = target.wire in (Wire.BEDROCK, Wire.VERTEX) or target.federation is not None
    mask = NOTHING
    if target.secret is not None and not identified:
        key = secrets[target.secret]
        mask = Mask(secrets[entry] for entry in target.entries)
        always.append(("x-api-key", key) if target.wire is Wire.ANTHROPIC else ("authorization", f"Bearer {key}"))
    if target.login is not None:
        always.append((HEADER_LOGIN, secrets[target.login]))
    missing = [("content-type", "application/json")]
    if target.wire is Wire.ANTHROPIC:
        missing.append(_VERSION)
    url = URL(_base(target.base_url, target.google if target.wire is Wire.VERTEX else None) + path, encoded=True)
    return Endpoint(
        url=url,
        wire=target.wire,
        always=tuple(always),
        missing=tuple(missing),
        verbs=_VERBS.get((target.wire, format)),
        identified=identified,
        mask=mask,
        hints=target.wire is Wire.ANTHROPIC and is_anthropic(target.base_url),
    )


def is_anthropic(base_url: str | None) -> bool:
    """Whether an address is Anthropic's own API, not that of a compatible server."""
    return base_url is not None and (URL(base_url).host or "").endswith(_ANTHROPIC)


def _base(base_url: str, place: Google | None) -> str:
    """What comes before the paths; at Vertex every path begins with the project and the location."""
    given = base_url.rstrip("/")
    if place is None:
        return given
    return f"{given}/v1/projects/{place.project}/locations/{place.location}/publishers/anthropic/models"
