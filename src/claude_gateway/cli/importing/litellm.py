"""A ``config.yaml`` of LiteLLM's proxy as our objects."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from claude_gateway.cli.errors import Trouble
from claude_gateway.cli.importing import clients, deployments, routes, subscription
from claude_gateway.cli.importing.deployments import Deployment, Sources
from claude_gateway.cli.importing.draft import Draft, Json, unique
from claude_gateway.cli.importing.report import Report
from claude_gateway.cli.importing.secrets import Vault
from claude_gateway.cli.importing.section import Section

_OURS: Final = "the gateway does this by itself"
_STATE: Final = "the gateway has no database and no cache: its objects are its state"
_UNNECESSARY: Final = {
    "drop_params": "parameters that a provider does not know are always left out",
    "modify_params": _OURS,
    "num_retries": "a failed request goes to the next target, and the client's own retries follow",
    "allowed_fails": "a target that fails three times in a row is ejected",
    "cooldown_time": "a target that failed is ejected for 10 to 60 seconds, or as long as it asks for",
    "retry_after": _OURS,
    "retry_policy": _OURS,
    "set_verbose": "`serve --log-level debug` shows every event",
    "json_logs": "logs are JSON in a cluster, and with `serve --log-format json`",
    "telemetry": "the gateway sends no telemetry",
    "enable_pre_call_checks": _OURS,
    "store_model_in_db": _STATE,
    "database_connection_pool_limit": _STATE,
    "proxy_batch_write_at": _STATE,
    "redis_host": _STATE,
    "redis_port": _STATE,
    "redis_password": _STATE,
    "redis_url": _STATE,
    "cache_responses": _STATE,
    "disable_spend_logs": _STATE,
    "use_redis_transaction_buffer": _STATE,
    "proxy_budget_rescheduler_min_time": _STATE,
    "proxy_budget_rescheduler_max_time": _STATE,
    "include_cost_in_streaming_usage": "the log, the metrics and `claude-gateway spend` have what each request costs",
    "forward_client_headers_to_llm_api": "headers that are safe are passed on",
    "use_chat_completions_url_for_anthropic_messages": "requests are translated into what the target supports",
    "max_fallbacks": "all targets of a route are tried, in the order of their priority",
    "model_group_retry_policy": _OURS,
    "ui_access_mode": "there is no web page for administration",
    "background_health_checks": "the health of targets is what their answers say",
    "health_check_interval": "the health of targets is what their answers say",
}
_METRICS: Final = ("there are no callbacks", "Use traces over OTLP, usage events, the metrics, or the log.")
_BUDGET: Final = ("budgets are objects of their own", "Write a Budget with this amount and period.")
_CACHE: Final = (
    "answers are kept where a route says so, and never for agents",
    "Set `cache` of the ModelRoutes that need it.",
)
_KINDS: Final = "keys, tokens of an issuer (`jwt`), ServiceAccounts or certificates"
_SEARCH: Final = ("searches are the model's own", "Use a model that searches, or a tool of the client.")
_LOST: Final = {
    "success_callback": _METRICS,
    "failure_callback": _METRICS,
    "callbacks": _METRICS,
    "alerting": ("the gateway sends no alerts", "Use the chart's alerts for Prometheus: `metrics.prometheusRule`."),
    "cache": _CACHE,
    "cache_params": _CACHE,
    "default_team_settings": ("teams have no settings of their own", "Make a GatewayClient for each team."),
    "search_tools": _SEARCH,
    "websearch_interception_params": _SEARCH,
    "max_budget": _BUDGET,
    "budget_duration": _BUDGET,
    "provider_budget_config": _BUDGET,
    "guardrails": ("there are no guardrails", "Keep them in front of the gateway."),
    "database_url": (
        "virtual keys, teams and spend in the database are not read",
        "Make a GatewayClient for each key: `claude-gateway key new NAME --models PATTERN`.",
    ),
    "custom_auth": ("code of your own is not run", f"Make a GatewayClient for each client: it has {_KINDS}."),
    "enable_jwt_auth": ("the issuer is not in this file", "Set `jwt` of a GatewayClient."),
    "litellm_jwtauth": ("claims are named by the client", "Set `jwt` of a GatewayClient."),
    "pass_through_endpoints": ("other endpoints are not passed on", "Send those requests to the provider."),
    "key_management_system": (
        "secrets are not read from a key manager",
        "Sync them into Kubernetes Secrets, for example with External Secrets.",
    ),
    "include": ("other files are not read", "Import each of them, and keep all results in one folder."),
    "mcp_servers": ("there is no MCP gateway", "Configure the servers in the clients."),
    "vector_store_registry": ("there are no vector stores", "Use them from the client."),
    "files_settings": ("files are not stored", "Send those requests to the provider."),
    "finetune_settings": ("there is no fine-tuning", "Send those requests to the provider."),
    "prompts": ("there are no stored prompts", "Keep them in the client."),
}
_ROUTING_FIX: Final = "Set `weight` and `priority` of the targets."


def convert(config: Mapping[Any, Any], report: Report, *, vault: Vault, owner: str | None) -> Draft:
    """Return the objects for a configuration; what is different goes to ``report``. Raises Trouble without models."""
    draft = Draft()
    top = Section(config, report)
    if "model_list" not in top:
        raise Trouble(f"{report.path}: `model_list` is missing", fix="Pass the `config.yaml` of LiteLLM's proxy.")
    general, router, library = (top.section(f"{name}_settings") for name in ("general", "router", "litellm"))
    _variables(top, vault)
    vault.reserve(config)
    sources = Sources(
        draft=draft,
        vault=vault,
        owner=owner,
        people=frozenset(_people(library)),
        named={
            each.text("credential_name"): each.raw("credential_values") or {}
            for each in top.sections("credential_list")
        },
    )
    found = [deployments.read(entry, sources) for entry in top.sections("model_list")]
    groups = routes.grouped(deployment for deployment in found if deployment is not None)
    aliases = _aliases(router, groups)
    after = _fallbacks((router, library), groups)
    timeout = router.number("timeout") or library.number("request_timeout")
    common: Json = {} if timeout is None else {"total": timeout}
    master = clients.master(general, draft, vault, owner=owner if sources.people else None)
    for name, members in groups.items():
        names = unique([name, *aliases.get(name, ())])
        only = master if any(member.subscription for member in members) else None
        routes.add(draft, report, names=names, members=members, after=after.get(name, ()), common=common, only=only)
    _strategy(router)
    for section, of in ((general, "general_settings"), (router, "router_settings"), (library, "litellm_settings")):
        section.settle(unnecessary=_UNNECESSARY, lost=_LOST, of=of)
    top.settle(unnecessary=_UNNECESSARY, lost=_LOST, of="LiteLLM's proxy")
    return draft


def _variables(top: Section, vault: Vault) -> None:
    values = top.raw("environment_variables")
    if isinstance(values, dict):
        for name, value in values.items():
            vault.know(str(name), str(value))


def _people(library: Section) -> Iterable[str]:
    """Yield the custom providers that ask Claude Code; the others are noted as lost."""
    for each in library.sections("custom_provider_map"):
        provider, handler = each.text("provider"), each.text("custom_handler")
        if subscription.is_claude_code(provider, handler):
            each.drop("custom_handler", "Claude Code is a provider of the gateway: `claude-code/...`")
            yield provider
        else:
            each.lose("provider", "code of your own is not run", "Serve it as an OpenAI-compatible server.")


def _aliases(router: Section, groups: Mapping[str, list[Deployment]]) -> dict[str, list[str]]:
    """Return the further names of each group."""
    found: dict[str, list[str]] = {}
    aliases = router.raw("model_group_alias")
    for alias, value in aliases.items() if isinstance(aliases, dict) else ():
        at = f"model_group_alias.{alias}"
        group = value.get("model") if isinstance(value, dict) else value
        if isinstance(value, dict) and value.get("hidden"):
            router.drop(at, "every name of a route is listed to the clients that may use it")
        if group not in groups:
            router.lose(at, "no model of this name was carried over", "Correct `model_list`, and import again.")
        elif alias in groups:
            router.lose(at, "the alias is also a `model_name`, which wins here", "Remove one of the two.")
        else:
            found.setdefault(str(group), []).append(str(alias))
    return found


def _fallbacks(sections: Iterable[Section], groups: Mapping[str, list[Deployment]]) -> dict[str, list[Deployment]]:
    """Return the targets that follow those of each group, one priority lower per group."""
    wanted: dict[str, list[tuple[Section, str, str]]] = {}
    for section in sections:
        for group, at, other in (*_followers(section, groups), *_default_followers(section, groups)):
            wanted.setdefault(group, []).append((section, at, other))
    return {group: _after(groups, group, others) for group, others in wanted.items()}


def _followers(section: Section, groups: Mapping[str, list[Deployment]]) -> Iterator[tuple[str, str, str]]:
    """Yield each group that a section has fallbacks for, with their place and the name of one of them."""
    for key in ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks"):
        for index, entry in enumerate(section.items(key)):
            at = f"{key}[{index}]"
            if not isinstance(entry, dict):
                section.lose(at, "the value is not a mapping", "Write `model: [models that follow]`.")
                continue
            for group, others in entry.items():
                every = list(groups) if group == "*" and group not in groups else [str(group)]
                yield from ((each, at, other) for each in every for other in _listed(others))
            if key == "context_window_fallbacks":
                section.lose(at, "the models follow also where the first one fails", routes.CONTEXT_FIX)


def _default_followers(section: Section, groups: Mapping[str, list[Deployment]]) -> Iterator[tuple[str, str, str]]:
    """Yield every group with the fallbacks of all groups, except itself."""
    for index, other in enumerate(section.items("default_fallbacks")):
        yield from ((group, f"default_fallbacks[{index}]", str(other)) for group in groups if group != other)


def _listed(value: object) -> list[str]:
    """Return the names of models that follow; an entry with parameters of its own counts by its model alone."""
    listed = value if isinstance(value, list) else [value]
    return [str(each.get("model", "")) if isinstance(each, dict) else str(each) for each in listed]


def _after(
    groups: Mapping[str, list[Deployment]], group: str, others: Iterable[tuple[Section, str, str]]
) -> list[Deployment]:
    found: list[Deployment] = []
    last = max((member.target.get("priority", 0) for member in groups.get(group, ())), default=0)
    done = {group}
    for section, at, other in others:
        if group not in groups or other not in groups:
            missing = group if group not in groups else other
            section.lose(at, f"no model `{missing[:64]}` was carried over", "Correct `model_list`, and import again.")
        elif other not in done:
            done.add(other)
            base = last + 1
            for member in groups[other]:
                priority = base + member.target.get("priority", 0)
                found.append(replace(member, target={**member.target, "priority": priority}))
                last = max(last, priority)
    return found


def _strategy(router: Section) -> None:
    strategy = router.text("routing_strategy")
    if strategy == "simple-shuffle":
        router.drop("routing_strategy", "targets of one priority are drawn by weight")
    elif strategy:
        router.lose(
            "routing_strategy", f"there is no strategy `{strategy[:40]}`: targets are drawn by weight", _ROUTING_FIX
        )
    router.raw("routing_strategy_args")
