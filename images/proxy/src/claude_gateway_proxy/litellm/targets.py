"""The targets of one revision as LiteLLM's parameters, built from ``litellm.yaml`` and the secret part."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from pydantic import ValidationError

from claude_gateway.contract.bundle import Bundle, BundleError
from claude_gateway.contract.litellm import Deployment, LiteLLMConfig, LiteLLMParams
from claude_gateway.contract.policy import Contract, Egress
from claude_gateway.names import GATEWAY_JSON, LITELLM_YAML
from claude_gateway_proxy.litellm.guard import Dial, dial
from claude_gateway_proxy.litellm.identity import keys_of

_ANY: Final = "*"
_REFERENCES: Final = ("os.environ/", "oidc/")
_MODEL: Final = re.compile(r"[A-Za-z0-9@_][A-Za-z0-9@_:.+-]*(/[A-Za-z0-9@_][A-Za-z0-9@_:.+-]*)*", re.ASCII)
_CLOUD_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9@_:.-]*", re.ASCII)
_ARN: Final = r"arn:aws[a-z-]*:bedrock:{region}:[0-9]{{0,12}}:[a-z-]+/[A-Za-z0-9][A-Za-z0-9._:-]*"
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ModelRefused(ValueError):  # noqa: N818 - a verdict on a name
    """A model name sent by a client that must not become part of a request to a provider."""


@dataclass(frozen=True, slots=True)
class Target:
    """One target. ``model`` is LiteLLM's ``provider/model``; ``api_key`` is the value, never a reference.

    ``timeout`` is in seconds. ``dial`` is where its requests are meant to go (None: the provider's own address).
    ``cloud`` are the parameters of a target in a cloud, what is secret among them; where they lack an identity, it is
    the pod's own.
    """

    id: str
    model: str
    api_base: str | None
    api_key: str | None = field(repr=False)
    timeout: float | None
    dial: Dial | None
    cloud: Mapping[str, Any] | None = field(default=None, repr=False)

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
        if self.cloud is not None:
            # LiteLLM takes regions, endpoints and other services of a cloud out of what is before a slash.
            region = re.escape(str(self.cloud.get("aws_region_name")))
            if _CLOUD_MODEL.fullmatch(model) is None and re.fullmatch(_ARN.format(region=region), model) is None:
                raise ModelRefused("model: this route takes ids of models of its own cloud and region only")
        elif _MODEL.fullmatch(model) is None:
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
    endpoint = params.api_base or params.aws_bedrock_runtime_endpoint
    plain = (params.model, endpoint, params.aws_region_name, params.vertex_project, params.vertex_location)
    if any(value.startswith(_REFERENCES) for value in plain if value is not None):
        raise BundleError(f"a parameter of {info.id} refers to the environment, which is not resolved")
    secret = None if info.gw_secret is None else _secret(info.gw_secret, secrets)
    place = _place(params)
    key, identity = _identity(info.gw_secret or "", secret, params) if place else (secret, {})
    return Target(
        id=info.id,
        model=params.model,
        api_base=params.api_base,
        api_key=key,
        timeout=params.timeout,
        dial=dial(endpoint),
        cloud={**place, **identity} or None,
    )


def _place(params: LiteLLMParams) -> dict[str, Any]:
    """Where in a cloud a target is; empty for all others."""
    names = ("aws_region_name", "aws_bedrock_runtime_endpoint", "vertex_project", "vertex_location")
    return {name: value for name in names if (value := getattr(params, name)) is not None}


def _identity(entry: str, secret: str | None, params: LiteLLMParams) -> tuple[str | None, dict[str, Any]]:
    """What a target in a cloud spends: a bearer token, or the parameters of an identity; neither: the pod's own."""
    if secret is None:
        return None, {}
    fields = _texts(secret)
    if fields and params.aws_region_name is None:
        return None, {"vertex_credentials": fields}
    if "bearerToken" in fields:
        return fields["bearerToken"], {}
    if "accessKeyId" in fields and "secretAccessKey" in fields:
        return None, keys_of(fields["accessKeyId"], fields["secretAccessKey"], fields.get("sessionToken"))
    raise BundleError(f"entry {entry} of the secret part is no identity in a cloud")


def _texts(secret: str) -> dict[str, str]:
    """The fields of an identity; empty where one is no text, or one that LiteLLM might take for a reference."""
    try:
        fields = json.loads(secret)
    except ValueError:
        return {}
    plain = isinstance(fields, dict) and all(
        isinstance(value, str) and not value.startswith(_REFERENCES) for value in fields.values()
    )
    return fields if plain else {}


def _secret(entry: str, secrets: Mapping[str, bytes]) -> str:
    if entry not in secrets:
        raise BundleError(f"entry {entry} of the secret part is needed by a deployment and missing")
    try:
        value = secrets[entry].decode()
    except UnicodeDecodeError:
        raise BundleError(f"entry {entry} of the secret part is not text") from None
    if value.startswith(_REFERENCES):
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
