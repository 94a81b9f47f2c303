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
from claude_gateway.contract.policy import Policy, Route, Target, Wire
from claude_gateway.plan.providers import litellm_name

SETTINGS: Final = LiteLLMSettings()
"""What LiteLLM reads once in a process: a change of it needs new pods."""
_CLIENTS: Final = "clients"
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
    return Bundle(gateway=gateway.encode(), litellm=yaml(litellm_config(policy)), secrets=dict(sorted(secrets.items())))


def litellm_config(policy: Policy) -> LiteLLMConfig:
    """Give LiteLLM's view of a policy: every target of every route, and literal model names as aliases of routes."""
    return LiteLLMConfig(
        model_list=tuple(_deployment(route, target) for route in policy.routes for target in route.targets),
        litellm_settings=SETTINGS,
        router_settings=RouterSettings(model_group_alias=dict(_aliases(policy.routes))),
    )


def environment_name(entry: str) -> str:
    """Name the environment variable that ``litellm --config`` reads for an entry of the secret part."""
    return f"CLAUDE_GATEWAY_KEY_{_NOT_SNAKE.sub('_', entry).upper()}"


def yaml(config: LiteLLMConfig) -> bytes:
    """Write a config as YAML in block style; strings are in double quotes, which JSON and YAML share for ASCII."""
    lines: list[str] = [_HEAD]
    _write(lines, config.model_dump(mode="json", exclude_none=True), 0)
    return "".join(lines).encode()


def _aliases(routes: Iterable[Route]) -> Iterator[tuple[str, str]]:
    for route in routes:
        if route.targets:
            yield from ((name, route.name) for name in route.models if "*" not in name)


def _deployment(route: Route, target: Target) -> Deployment:
    return Deployment(
        model_name=route.name,
        litellm_params=LiteLLMParams(
            model=f"{litellm_name(target.provider, target.base_url)}/{target.model}",
            api_base=target.base_url,
            api_key=None if target.secret is None else f"os.environ/{environment_name(target.secret)}",
            temperature=target.parameters.temperature,
            top_p=target.parameters.top_p,
            reasoning_effort=target.parameters.reasoning_effort,
            timeout=route.timeouts.total,
        ),
        model_info=ModelInfo(
            id=target.id,
            gw_secret=target.secret,
            gw_max_output_tokens=target.max_output_tokens,
            gw_preload=target.wire is not Wire.ANTHROPIC,
        ),
    )


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
