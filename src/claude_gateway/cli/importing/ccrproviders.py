"""The ``Providers`` of claude-code-router: what a ``provider,model`` of its Router stands for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from claude_gateway.api.route_target import RouteTarget
from claude_gateway.cli.importing import upstreams
from claude_gateway.cli.importing.draft import Draft, Json, NotAccepted, checked
from claude_gateway.cli.importing.secrets import Vault, is_placeholder, reference
from claude_gateway.cli.importing.section import Section
from claude_gateway.contract.provider import PROVIDERS

_TRANSLATED: Final = "the gateway translates for this provider by itself"
_TRANSFORMERS: Final = {
    "anthropic": "requests of Claude Code are relayed as they are",
    "deepseek": _TRANSLATED,
    "gemini": _TRANSLATED,
    "groq": _TRANSLATED,
    "openrouter": _TRANSLATED,
    "cerebras": _TRANSLATED,
    "vercel": _TRANSLATED,
    "openai": _TRANSLATED,
    "openai-responses": _TRANSLATED,
    "vertex-gemini": _TRANSLATED,
    "vertex-claude": _TRANSLATED,
    "vertex-openai": _TRANSLATED,
    "vertex-ai": _TRANSLATED,
    "openai-response": _TRANSLATED,
    "tooluse": "calls of tools work without it",
    "enhancetool": "arguments of tools that are not valid JSON are repaired",
    "reasoning": "reasoning is translated for every provider",
    "forcereasoning": "Claude Code asks for thinking by itself",
    "cleancache": "cache marks are left out where a provider has none",
    "streamoptions": "usage is asked for in every stream",
    "customparams": "",
    "sampling": "",
}
_BY_TRANSFORMER: Final = {
    "anthropic": "anthropic",
    "gemini": "gemini",
    "vertex-gemini": "vertex_ai",
    "vertex-claude": "vertex_ai",
    "vertex-ai": "vertex_ai",
}


_LOGINS: Final = frozenset({"gemini-cli", "qwen-cli", "codex-cli", "rovo-cli", "copilot"})
"""Transformers that sign in as another program does."""
_PLACE: Final = frozenset({"projectId", "location", "useStreaming"})
"""Options of ``vertex-ai`` that are a credential here, or that the client decides."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """One provider. ``limits`` are the most output tokens by model, ``""`` for all models."""

    name: str
    provider: str
    access: Json
    models: tuple[str, ...]
    limits: Mapping[str, int]
    at: str

    def target(self, model: str) -> Json:
        """Return the target of one of its models. Raises NotAccepted."""
        most = self.limits.get(model, self.limits.get(""))
        more = {} if most is None else {"maxOutputTokens": most}
        return checked(RouteTarget, {"model": f"{self.provider}/{model}", **self.access, **more})


def read(entry: Section, draft: Draft, vault: Vault) -> Upstream | None:
    """Read one provider; None if it cannot be carried over, which is noted."""
    name, address = entry.text("name"), entry.text("api_base_url") or entry.text("baseUrl") or entry.text("baseurl")
    raw = entry.text("api_key") or entry.text("apiKey") or entry.text("apikey")
    models = tuple(str(model) for model in entry.items("models") if isinstance(model, str))
    if not name or not address:
        missing = "api_base_url" if name else "name"
        entry.lose(missing, f"the provider has no `{missing}`", f"Write `{missing}`, and import again.")
        return None
    plain = vault.plain(address)
    if plain is None:
        fix = f"Set {reference(address)} with --env-file, and import again."
        entry.lose("api_base_url", "the address is in a variable that is not set", fix)
        return None
    used = dict(_transformers(entry.section("transformer")))
    logins = [name for names in used.values() for name in names if name in _LOGINS]
    if logins:
        entry.lose("transformer", f"`{logins[0]}` uses another program's login", "Use a key of the provider's API.")
        return None
    limits = {model: most for model, names in used.items() if (most := _limit(names)) is not None}
    provider = _provider(plain, used.get("", {}))
    entry.settle(unnecessary={"nativeFormat": "native requests are relayed as they are"}, lost={}, of="a provider")
    try:
        access = _access(
            entry,
            provider,
            draft=draft,
            vault=vault,
            name=name,
            raw=raw,
            address=plain,
            options=used.get("", {}).get("vertex-ai", {}),
        )
    except NotAccepted as refused:
        entry.lose("api_base_url", f"{refused.field}: {refused}", "Correct the value, and import again.")
        return None
    return None if access is None else Upstream(name, provider, access, models, limits, entry.path("models"))


def _provider(address: str, used: Mapping[str, Any]) -> str:
    known = upstreams.of_host(address)
    if known is not None:
        return known
    if "-aiplatform.googleapis.com" in address:
        return "vertex_ai"
    if address.rstrip("/").endswith("/messages"):
        return "anthropic"
    return next((_BY_TRANSFORMER[name] for name in used if name in _BY_TRANSFORMER), upstreams.SERVER)


def _access(
    entry: Section,
    provider: str,
    *,
    draft: Draft,
    vault: Vault,
    name: str,
    raw: str,
    address: str,
    options: Mapping[str, Any],
) -> Json | None:
    if PROVIDERS[provider].credential == "vertex":
        return _vertex(entry, draft, vault, options)
    base_url = upstreams.base_url(provider, address)
    if base_url is not None and is_placeholder(raw) and upstreams.needs_no_key(base_url):
        entry.drop("api_key", "the server needs no key, so none is sent")
        return {"baseURL": base_url}
    usual = f"{name}_API_KEY"
    if is_placeholder(raw):
        entry.lose("api_key", f"models of `{provider}` need a key", f"Set {upstreams.key_variable(provider)}.")
        variable = vault.refer(upstreams.key_variable(provider))
    else:
        variable = vault.variable(raw, instead=usual)
    spec: Json = {"apiKey": {"provider": provider, **({} if base_url is None else {"baseURL": base_url})}}
    return {"credential": draft.credential(name, spec, {"key": variable})}


def _vertex(entry: Section, draft: Draft, vault: Vault, options: Mapping[str, Any]) -> Json | None:
    project = vault.plain(str(options.get("projectId", ""))) or vault.value("GOOGLE_CLOUD_PROJECT")
    location = vault.plain(str(options.get("location", ""))) or vault.value("GOOGLE_CLOUD_LOCATION")
    if not project or not location:
        fix = "Set GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_LOCATION with --env-file, and import again."
        entry.lose("api_base_url", "Vertex AI needs a project and a location", fix)
        return None
    return {"credential": draft.credential("vertex", {"vertex": {"project": project, "location": location}}, {})}


def _transformers(section: Section) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the transformers by model, ``""`` for all; those that cannot be carried over are noted."""
    for key in section.left():
        if key == "use":
            yield "", _used(section, "use")
        else:
            yield key, _used(section.section(key), "use")


