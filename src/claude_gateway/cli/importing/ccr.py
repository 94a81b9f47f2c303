"""A ``config.json`` of claude-code-router as our objects."""

from collections.abc import Mapping
from typing import Any, Final

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.importing import ccrproviders, clients, roles, routes
from claude_gateway.cli.importing.ccrproviders import Upstream
from claude_gateway.cli.importing.draft import Draft, Json, NotAccepted, object_name, unique
from claude_gateway.cli.importing.report import Report
from claude_gateway.cli.importing.secrets import Vault
from claude_gateway.cli.importing.section import Section

LONG: Final = 60_000
"""Tokens from which claude-code-router takes ``longContext`` where no threshold is written (its README)."""

_SERVER: Final = "`serve --listen HOST:PORT`, or the chart's values, say where the gateway listens"
_LOGS: Final = "each request has a line in the log"
_UNNECESSARY: Final = {
    "HOST": _SERVER,
    "PORT": _SERVER,
    "LOG": _LOGS,
    "log": _LOGS,
    "LOG_LEVEL": _LOGS,
    "CLAUDE_PATH": "`claude-gateway run -- claude` starts Claude Code",
    "NON_INTERACTIVE_MODE": "the gateway asks nobody",
    "StatusLine": "Claude Code has its own status line",
    "metadata": "it describes the file",
    "forceUseImageAgent": "a rule sends every request with an image to the model that can see",
    "VERTEX_AI_PROJECT_ID": "it is read where a provider refers to it",
    "VERTEX_AI_LOCATION": "it is read where a provider refers to it",
}
_CODE: Final = ("code of your own is not run", "Write rules that match the facts that it reads.")
_LOST: Final = {
    "PROXY_URL": ("the proxy is not in the YAML", "Set HTTPS_PROXY for `serve`, or `egress.httpsProxy` of the chart."),
    "CUSTOM_ROUTER_PATH": _CODE,
    "transformers": (
        "code of your own is not run",
        "Check whether the model needs it: the gateway translates by itself.",
    ),
    "plugins": _CODE,
    "ModelMapping": ("names of models are routes here", "Write a ModelRoute for each name, or add it to a route."),
    "Concurrency": ("limits are set where they hold", "Set `limits.concurrent` of clients, routes and targets."),
    "REWRITE_SYSTEM_PROMPT": ("prompts are not rewritten", "Use `--append-system-prompt` of Claude Code."),
    "VERTEX_AI_SERVICE_ACCOUNT_PATH": (
        "the key of the service account is not read",
        "Set $GOOGLE_APPLICATION_CREDENTIALS to the file for `serve`; in a cluster, set `spec.vertex.secretRef`.",
    ),
}


def convert(config: Mapping[Any, Any], report: Report, *, vault: Vault) -> Draft:
    """Return the objects for a configuration; differences go to ``report``. Raises Trouble without any provider."""
    top = Section(config, report)
    key = next((name for name in ("Providers", "providers") if name in top), None)
    if key is None:
        fix = "Pass the config.json of claude-code-router, such as ~/.claude-code-router/config.json."
        raise Trouble(f"{report.path}: `Providers` is missing", fix=fix)
    draft = Draft()
    vault.reserve(config)
    _variables(top, vault)
    found = [ccrproviders.read(entry, draft, vault) for entry in top.sections(key)]
    upstreams = {upstream.name: upstream for upstream in found if upstream is not None}
    if upstreams:
        name = next(iter(upstreams))
        fix = f"In Claude Code: `/model {name}/MODEL` instead of `/model {name},MODEL`."
        report.lose(key, "a name of a model has no comma here", fix)
    _names(upstreams, draft, report)
    _router(top.section("Router"), _fallbacks(top.section("fallback"), upstreams), upstreams, draft, report)
    clients.add(top, draft, vault, key="APIKEY", name="me", variable="CCR_APIKEY")
    milliseconds = top.number("API_TIMEOUT_MS")
    if milliseconds:
        _timeouts(draft, milliseconds / 1000)
    top.settle(unnecessary=_UNNECESSARY, lost=_LOST, of="claude-code-router")
    return draft


