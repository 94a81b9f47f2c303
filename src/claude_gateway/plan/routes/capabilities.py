"""A target's capabilities: its wire, the formats that it supports itself, and how LiteLLM translates the others."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from claude_gateway.api.route_target import RouteTarget
from claude_gateway.contract.provider import PROVIDERS
from claude_gateway.contract.target import Aws, Format, Google, Translation, Wire
from claude_gateway.names import Reason
from claude_gateway.plan import addresses, clouds, providers
from claude_gateway.plan.credentials.credentials import Key
from claude_gateway.plan.problem import ObjectRef, Problem
from claude_gateway.plan.routes import forwarding

_OF_CLAUDE: Final = (Format.MESSAGES, Format.COUNT_TOKENS)
_POSSIBLE: Final[Mapping[Wire, tuple[Format, ...]]] = {
    **dict.fromkeys((Wire.ANTHROPIC, Wire.BEDROCK, Wire.VERTEX), _OF_CLAUDE),
    Wire.OPENAI: (Format.CHAT, Format.COMPLETIONS, Format.RESPONSES, Format.EMBEDDINGS),
}


@dataclass(frozen=True, slots=True)
class Capabilities:
    """A target's wire and formats, both empty if LiteLLM handles every format; ``base_url`` is set if ``wire`` is."""

    wire: Wire | None
    formats: tuple[Format, ...]
    base_url: str | None
    translation: Translation


def of(target: RouteTarget, key: Key | None) -> Capabilities:
    """Return a valid target's capabilities; with a key, the key's address is the only one that counts."""
    found = _by_provider(target, key)
    if target.via is None and found.wire is not None:
        return found
    return replace(found, translation=found.translation.model_copy(update={"codec": ()}))


def _by_provider(target: RouteTarget, key: Key | None) -> Capabilities:
    """The capabilities without what the target says about its translation."""
    provider, _, model = target.model.partition("/")
    written = tuple(Format(name) for name in target.formats or ())
    place = None if key is None else key.aws or key.google
    if key is not None and place is not None:
        return _in_cloud(provider, model, written, key=key, place=place)
    wire = PROVIDERS[provider].wire
    base_url = key.base_url if key is not None else _keyless(target, wire)
    formats = written or providers.relay_formats(provider, model, base_url)
    translation = providers.translation(provider, base_url=base_url, formats=formats)
    return Capabilities(wire=wire, formats=formats, base_url=base_url, translation=translation)


def _in_cloud(provider: str, model: str, written: tuple[Format, ...], *, key: Key, place: Aws | Google) -> Capabilities:
    """The capabilities of a model in a cloud; written formats say that it is Claude.

    The address is always explicit: LiteLLM would derive a Bedrock address from the model's name, and would use another
    Vertex location for a model that this one does not have.
    """
    row = PROVIDERS[provider]
    wire = row.wire if written else clouds.claude_wire(provider, model)
    address = key.base_url or clouds.base_url(place)
    if wire is None:
        called = row.translation.model_copy(update={"base_url": address})
        return Capabilities(wire=None, formats=(), base_url=key.base_url, translation=called)
    return Capabilities(wire=wire, formats=written or row.formats, base_url=address, translation=row.translation)


def problem(provider: str, formats: Iterable[str], *, owner: ObjectRef, at: str) -> Problem | None:
    """Return what is wrong with the formats that a target of a known provider sets, if anything."""
    wire = PROVIDERS[provider].wire
    if wire is None:
        message = f"requests to `{provider}` are always translated"
        return Problem(owner, at, Reason.INVALID, message, "Remove `formats`.")
    other = next((name for name in formats if name not in _POSSIBLE[wire]), None)
    if other is None:
        return None
    message = f"servers of provider `{provider}` do not support the format {other}"
    fix = f"Use one or more of {', '.join(_POSSIBLE[wire])}, or the provider whose API the server implements."
    return Problem(owner, at, Reason.INVALID, message, fix)


def _keyless(target: RouteTarget, wire: Wire | None) -> str:
    return addresses.normal(target.base_url or forwarding.DEFAULT_BASE_URL, wire)