def _used(section: Section, key: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for index, each in enumerate(section.items(key)):
        name, options = (each[0], each[1] if len(each) > 1 else {}) if isinstance(each, list) and each else (each, {})
        at = f"{key}[{index}]"
        if not isinstance(name, str):
            section.lose(at, "the value is not the name of a transformer", "Write its name, and import again.")
            continue
        found[name.lower()] = options if isinstance(options, dict) else {}
        _note(section, at, name, found[name.lower()])
    return found


def _note(section: Section, at: str, name: str, options: Mapping[str, Any]) -> None:
    why = _TRANSFORMERS.get(name.lower())
    if name.lower() in ("maxtoken", "maxcompletiontokens") or name.lower() in _LOGINS:
        return
    if why is None:
        fix = "Check whether the model needs it: the gateway translates by itself, and runs no code of yours."
        section.lose(at, f"`{name[:40]}` is not a transformer that this import knows", fix)
    elif not why or (options and not (name.lower() == "vertex-ai" and options.keys() <= _PLACE)):
        fix = "Let the client ask for it, or set `parameters` of the target."
        section.lose(at, f"the options of `{name[:40]}` are not carried over", fix)
    else:
        section.drop(at, why)


def _limit(used: Mapping[str, Any]) -> int | None:
    options = used.get("maxtoken") or used.get("maxcompletiontokens") or {}
    most = options.get("max_tokens") or options.get("max_completion_tokens")
    return most if isinstance(most, int) and not isinstance(most, bool) and most > 0 else None
