"""One entry of LiteLLM's ``model_list``: its target, its credential and its timeouts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from claude_gateway.api.route_target import RouteTarget
from claude_gateway.cli.importing import costs, subscription, upstreams
from claude_gateway.cli.importing.draft import Draft, Json, NotAccepted, checked
from claude_gateway.cli.importing.secrets import Vault, is_placeholder, reference
from claude_gateway.cli.importing.section import Section
from claude_gateway.contract.provider import CLAUDE_CODE, PROVIDERS

SHARES: Final = ("weight", "rpm", "tpm")
"""What LiteLLM draws deployments by: the first of these that a deployment of the group has."""

_USUAL_ADDRESSES: Final = dict.fromkeys(("ollama", "ollama_chat"), "http://localhost:11434")
"""Where LiteLLM looks for servers that have no `api_base`."""

_NO_CHAT: Final = frozenset({"image_generation", "audio_transcription", "audio_speech", "rerank", "moderation"})
_PARAMETERS: Final = {"temperature": "temperature", "top_p": "topP"}
_EFFORTS: Final = frozenset({"low", "medium", "high"})
_UNNECESSARY: Final = {
    "api_version": "the gateway's LiteLLM knows the version that it speaks",
    "drop_params": "parameters that a provider does not know are always left out",
    "stream": "the client says whether it wants a stream",
    "max_retries": "a failed request goes to the next target, and the client's own retries follow",
    "use_in_pass_through": "native requests of Claude and OpenAI clients are relayed as they are anyway",
    "merge_reasoning_content_in_choices": "reasoning is translated for every client",
    "cache_control_injection_points": "cache marks of the client are passed on",
}
_NOT_SERVED: Final = ("only chat and embedding models are served", "Keep this model where it is.")
_LIMITS: Final = {"rpm": "requestsPerMinute", "tpm": "inputTokensPerMinute"}
"""Our limits that are nearest to what LiteLLM also draws by."""

_OUTSIDE: Final = ("it counts only inside `litellm_params`", "Move it there, and import again.")
_PRICED: Final = ("prices are per token here", "Set `prices` of the target, or take the list price.")
_OF_TEST: Final = ("failures are not simulated", "Try it with the scripted upstream.")
_LOST: Final = {
    "input_cost_per_second": _PRICED,
    "output_cost_per_second": _PRICED,
    "region_name": ("there is no choice by region", "Name the region in the address, or in the credential of a cloud."),
    "mock_response": _OF_TEST,
    "mock_timeout": _OF_TEST,
    "extra_headers": ("headers are not added to requests", "Let the client send them: safe headers are passed on."),
    "organization": ("OpenAI's organization is not sent", "Use a key of that organization's project."),
    "tags": ("there is no routing by tags", "Make a route of its own, or a rule that matches a header."),
    "guardrails": ("there are no guardrails", "Keep them in front of the gateway."),
    "aws_role_name": ("no other role is assumed", "Let the pods have the role (EKS Pod Identity, IRSA)."),
}


@dataclass(frozen=True, slots=True)
class Deployment:
    """One entry that was carried over. ``group`` is its name, ``shares`` are what LiteLLM can draw by."""

    group: str
    target: Json
    at: str
    timeouts: Json = field(default_factory=dict)
    shares: Mapping[str, float] = field(default_factory=dict)
    subscription: bool = False


@dataclass(frozen=True, slots=True)
class Sources:
    """What entries may refer to. ``people`` are the custom providers that ask Claude Code."""

    draft: Draft
    vault: Vault
    owner: str | None
    people: frozenset[str]
    named: dict[str, Json]


def read(entry: Section, sources: Sources) -> Deployment | None:
    """Read one entry; None if it cannot be carried over, which is noted."""
    group = entry.text("model_name")
    params = _params(entry, sources)
    info = entry.section("model_info")
    if not group:
        entry.lose("model_name", "the entry has no name", "Write the name that clients send.")
        return None
    model = sources.vault.plain(params.text("model"))
    if not model:
        params.lose(
            "model", "the entry has no model", "Write `provider/model`, and set the variable that it refers to."
        )
        return None
    if info.text("mode") in _NO_CHAT:
        info.lose("mode", *_NOT_SERVED)
        return None
    if upstreams.is_no_chat(model.rpartition("/")[2]):
        params.lose("model", *_NOT_SERVED)
        return None
    entry.settle(unnecessary={}, lost=dict.fromkeys(SHARES, _OUTSIDE), of="an entry")
    try:
        return _deployment(group, model, params, info, sources)
    except NotAccepted as refused:
        field_name = "api_base" if refused.field.endswith("baseURL") else "model"
        params.lose(field_name, f"{refused.field}: {refused}", "Correct the value, and import again.")
        return None


def _params(entry: Section, sources: Sources) -> Section:
    """Return the parameters of an entry, with those of the named credential that it refers to."""
    params = entry.section("litellm_params")
    name = params.text("litellm_credential_name")
    if not name:
        return params
    if name not in sources.named:
        fix = "Name one of `credential_list`."
        params.lose("litellm_credential_name", "there is no credential of this name in the file", fix)
        return params
    return params.over(sources.named[name])


def _deployment(group: str, model: str, params: Section, info: Section, sources: Sources) -> Deployment | None:
    provider, name = _split(model, params.text("custom_llm_provider"), sources.people)
    if provider in sources.people:
        provider = CLAUDE_CODE
    if provider is None:
        params.lose("model", "the provider of this model is not known", "Write it as `provider/model`.")
        return None
    if (refused := upstreams.refusal(provider)) is not None:
        params.lose("model", *refused)
        return None
    access = _access(provider, name, params, sources)
    if access is None:
        return None
    name = _bare(provider, name)
    if "*" in name and group in (model, name):
        # The name that the client sent is passed on, of which the route's own pattern takes the same ones.
        name = "*"
    target = {"model": f"{provider}/{name}", **access, **_settings(params, info), **costs.prices(params, info)}
    concurrent = params.number("max_parallel_requests")
    if concurrent:
        target["limits"] = {"concurrent": int(concurrent)}
    shares = {name: share for name in SHARES if (share := params.number(name)) is not None}
    order = params.number("order")
    if order is not None:
        target["priority"] = int(order)
    timeouts = _timeouts(params)
    for name in sorted(shares.keys() - {"weight"}):
        fix = f"To limit the target, set its `limits.{_LIMITS[name]}: {int(shares[name])}`."
        params.lose(name, "it is a weight here, and no limit", fix)
    params.settle(unnecessary=_UNNECESSARY, lost=_LOST, of="a deployment")
    at = params.path("model")
    return Deployment(group, checked(RouteTarget, target), at, timeouts, shares, provider == CLAUDE_CODE)


def _split(model: str, provider: str, people: frozenset[str]) -> tuple[str | None, str]:
    first, slash, rest = model.partition("/")
    if provider:
        return provider, rest if slash and first == provider else model
    if slash and (first in PROVIDERS or first in people or upstreams.of_bare_model(model) is None):
        return first, rest
    return upstreams.of_bare_model(model), model


def _bare(provider: str, name: str) -> str:
    """Return a model's name without LiteLLM's words for an endpoint in front, which our gateway finds by itself."""
    if provider == "openai":
        return name.removeprefix("responses/").removeprefix("chat/")
    if provider == "bedrock":
        name = name.removeprefix("converse/").removeprefix("invoke/")
        region, slash, rest = name.partition("/")
        return rest if slash and region.count("-") >= 2 and region[-1:].isdigit() else name
    return name


def _access(provider: str, name: str, params: Section, sources: Sources) -> Json | None:
    """Return the credential or address of a target; None if something is missing, which is reported."""
    if provider == CLAUDE_CODE:
        credential = subscription.credential(params, sources.draft, sources.owner)
        return None if credential is None else {"credential": credential}
    if PROVIDERS[provider].credential == "bedrock":
        return _bedrock(name, params, sources)
    if PROVIDERS[provider].credential == "vertex":
        return _vertex(params, sources)
    return _api_key(provider, params, sources)


def _api_key(provider: str, params: Section, sources: Sources) -> Json | None:
    raw, address = params.text("api_key"), params.text("api_base") or params.text("base_url")
    address = address or _USUAL_ADDRESSES.get(provider, "")
    plain = sources.vault.plain(address) if address else ""
    if plain is None:
        fix = f"Set {reference(address)} with --env-file, and import again."
        params.lose("api_base", "the address is in a variable that is not set", fix)
        return None
    base_url = upstreams.base_url(provider, plain) if plain else None
    if plain and "?" in plain:
        params.lose("api_base", "the query of the address is left out", "Use an address without a query.")
    if PROVIDERS[provider].needs_base_url and base_url is None:
        params.lose("api_base", f"`{provider}` needs an address", "Write `api_base`, and import again.")
        return None
    if base_url is not None and upstreams.needs_no_key(base_url) and (not raw or is_placeholder(raw)):
        if raw:
            params.drop("api_key", "the server needs no key, so none is sent")
        return {"baseURL": base_url}
    if raw:
        # Not the usual name, which stands for what is in the environment.
        variable = sources.vault.variable(raw, instead=f"{provider}_KEY")
    else:
        variable = sources.vault.refer(upstreams.key_variable(provider))
    spec: Json = {"apiKey": {"provider": provider, **({} if base_url is None else {"baseURL": base_url})}}
    return {"credential": sources.draft.credential(provider, spec, {"key": variable})}


def _bedrock(name: str, params: Section, sources: Sources) -> Json | None:
    vault = sources.vault
    written = params.text("aws_region_name") or params.text("aws_region")
    region = vault.plain(written) if written else _region_of(name) or vault.value("AWS_REGION")
    if not region:
        fix = "Write `aws_region_name`, or set AWS_REGION with --env-file, and import again."
        params.lose("aws_region_name", "the region is not known", fix)
        return None
    values: dict[str, str] = {}
    keys = {
        "aws_access_key_id": "AWS_ACCESS_KEY_ID",
        "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
        "aws_session_token": "AWS_SESSION_TOKEN",
        "api_key": "AWS_BEARER_TOKEN_BEDROCK",
    }
    for field_name, usual in keys.items():
        raw = params.text(field_name)
        if raw:
            values[usual] = vault.variable(raw, instead=usual)
    spec: Json = {"bedrock": {"region": region}}
    endpoint = params.text("aws_bedrock_runtime_endpoint") or params.text("api_base")
    if endpoint and (plain := vault.plain(endpoint)):
        spec["bedrock"]["baseURL"] = plain.rstrip("/")
    return {"credential": sources.draft.credential("bedrock", spec, values)}


def _region_of(name: str) -> str:
    parts = name.removeprefix("converse/").removeprefix("invoke/").split("/")
    return parts[0] if len(parts) > 1 and parts[0].count("-") >= 2 else ""


def _vertex(params: Section, sources: Sources) -> Json | None:
    vault = sources.vault
    project = vault.plain(params.text("vertex_project")) or vault.value("VERTEXAI_PROJECT")
    location = vault.plain(params.text("vertex_location")) or vault.value("VERTEXAI_LOCATION")
    if not project or not location:
        missing = "vertex_location" if project else "vertex_project"
        params.lose(missing, "Vertex AI needs a project and a location", f"Write `{missing}`, and import again.")
        return None
    values = _google_key(params.text("vertex_credentials"), params, vault)
    if "api_base" in params:
        fix = "If it is a Private Service Connect endpoint, set `spec.vertex.baseURL`."
        params.lose("api_base", "the location's own address is used", fix)
        params.raw("api_base")
    spec: Json = {"vertex": {"project": project, "location": location}}
    return {"credential": sources.draft.credential("vertex", spec, values)}


def _google_key(raw: str, params: Section, vault: Vault) -> dict[str, str]:
    """Return the Secret's values for a service account; none where the file or the variable is not at hand."""
    name = reference(raw)
    if raw.lstrip().startswith("{") or (name is not None and vault.value(name)):
        return {"key": vault.variable(" ".join(raw.split("\n")), instead="VERTEX_CREDENTIALS")}
    if raw:
        why = "the key of the service account is not at hand, so the identity of the pods or of your machine is used"
        fix = "Set $GOOGLE_APPLICATION_CREDENTIALS to the file for `serve`; in a cluster, set `spec.vertex.secretRef`."
        params.lose("vertex_credentials", why, fix)
    return {}


def _settings(params: Section, info: Section) -> Json:
    """Return the limits and parameters of a target."""
    settings: Json = {}
    most = params.number("max_tokens") or params.number("max_completion_tokens") or info.number("max_output_tokens")
    if most is not None:
        settings["maxOutputTokens"] = int(most)
    window = info.number("max_input_tokens")
    if window is not None:
        settings["contextWindow"] = int(window)
    parameters: Json = {
        ours: value for theirs, ours in _PARAMETERS.items() if (value := params.number(theirs)) is not None
    }
    effort = params.text("reasoning_effort")
    if effort in _EFFORTS:
        parameters["reasoningEffort"] = effort
    elif effort:
        params.lose("reasoning_effort", f"`{effort[:20]}` cannot be a default", "Let the client ask for it.")
    return {**settings, **({"parameters": parameters} if parameters else {})}


def _timeouts(params: Section) -> Json:
    timeouts = {"total": params.number("timeout"), "firstToken": params.number("stream_timeout")}
    return {name: value for name, value in timeouts.items() if value is not None}
