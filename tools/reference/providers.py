"""``docs/reference/providers.md``: the providers of ``model``, from the rows of ``contract/provider.py``."""

from collections.abc import Iterator
from typing import Final

from tools.reference.markdown import code, page, table

from claude_gateway.contract import models
from claude_gateway.contract.provider import PROVIDERS, UNSUPPORTED, Provider

INTRO: Final = """\
A target's `model` is `PROVIDER/NAME`. Requests in a format that the provider speaks itself are relayed as they are,
those in a format of the codec are translated by the gateway itself. All others are translated and sent by LiteLLM, and
so are those of the codec for a target with `via: LiteLLM`."""


def render() -> str:
    """Return the whole page."""
    parts = [
        f"Context windows, abilities and prices of their models are those of {models.source()}.",
        "## Supported",
        table(("Provider", "Relayed", "Codec", "Credential", "Base URL"), _supported()),
        "## Not supported",
        "LiteLLM knows these, but a target cannot name them.",
        table(("Provider", "Reason"), ((code(name), UNSUPPORTED[name]) for name in sorted(UNSUPPORTED))),
    ]
    return page("Providers", INTRO, parts, source="src/claude_gateway/contract/provider.py")


def _supported() -> Iterator[tuple[str, str, str, str, str]]:
    for name in sorted(PROVIDERS):
        provider = PROVIDERS[name]
        relayed, codec = (", ".join(formats) for formats in (provider.formats, provider.translation.codec))
        yield code(name), relayed, codec, code(provider.credential or "apiKey"), _base_url(provider)


def _base_url(provider: Provider) -> str:
    if provider.needs_base_url:
        return "required"
    if provider.credential is not None:
        return "that of the region" if provider.telemetry != "anthropic" else "the installation's own"
    return "LiteLLM's default" if provider.base_url is None else code(provider.base_url)
