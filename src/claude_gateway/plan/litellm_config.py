"""``litellm.yaml``: a policy as a config that ``litellm --config`` accepts, for any LiteLLM user to read and run.

Nothing of ours reads it: the worker takes its targets from ``gateway.json``. Secrets appear as ``os.environ/NAME``
only.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from claude_gateway.contract.policy import Policy
from claude_gateway.contract.route import Route
from claude_gateway.contract.target import CLAUDE_WIRES, Target

_AWS_NAMES: Final = {
    "accessKeyId": "aws_access_key_id",
    "secretAccessKey": "aws_secret_access_key",
    "sessionToken": "aws_session_token",
    "bearerToken": "api_key",
}
_NOT_SNAKE: Final = re.compile(r"[^a-zA-Z0-9]")
_HEAD: Final = "# Rendered by Claude Gateway from its ModelRoutes; keys come from the variables named here.\n"


class LiteLLMPart(BaseModel):
    """A frozen value with LiteLLM's own snake_case names."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class LiteLLMParams(LiteLLMPart):
    """What LiteLLM passes to the provider; what is secret is ``os.environ/<NAME>`` or absent."""

    model: str
    api_base: str | None = None
    api_key: str | None = None
    aws_region_name: str | None = None
    aws_bedrock_runtime_endpoint: str | None = None
    aws_access_key_id: str | None = None
    aws_secret_access_key: str | None = None
    aws_session_token: str | None = None
    vertex_project: str | None = None
    vertex_location: str | None = None
    vertex_credentials: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    reasoning_effort: str | None = None
    timeout: float | None = None


class ModelInfo(LiteLLMPart):
    """``id`` is the target's id; keys with ``gw_`` are ours (LiteLLM reserves some names in here).

    They are for people, and for workers of the version before, which read this file. ``gw_secret`` is the entry of the
    secret part, ``gw_preload`` says that no relay lane can serve the target for Claude Code.
    """

    id: str
    gw_secret: str | None = None
    gw_max_output_tokens: int | None = None
    gw_preload: bool = False


class Deployment(LiteLLMPart):
    """One target of one route; ``model_name`` is the route's name."""

    model_name: str
    litellm_params: LiteLLMParams
    model_info: ModelInfo


class LiteLLMSettings(LiteLLMPart):
    """Settings of the library."""

    drop_params: bool = True
    telemetry: bool = False


class RouterSettings(LiteLLMPart):
    """Only read by ``litellm --config``: our gateway routes by itself."""

    model_group_alias: dict[str, str] = {}


class LiteLLMConfig(LiteLLMPart):
    """All of ``litellm.yaml``."""

    model_list: tuple[Deployment, ...] = ()
    litellm_settings: LiteLLMSettings = LiteLLMSettings()
    router_settings: RouterSettings = RouterSettings()


SETTINGS: Final = LiteLLMSettings()
"""Settings that LiteLLM reads once per process: changing them needs new pods."""


def litellm_config(policy: Policy, secrets: Mapping[str, bytes]) -> LiteLLMConfig:
    """Return LiteLLM's view of a policy: every target of every route, and literal model names as aliases of routes."""
    return LiteLLMConfig(
        model_list=tuple(_deployments(policy.routes, secrets)),
        litellm_settings=SETTINGS,
        router_settings=RouterSettings(model_group_alias=dict(_aliases(policy.routes))),
    )


def environment_name(entry: str, field: str = "") -> str:
    """Return the environment variable from which ``litellm --config`` reads a secret entry, or a secret field of it."""
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


def _deployments(routes: Iterable[Route], secrets: Mapping[str, bytes]) -> Iterator[Deployment]:
    """Yield every target; those of a rule or a mirror are a group of their own, which LiteLLM chooses for no name."""
    for route in routes:
        groups = [(route.name, route.targets), *((f"{route.name}/{rule.name}", rule.targets) for rule in route.rules)]
        if route.mirror is not None:
            groups.append((f"{route.name}/mirror", (route.mirror.target,)))
        for name, targets in groups:
            yield from (_deployment(name, route, target, secrets) for target in targets)


def _deployment(name: str, route: Route, target: Target, secrets: Mapping[str, bytes]) -> Deployment:
    return Deployment(
        model_name=name,
        litellm_params=LiteLLMParams(
            model=f"{target.translation.provider or target.provider}/{target.model}",
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
    """A target's address and credential under LiteLLM's names."""
    address = target.base_url or target.translation.base_url
    if target.aws is not None:
        place: dict[str, str | None] = {"aws_region_name": target.aws.region, "aws_bedrock_runtime_endpoint": address}
        return {**place, **_aws_identity(target.secret, secrets)}
    reference = None if target.secret is None else _reference(target.secret)
    if target.google is not None:
        place = {"vertex_project": target.google.project, "vertex_location": target.google.location}
        return {**place, "api_base": address, "vertex_credentials": reference}
    return {"api_base": address, "api_key": reference}


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
    """Write a scalar or an empty collection as JSON; YAML 1.1 requires a point in a number with an exponent."""
    text = json.dumps(value)
    if isinstance(value, float) and "e" in text and "." not in text:
        return text.replace("e", ".0e")
    return text
