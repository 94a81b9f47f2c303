"""What a provider's row means for one target: its formats at an address, and how LiteLLM calls it there."""

import difflib

from claude_gateway.contract.openai import is_for_responses_only, is_openais_own
from claude_gateway.contract.provider import PROVIDERS
from claude_gateway.contract.target import Format, Translation


def nearest(provider: str) -> str | None:
    """The supported provider whose name is closest to an unknown one, if any is close."""
    return next(iter(difflib.get_close_matches(provider, sorted(PROVIDERS), n=1)), None)


def relay_formats(provider: str, model: str, base_url: str | None) -> tuple[Format, ...]:
    """Formats that a target of this provider and model at this address takes as they are."""
    row = PROVIDERS[provider]
    if row.elsewhere is None or base_url is None:
        return row.formats
    if not is_openais_own(base_url):
        return PROVIDERS[row.elsewhere].formats
    return (Format.RESPONSES,) if is_for_responses_only(model) else row.formats


def translation(provider: str, *, base_url: str | None, formats: tuple[Format, ...]) -> Translation:
    """How LiteLLM calls a target of this provider at this address.

    LiteLLM would send Messages for ``openai/`` to the Responses API, so another server is called as the provider that
    the row names, unless it has nothing but Responses.
    """
    row = PROVIDERS[provider]
    own = base_url is None or is_openais_own(base_url)
    if row.elsewhere is None or own or formats == (Format.RESPONSES,):
        return row.translation
    return PROVIDERS[row.elsewhere].translation.model_copy(update={"provider": row.elsewhere})
