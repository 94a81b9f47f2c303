"""What a target accepts: the limits that its route sets, else those of the table of models."""

from typing import Any, Final

from claude_gateway.api.route_target import ModelAbilities, RouteTarget
from claude_gateway.contract import models
from claude_gateway.contract.target import CLAUDE_WIRES, Ability, Wire

_FIELDS: Final = {
    Ability.IMAGES: "images",
    Ability.DOCUMENTS: "documents",
    Ability.TOOLS: "tools",
    Ability.THINKING: "thinking",
}


def of(target: RouteTarget, wire: Wire | None, *, base_url: str | None) -> dict[str, Any]:
    """Return the fields of a policy's target that say what it can take.

    Where the model is the client's choice (``*``), the gateway looks the table up.
    """
    provider, _, name = target.model.partition("/")
    has, lacks = _said(target.supports, True), _said(target.supports, False)
    said = {
        "context_window": target.context_window,
        "certain_window": target.context_window is not None,
        "max_output_tokens": target.max_output_tokens,
        "has": has,
        "lacks": lacks,
    }
    known = models.find(provider, name)
    if known is None:
        return said
    exact = models.is_exact(provider, base_url)
    unlisted = models.unlisted(known, relays_claude=wire in CLAUDE_WIRES) - {*has, *lacks}
    said["unlisted"] = tuple(sorted(unlisted))
    if target.context_window is None:
        said |= {
            "context_window": known.window,
            "long_context_window": known.long_window,
            "certain_window": exact and known.window is not None,
        }
    if target.max_output_tokens is None and exact:
        said["max_output_tokens"] = known.output
    return said


def _said(supports: ModelAbilities, value: bool) -> tuple[Ability, ...]:
    return tuple(ability for ability, field in _FIELDS.items() if getattr(supports, field) is value)