def _variables(top: Section, vault: Vault) -> None:
    """Make the values of the file itself known to the vault, because providers refer to them."""
    for ours, theirs in (
        ("GOOGLE_CLOUD_PROJECT", "VERTEX_AI_PROJECT_ID"),
        ("GOOGLE_CLOUD_LOCATION", "VERTEX_AI_LOCATION"),
    ):
        if theirs in top:
            value = str(top.raw(theirs))
            vault.know(theirs, value)
            vault.know(ours, vault.plain(value) or value)


def _names(upstreams: Mapping[str, Upstream], draft: Draft, report: Report) -> None:
    """Add a route for each model, so that people can choose it by name."""
    for upstream in upstreams.values():
        for model in upstream.models:
            name = f"{upstream.name}/{model}"
            try:
                target = upstream.target(model)
                names = unique([name, f"{upstream.name}/*"]) if model == "*" else [name]
                draft.route(object_name(name), {"models": names, "targets": [target]})
            except NotAccepted as refused:
                report.lose(upstream.at, f"{refused.field}: {refused}", "Correct the value, and import again.")


def _router(
    router: Section,
    fallbacks: Mapping[str, list[Json]],
    upstreams: Mapping[str, Upstream],
    draft: Draft,
    report: Report,
) -> None:
    threshold = int(router.number("longContextThreshold") or LONG)
    targets = {role: _target(router, role, upstreams) for role in ("default", "background", "think", "longContext")}
    targets |= {role: _target(router, role, upstreams) for role in ("webSearch", "image")}
    matches: tuple[tuple[str, str, Json], ...] = (
        ("longContext", "long-context", {"inputTokensAtLeast": threshold}),
        ("image", "image", {"images": True}),
        ("webSearch", "web-search", {"serverTools": ["web_search*"]}),
        ("think", "think", {"thinking": "Enabled"}),
    )
    rules = [
        roles.rule(name, match, _tiers(target, fallbacks.get(role, [])))
        for role, name, match in matches
        if (target := targets[role]) is not None
    ]
    for role, name, names in (("default", "default", ["*"]), ("background", "background", ["haiku", "*haiku*"])):
        target = targets[role]
        if target is not None:
            tiers = _tiers(target, fallbacks.get(role, []))
            chosen = rules if role == "default" else [rule for rule in rules if rule["name"] == "long-context"]
            roles.add(draft, report, name, names=names, targets=tiers, rules=chosen, at=router.path(role))
    if targets["default"] is None:
        router.lose("default", "without it, only the models by their names are served", "Write `provider,model`.")
    router.settle(unnecessary={}, lost={}, of="the Router")


def _target(router: Section, role: str, upstreams: Mapping[str, Upstream]) -> Json | None:
    """Return the target of a role; None if there is none, or if it cannot be carried over, which is noted."""
    text = router.text(role)
    if not text:
        return None
    return _resolved(router, role, text, upstreams)


def _resolved(section: Section, at: str, text: str, upstreams: Mapping[str, Upstream]) -> Json | None:
    name, comma, model = text.partition(",")
    upstream = upstreams.get(name.strip())
    if upstream is None or not comma or not model.strip():
        known = ", ".join(upstreams) or "none"
        section.lose(at, "not a `provider,model` of a provider that was carried over", f"Providers: {known[:200]}.")
        return None
    try:
        return upstream.target(model.strip())
    except NotAccepted as refused:
        section.lose(at, f"{refused.field}: {refused}", "Correct the value, and import again.")
        return None


def _fallbacks(section: Section, upstreams: Mapping[str, Upstream]) -> dict[str, list[Json]]:
    """Return the targets that follow, by role."""
    found: dict[str, list[Json]] = {}
    for role in section.left():
        for index, text in enumerate(section.items(role)):
            target = _resolved(section, f"{role}[{index}]", str(text), upstreams)
            if target is not None:
                found.setdefault(role, []).append(target)
    return found


def _tiers(first: Json, others: list[Json]) -> list[Json]:
    return [first, *({**other, "priority": rank} for rank, other in enumerate(others[:15], start=1))]


def _timeouts(draft: Draft, seconds: float) -> None:
    total = routes.duration(seconds)
    short = {"firstToken": total} if seconds < routes.FIRST_TOKEN else {}
    for spec in draft.routes.values():
        spec["timeouts"] = {**short, "total": total}
