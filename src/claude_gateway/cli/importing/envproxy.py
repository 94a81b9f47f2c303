"""A ``.env`` file of claude-code-proxy or one of its forks as our objects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from claude_gateway.api.route_target import RouteTarget
from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.importing import clients, roles, routes, upstreams
from claude_gateway.cli.importing.draft import Draft, Json, NotAccepted, checked
from claude_gateway.cli.importing.report import Report
from claude_gateway.cli.importing.secrets import Vault, is_placeholder
from claude_gateway.cli.importing.section import Section
from claude_gateway.contract.provider import PROVIDERS

PASSTHROUGH: Final = "passthrough"
_BIG: Final = ("opus", "claude-*", "*opus*")
_MIDDLE: Final = ("sonnet", "claude-*sonnet*", "*sonnet*")
_SMALL: Final = ("haiku", "claude-*haiku*", "*haiku*")
_SPELLINGS: Final = {
    "BIG_MODEL": ("BIG_MODEL_NAME", "ANTHROPIC_DEFAULT_OPUS_MODEL"),
    "MIDDLE_MODEL": ("MIDDLE_MODEL_NAME", "MEDIUM_MODEL", "ANTHROPIC_DEFAULT_SONNET_MODEL"),
    "SMALL_MODEL": ("SMALL_MODEL_NAME", "ANTHROPIC_DEFAULT_HAIKU_MODEL", "ANTHROPIC_SMALL_FAST_MODEL"),
    "THINKER_MODEL": ("THINKER_MODEL_NAME", "REASONING_MODEL", "THINK_MODEL"),
}
_DEFAULTS: Final = {
    "openai": ("gpt-4.1", "gpt-4.1-mini"),
    "google": ("gemini-2.5-pro", "gemini-2.5-flash"),
}
"""What claude-code-proxy maps to where its file names no model (its README of November 2025)."""
_PROVIDERS: Final = {"google": "gemini", "vertex": "vertex_ai", "lmstudio": "lm_studio"}
_OF_GOOGLE: Final = ("gemini-",)
_NAMES: Final = {
    "openai": ("gpt-*", "chatgpt-*", "o1*", "o3*", "o4*"),
    "gemini": ("gemini-*",),
    "anthropic": ("anthropic/*",),
}
"""Names of other models that clients may send, by the provider whose key is in the file."""
_SERVER: Final = "`serve --listen HOST:PORT`, or the chart's values, say where the gateway listens"
_LOGS: Final = "each request has a line in the log"
_UNNECESSARY: Final = {
    "HOST": _SERVER,
    "PORT": _SERVER,
    "SERVER_HOST": _SERVER,
    "SERVER_PORT": _SERVER,
    "LOG_LEVEL": "`serve --log-level debug` shows every event",
    "LOG_FILE_PATH": _LOGS,
    "LOGLEVEL": "`serve --log-level debug` shows every event",
    "SHOW_MODEL_DETAILS": _LOGS,
    "MAX_RETRIES": "a failed request goes to the next target, and the client's own retries follow",
    "AZURE_API_VERSION": "the gateway's LiteLLM knows the version that it speaks",
    "SUPPORTS_PROMPT_CACHE": "prompt caches of the providers are kept",
    "MIN_TOKENS_LIMIT": "a request is never raised; `maxOutputTokens` only lowers it",
    "USE_VERTEX_AUTH": "the provider of a credential says how it is used",
    "ENVIRONMENT": "there is no development mode",
    "RELOAD": "edits are live as soon as a file is saved",
    "OPEN_CLAUDE_CACHE": "prompt caches of the providers are kept",
}
_LOST: Final = {
    "REASONING_MAX_TOKENS": ("a budget cannot be a default", "Let the client ask for it."),
    "REASONING_EXCLUDE": ("thoughts are always passed on", "Hide them in the client."),
    "VERBOSITY": ("the verbosity is not set for clients", "Let the client ask for it."),
    "OPENAI_HEADERS": ("headers are not added to requests", "Let the client send them: safe headers are passed on."),
    "REFERRER_URL": ("headers are not added to requests", "Let the client send them: safe headers are passed on."),
    "APP_NAME": ("headers are not added to requests", "Let the client send them: safe headers are passed on."),
}
_HEADER: Final = "CUSTOM_HEADER_"
_KEYS: Final = ("OPENAI_API_KEY", "GEMINI_API_KEY", "ANTHROPIC_API_KEY")


@dataclass(frozen=True, slots=True)
class _Reader:
    """The file and what it becomes. ``preferred`` is the provider of names without one."""

    top: Section
    draft: Draft
    vault: Vault
    preferred: str


def convert(variables: Mapping[str, str], report: Report, *, vault: Vault) -> Draft:
    """Return the objects for a file; what is different goes to ``report``. Raises Trouble if it names no model."""
    top = Section(variables, report)
    known = any(name in top for name in (*_SPELLINGS, *_KEYS, "PREFERRED_PROVIDER"))
    if not known and not any(each in top for names in _SPELLINGS.values() for each in names):
        fix = "Pass the .env of claude-code-proxy or one of its forks, with BIG_MODEL and SMALL_MODEL."
        raise Trouble(f"{report.path}: none of BIG_MODEL, SMALL_MODEL and PREFERRED_PROVIDER is set", fix=fix)
    preferred = (top.text("PREFERRED_PROVIDER") or "openai").lower()
    reader = _Reader(top, Draft(), vault, _PROVIDERS.get(preferred, preferred))
    models = _models(top, preferred)
    targets = {role: _target(reader, f"{role}_MODEL", model) for role, model in models.items() if model}
    _write(reader, {role: target for role, target in targets.items() if target is not None}, report)
    _others(reader, report)
    _client(reader, targets)
    _timeouts(reader)
    for name in ("GOOGLE_API_KEY", "OPENAI_BASE_URL", *_KEYS):
        top.raw(name)
    for name in top.left():
        if name.startswith(_HEADER):
            top.raw(name)
            top.lose(name, *_LOST["OPENAI_HEADERS"])
    top.settle(unnecessary=_UNNECESSARY, lost=_LOST, of="claude-code-proxy")
    return reader.draft


def _models(top: Section, preferred: str) -> dict[str, str]:
    """Return the model of each role; empty if there is none."""
    found: dict[str, str] = {}
    for name, others in _SPELLINGS.items():
        values = [top.text(each) for each in (name, *others)]
        found[name.removesuffix("_MODEL")] = next((value for value in values if value), "")
    if preferred == "anthropic":
        for role in ("BIG", "SMALL"):
            if found[role] and found[role] != PASSTHROUGH:
                top.drop(f"{role}_MODEL", "with PREFERRED_PROVIDER=anthropic, names are not mapped")
        return {**found, "BIG": PASSTHROUGH, "SMALL": ""}
    big, small = _DEFAULTS.get(preferred, ("", ""))
    found["BIG"] = found["BIG"] or found["MIDDLE"] or big
    found["SMALL"] = found["SMALL"] or small
    return found


def _target(reader: _Reader, at: str, model: str) -> Json | None:
    """Return the target of a role; None if it cannot be carried over, which is noted."""
    own = _own_server(reader, at, model)
    if own is not None:
        return own
    provider, name = _split(reader, model)
    top = reader.top
    if provider == "gemini" and top.text("USE_VERTEX_AUTH").lower() == "true":
        if top.text("VERTEX_PROJECT") and top.text("VERTEX_LOCATION"):
            provider = "vertex_ai"
        else:
            top.lose("USE_VERTEX_AUTH", "Vertex AI needs a project and a location", roles.VERTEX_FIX)
    if (refused := upstreams.refusal(provider)) is not None:
        reader.top.lose(at, *refused)
        return None
    try:
        access = _access(reader, provider)
        return (
            None if access is None else checked(RouteTarget, {"model": f"{provider}/{name}", **access, **_more(reader)})
        )
    except NotAccepted as refused_target:
        reader.top.lose(at, f"{refused_target.field}: {refused_target}", "Correct the value, and import again.")
        return None


def _own_server(reader: _Reader, at: str, model: str) -> Json | None:
    """Return the target of a role that has a server of its own, as some forks have it; None if it has none."""
    role, top = at.removesuffix("_MODEL"), reader.top
    address, key = top.text(f"{role}_ENDPOINT") or top.text(f"{role}_BASE_URL"), top.text(f"{role}_API_KEY")
    if not address or top.text(f"ENABLE_{role}_ENDPOINT").lower() == "false":
        return None
    provider = upstreams.of_host(address) or upstreams.SERVER
    base_url = upstreams.base_url(provider, address)
    try:
        if base_url is not None and is_placeholder(key):
            return checked(RouteTarget, {"model": f"{provider}/{model}", "baseURL": base_url, **_more(reader)})
        spec: Json = {"apiKey": {"provider": provider, **({} if base_url is None else {"baseURL": base_url})}}
        variable = reader.vault.refer(f"{role}_API_KEY")
        credential = reader.draft.credential(f"{role}-{provider}", spec, {"key": variable})
        return checked(RouteTarget, {"model": f"{provider}/{model}", "credential": credential, **_more(reader)})
    except NotAccepted as refused:
        top.lose(f"{role}_ENDPOINT", f"{refused.field}: {refused}", "Correct the value, and import again.")
        return None


def _split(reader: _Reader, model: str) -> tuple[str, str]:
    """Return the provider and the model of a name; one without a provider is one of the preferred."""
    if model.lower() == PASSTHROUGH:
        return "anthropic", "*"
    first, slash, rest = model.partition("/")
    own_server = bool(reader.top.text("OPENAI_BASE_URL"))
    if own_server and upstreams.of_host(reader.top.text("OPENAI_BASE_URL")) != "openai":
        # The whole name is the server's own, also where it has a slash, such as OpenRouter's.
        return upstreams.of_host(reader.top.text("OPENAI_BASE_URL")) or upstreams.SERVER, model
    if slash and first in PROVIDERS:
        return first, rest
    if reader.preferred == "gemini":
        # claude-code-proxy sends names that are not Gemini's to OpenAI.
        return ("gemini" if model.startswith(_OF_GOOGLE) else "openai"), model
    return reader.preferred, model


def _access(reader: _Reader, provider: str) -> Json | None:
    """Return the credential or the address of a provider; None if something is missing, which is noted."""
    top, vault = reader.top, reader.vault
    google = top.text("VERTEX_PROJECT"), top.text("VERTEX_LOCATION")
    if provider == "vertex_ai":
        if not all(google):
            top.lose("VERTEX_PROJECT", "Vertex AI needs a project and a location", "Set both, and import again.")
            return None
        spec: Json = {"vertex": {"project": google[0], "location": google[1]}}
        return {"credential": reader.draft.credential("vertex", spec, {})}
    usual = upstreams.key_variable(provider)
    server = provider == upstreams.SERVER or (top.text("OPENAI_BASE_URL") != "" and provider != "anthropic")
    variable = "OPENAI_API_KEY" if server and provider != "gemini" else usual
    if provider == "gemini" and "GEMINI_API_KEY" not in top and "GOOGLE_API_KEY" in top:
        variable = "GOOGLE_API_KEY"
    address = top.text("OPENAI_BASE_URL") if variable == "OPENAI_API_KEY" else top.text(f"{provider.upper()}_BASE_URL")
    base_url = upstreams.base_url(provider, address) if address else None
    key = top.text(variable)
    if base_url is not None and is_placeholder(key) and upstreams.needs_no_key(base_url):
        return {"baseURL": base_url}
    if provider == "anthropic" and is_placeholder(key):
        top.lose("ANTHROPIC_API_KEY", "there is no key, so clients send their own login on", roles.FORWARD_FIX)
        return {"forwardClientToken": True, **({} if base_url is None else {"baseURL": base_url})}
    if is_placeholder(key):
        top.lose(variable, f"models of `{provider}` need a key", f"Set {variable} before you serve.")
    spec = {"apiKey": {"provider": provider, **({} if base_url is None else {"baseURL": base_url})}}
    return {"credential": reader.draft.credential(provider, spec, {"key": vault.refer(variable)})}


def _more(reader: _Reader) -> Json:
    most, effort = reader.top.number("MAX_TOKENS_LIMIT"), reader.top.text("REASONING_EFFORT").lower()
    more: Json = {} if not most else {"maxOutputTokens": int(most)}
    if effort in ("low", "medium", "high"):
        more["parameters"] = {"reasoningEffort": effort}
    return more


def _write(reader: _Reader, targets: Mapping[str, Json], report: Report) -> None:
    thinker = targets.get("THINKER")
    big, middle, small = (targets.get(role) for role in ("BIG", "MIDDLE", "SMALL"))
    _route(reader, report, "big", names=(*_BIG, *(() if middle else _MIDDLE)), target=big, thinker=thinker)
    _route(reader, report, "middle", names=_MIDDLE, target=middle, thinker=thinker)
    _route(reader, report, "small", names=_SMALL, target=small, thinker=None)


def _route(
    reader: _Reader, report: Report, name: str, *, names: Sequence[str], target: Json | None, thinker: Json | None
) -> None:
    if target is None:
        return
    rules = [] if thinker is None else [roles.rule("thinker", {"thinking": "Enabled"}, [thinker])]
    roles.add(reader.draft, report, name, names=names, targets=[target], rules=rules, at=f"{name.upper()}_MODEL")


def _others(reader: _Reader, report: Report) -> None:
    """Add routes for the names of other models, which the old proxy gave their provider's prefix."""
    if reader.top.text("OPENAI_BASE_URL") and upstreams.of_host(reader.top.text("OPENAI_BASE_URL")) != "openai":
        return
    for provider, names in _NAMES.items():
        variable = upstreams.key_variable(provider)
        # Without a preferred provider, this key is that of the clients.
        is_clients = provider == "anthropic" and not reader.top.text("PREFERRED_PROVIDER")
        if is_clients or is_placeholder(reader.top.text(variable)):
            continue
        access = _access(reader, provider)
        if access is not None:
            target = {"model": f"{provider}/*", **access}
            roles.add(reader.draft, report, provider, names=names, targets=[target], rules=[], at=variable)


def _client(reader: _Reader, targets: Mapping[str, Json | None]) -> None:
    """Add the client. ANTHROPIC_API_KEY is the key of the clients where no target is Anthropic's."""
    top = reader.top
    at_anthropic = any(target and target["model"].startswith("anthropic/") for target in targets.values())
    if "ANTHROPIC_API_KEY" in top and not at_anthropic and not top.text("PREFERRED_PROVIDER"):
        top.drop("ANTHROPIC_API_KEY", "no model is Anthropic's, so it is taken for the key of the clients")
        clients.add(top, reader.draft, reader.vault, key="ANTHROPIC_API_KEY", name="me", variable="ANTHROPIC_API_KEY")
        return
    clients.add(top, reader.draft, reader.vault, key="PROXY_API_KEY", name="me", variable="PROXY_API_KEY")


def _timeouts(reader: _Reader) -> None:
    seconds = reader.top.number("REQUEST_TIMEOUT")
    for spec in reader.draft.routes.values() if seconds else ():
        total = routes.duration(seconds or 1.0)
        spec["timeouts"] = {"total": total, **({"firstToken": total} if (seconds or 0) < routes.FIRST_TOKEN else {})}
