"""The targets of one revision as LiteLLM's parameters, built from ``litellm.yaml`` and the secret part."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from pydantic import ValidationError

from claude_gateway.contract.bundle import Bundle, BundleError
from claude_gateway.contract.litellm import Deployment, LiteLLMConfig
from claude_gateway.contract.policy import Contract, Egress
from claude_gateway.names import GATEWAY_JSON, LITELLM_YAML
from claude_gateway_proxy.litellm.guard import Dial, dial

_ANY: Final = "*"
_MODEL: Final = re.compile(r"[A-Za-z0-9@_][A-Za-z0-9@_:.+-]*(/[A-Za-z0-9@_][A-Za-z0-9@_:.+-]*)*", re.ASCII)
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ModelRefused(ValueError):  # noqa: N818 - a verdict on a name
    """A model name sent by a client that must not become part of a request to a provider."""


@dataclass(frozen=True, slots=True)
class Target:
    """One target. ``model`` is LiteLLM's ``provider/model``; ``api_key`` is the value, never a reference.

    ``timeout`` is in seconds. ``dial`` is where its requests are meant to go (None: the provider's own address).
    """

    id: str
    model: str
    api_base: str | None
    api_key: str | None = field(repr=False)
    timeout: float | None
    dial: Dial | None

    @property
    def provider(self) -> str:
        """LiteLLM's name of the provider."""
        return self.model.partition("/")[0]

    def resolved(self, model: str) -> str:
        """LiteLLM's model for a request whose upstream model is ``model``, as clients name it where the target is open.

        Raises ModelRefused for a name that could lead to another path of the provider.
        """
        if not self.model.endswith(f"/{_ANY}"):
            return self.model
        if _MODEL.fullmatch(model) is None:
            raise ModelRefused("model: this route takes names of letters, digits and -_.:@+/ only")
        return f"{self.provider}/{model}"


@dataclass(frozen=True, slots=True)
class Table:
    """All targets of one revision by id. ``preload``: one of them needs LiteLLM for Claude Code."""

    revision: str
    targets: Mapping[str, Target] = field(repr=False)
    egress: Egress
    preload: bool


def build(bundle: Bundle) -> Table:
    """Build the table of a bundle. Raises BundleError with the part and the reason, never a secret value."""
    config = _config(bundle.litellm)
    targets: dict[str, Target] = {}
    for deployment in config.model_list:
        info = deployment.model_info
        if info.id in targets:
            raise BundleError(f"{LITELLM_YAML} has two deployments with the id {info.id}")
        targets[info.id] = _target(deployment, bundle.secrets)
    return Table(
        revision=bundle.meta.revision,
        targets=targets,
        egress=_egress(bundle.gateway),
        preload=any(deployment.model_info.gw_preload for deployment in config.model_list),
    )


def _target(deployment: Deployment, secrets: Mapping[str, bytes]) -> Target:
    params, info = deployment.litellm_params, deployment.model_info
    for name, value in (("model", params.model), ("api_base", params.api_base)):
        if value is not None and value.startswith(("os.environ/", "oidc/")):
            raise BundleError(f"{name} of {info.id} refers to the environment, which is not resolved")
    return Target(
        id=info.id,
        model=params.model,
        api_base=params.api_base,
        api_key=None if info.gw_secret is None else _secret(info.gw_secret, secrets),
        timeout=params.timeout,
        dial=dial(params.api_base),
    )


def _secret(entry: str, secrets: Mapping[str, bytes]) -> str:
    if entry not in secrets:
        raise BundleError(f"entry {entry} of the secret part is needed by a deployment and missing")
    try:
        value = secrets[entry].decode()
    except UnicodeDecodeError:
        raise BundleError(f"entry {entry} of the secret part is not text") from None
    if value.startswith(("os.environ/", "oidc/")):
        # LiteLLM would take it for a reference and send what it refers to.
        raise BundleError(f"entry {entry} of the secret part is no key")
    return value


def _config(data: bytes) -> LiteLLMConfig:
    try:
        # The C loader of PyYAML's safe subset.
        document: Any = yaml.load(data, Loader=_LOADER)  # noqa: S506
    except (yaml.YAMLError, UnicodeDecodeError):
        raise BundleError(f"{LITELLM_YAML} is not YAML") from None
    try:
        return LiteLLMConfig.model_validate({} if document is None else document)
    except ValidationError as error:
        raise BundleError(f"{LITELLM_YAML} cannot be read: {_first(error)}") from None


class _Gateway(Contract):
    """The part of ``gateway.json`` that this process needs."""

    egress: Egress = Egress()


def _egress(data: bytes) -> Egress:
    try:
        return _Gateway.model_validate_json(data).egress
    except ValidationError as error:
        raise BundleError(f"{GATEWAY_JSON} cannot be read: {_first(error)}") from None


def _first(error: ValidationError) -> str:
    details: list[Any] = error.errors(include_url=False, include_context=False, include_input=False)
    return f"{'.'.join(str(part) for part in details[0]['loc'])}: {details[0]['msg']}"
