"""From what was accepted to the bundle, byte for byte the same for the same input."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from claude_gateway.contract.bundle import Bundle, secret_entry
from claude_gateway.contract.litellm import (
    Deployment,
    LiteLLMConfig,
    LiteLLMParams,
    LiteLLMSettings,
    ModelInfo,
    RouterSettings,
)
from claude_gateway.contract.policy import CLAUDE_WIRES, Policy, Route, Target
from claude_gateway.plan.clouds import base_url
from claude_gateway.plan.providers import litellm_name

SETTINGS: Final = LiteLLMSettings()
"""What LiteLLM reads once in a process: a change of it needs new pods."""
_CLIENTS: Final = "clients"
_AWS_NAMES: Final = {
    "accessKeyId": "aws_access_key_id",
    "secretAccessKey": "aws_secret_access_key",
    "sessionToken": "aws_session_token",
    "bearerToken": "api_key",
}
_NOT_SNAKE: Final = re.compile(r"[^a-zA-Z0-9]")
_HEAD: Final = "# Rendered by Claude Gateway from its ModelRoutes; keys come from the variables named here.\n"


def client_keys(names: Mapping[str, str]) -> dict[str, bytes]:
    """Give the entry of the secret part that maps hashes of client keys to clients; none without any key."""
    if not names:
        return {}
    value = json.dumps(names, sort_keys=True, separators=(",", ":")).encode()
    return {secret_entry(_CLIENTS, value): value}


def bundle(policy: Policy, secrets: Mapping[str, bytes]) -> Bundle:
    """Render a policy, and the secrets that it names, to a bundle."""
    document = policy.model_dump(mode="json", by_alias=True, exclude_none=True)
    gateway = json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n"
    config = litellm_config(policy, secrets)
    return Bundle(gateway=gateway.encode(), litellm=yaml(config), secrets=dict(sorted(secrets.items())))


def litellm_config(policy: Policy, secrets: Mapping[str, bytes]) -> LiteLLMConfig:
    """Give LiteLLM's view of a policy: every target of every route, and literal model names as aliases of routes."""
    return LiteLLMConfig(
        model_list=tuple(_deployment(route, target, secrets) for route in policy.routes for target in route.targets),
        litellm_settings=SETTINGS,
        router_settings=RouterSettings(model_group_alias=dict(_aliases(policy.routes))),
    )


def environment_name(entry: str, field: str = "") -> str:
    """Name the environment variable that ``litellm --config`` reads for an entry, or a field of one, that is secret."""
    return f"CLAUDE_GATEWAY_KEY_{_NOT_SNAKE.sub('_', f'{entry}_{field}' if field else entry).upper()}"


def yaml(config: LiteLLMConfig) -> bytes:
    """Write a config as YAML in block style; strings are in double quotes, which JSON and YAML share for ASCII."""
    lines: list[str] = [_HEAD]
    _write(lines, config.model_dump(mode="json", exclude_none=True), 0)
    return "".join(lines).encode()


def _aliases(routes: Iterable[Route]) -> Iterator[tuple[str, str]]:
    for route in routes:
        if route.targets:
            yield from ((name, route.name) for name in route.models if "*" not in name)


def _deployment(route: Route, target: Target, secrets: Mapping[str, bytes]) -> Deployment:
    return Deployment(
        model_name=route.name,
        litellm_params=LiteLLMParams(
            model=f"{litellm_name(target.provider, target.base_url, target.formats)}/{target.model}",
            temperature=target.parameters.temperature,
            top_p=target.parameters.top_p,
            reasoning_effort=target.parameters.reasoning_effort,
            timeout=route.timeouts.total,
            **_access(target, secrets),
        ),
        model_info=ModelInfo(
            id=target.id,
            gw_secret=target.secret,
            gw_max_output_tokens=target.max_output_tokens,
            gw_preload=target.wire not in CLAUDE_WIRES,
        ),
    )


def _access(target: Target, secrets: Mapping[str, bytes]) -> dict[str, str | None]:
    """Where a target is and what it spends, as LiteLLM calls these.

    In a cloud the address is always told: at Bedrock LiteLLM would make one of what the model's name says, and at
    Vertex go to another location where a model is not in this one.
    """
    if target.aws is not None:
        endpoint = target.base_url or base_url(target.aws)
        place = {"aws_region_name": target.aws.region, "aws_bedrock_runtime_endpoint": endpoint}
        return {**place, **_aws_identity(target.secret, secrets)}
    reference = None if target.secret is None else _reference(target.secret)
    if target.google is not None:
        place = {"vertex_project": target.google.project, "vertex_location": target.google.location}
        address = target.base_url or base_url(target.google)
        return {**place, "api_base": address, "vertex_credentials": reference}
    return {"api_base": target.base_url, "api_key": reference}


def _aws_identity(entry: str | None, secrets: Mapping[str, bytes]) -> dict[str, str | None]:
    if entry is None:
        return {}
    names = (_AWS_NAMES[field] for field in json.loads(secrets[entry]))
    return {name: _reference(entry, name) for name in names}


def _reference(entry: str, field: str = "") -> str:
    return f"os.environ/{environment_name(entry, field)}"


def _write(lines: list[str], value: dict[str, Any], indent: int, *, quoted: bool = False) -> None:
    """Append a mapping; every string in it is printable ASCII, as the checks before made sure.

    Keys are ``quoted`` where users chose them: a model may be called ``on`` or ``null``.
    """
    space = " " * indent
    for key, entry in value.items():
        name = json.dumps(key) if quoted else key
        if isinstance(entry, dict) and entry:
            lines.append(f"{space}{name}:\n")
            _write(lines, entry, indent + 2, quoted=key == "model_group_alias")
        elif isinstance(entry, list) and entry:
            lines.append(f"{space}{name}:\n")
            for element in entry:
                start = len(lines)
                _write(lines, element, indent + 4)
                lines[start] = f"{space}  - {lines[start].lstrip()}"
        else:
            lines.append(f"{space}{name}: {_scalar(entry)}\n")


def _scalar(value: Any) -> str:
    """Write a scalar or an empty collection as JSON; YAML 1.1 wants a point in a number with an exponent."""
    text = json.dumps(value)
    if isinstance(value, float) and "e" in text and "." not in text:
        return text.replace("e", ".0e")
    return text
