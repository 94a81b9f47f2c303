"""The targets of one revision as LiteLLM's parameters, built from ``gateway.json`` and the secret part."""

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from claude_gateway.contract.bundle import REFERENCES, Bundle, BundleError
from claude_gateway.contract.policy import Egress
from claude_gateway.contract.target import CLAUDE_WIRES, Translation
from claude_gateway.contract.target import Target as PolicyTarget
from claude_gateway.names import GATEWAY_JSON
from claude_gateway_proxy import policy_document
from claude_gateway_proxy.litellm.guard import Dial, dial
from claude_gateway_proxy.litellm.identity import keys_of

_ANY: Final = "*"
_MODEL: Final = re.compile(r"[A-Za-z0-9@_][A-Za-z0-9@_:.+-]*(/[A-Za-z0-9@_][A-Za-z0-9@_:.+-]*)*", re.ASCII)
_CLOUD_MODEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9@_:.-]*", re.ASCII)
_ARN: Final = r"arn:aws[a-z-]*:bedrock:{region}:[0-9]{{0,12}}:[a-z-]+/[A-Za-z0-9][A-Za-z0-9._:-]*"


class ModelRefused(ValueError):  # noqa: N818 - a verdict on a name
    """A client's model name must not become part of a request to a provider."""


@dataclass(frozen=True, slots=True)
class Target:
    """One target. ``model`` is LiteLLM's ``provider/model``; ``api_key`` is the value, never a reference.

    ``timeout`` is in seconds. ``dial`` is where its requests are meant to go (None: the provider's own address).
    ``cloud`` are the parameters of a target in a cloud, what is secret among them; where they lack an identity, it is
    the pod's own. ``federated``: each request brings the access token to use; ``assumed``: the keys of a role.
    ``translation`` says what its provider requires. ``login`` is the login that answers, for targets at the Claude
    Code backend.
    """

    id: str
    model: str
    api_base: str | None
    api_key: str | None = field(repr=False)
    timeout: float | None
    dial: Dial | None
    cloud: Mapping[str, Any] | None = field(default=None, repr=False)
    federated: bool = False
    assumed: bool = False
    translation: Translation = field(default_factory=Translation)
    login: str | None = field(default=None, repr=False)

    def spending(self, token: str | None) -> "Target":
        """Return the target with the access token, or the keys of a role, that a request brought, where it needs them.

        Raises ValueError where the keys are missing.
        """
        if self.assumed:
            return dataclasses.replace(self, cloud={**(self.cloud or {}), **keys_of(*json.loads(token or ""))})
        return dataclasses.replace(self, api_key=token) if self.federated else self

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
    """Build the table of a bundle, in a thread of its own.

    Raises BundleError with the part and the reason, never a secret value.
    """
    document, routes = policy_document.read(bundle.gateway)
    targets: dict[str, Target] = {}
    preload = False
    for route, _ in routes:
        for target in route.all_targets:
            if target.id in targets:
                raise BundleError(f"{GATEWAY_JSON} has two targets with the id {target.id}")
            targets[target.id] = _target(target, bundle.secrets, timeout=route.timeouts.total)
            preload = preload or target.wire not in CLAUDE_WIRES
    return Table(revision=bundle.meta.revision, targets=targets, egress=document.egress, preload=preload)


def _target(target: PolicyTarget, secrets: Mapping[str, bytes], *, timeout: float) -> Target:
    address = target.base_url or target.translation.base_url
    model = f"{target.translation.provider or target.provider}/{target.model}"
    place = _place(target, address)
    if any(value.startswith(REFERENCES) for value in (model, address or "", *place.values())):
        raise BundleError(f"a parameter of {target.id} refers to the environment, which is not resolved")
    assumed = target.aws is not None and target.aws.role is not None
    secret = None if target.secret is None or assumed else _secret(target.secret, secrets)
    key, identity = _identity(target, secret) if place else (secret, {})
    return Target(
        id=target.id,
        model=model,
        api_base=None if target.aws is not None else address,
        api_key=key,
        timeout=timeout,
        dial=dial(address),
        cloud={**place, **identity} or None,
        federated=target.federation is not None,
        assumed=assumed,
        translation=target.translation,
        login=None if target.login is None else _secret(target.login, secrets),
    )


def _place(target: PolicyTarget, address: str | None) -> dict[str, str]:
    """Where in a cloud a target is; empty for all others."""
    if target.aws is not None:
        endpoint = {} if address is None else {"aws_bedrock_runtime_endpoint": address}
        return {"aws_region_name": target.aws.region, **endpoint}
    if target.google is not None:
        return {"vertex_project": target.google.project, "vertex_location": target.google.location}
    return {}


def _identity(target: PolicyTarget, secret: str | None) -> tuple[str | None, dict[str, Any]]:
    """What a target in a cloud spends: a bearer token, or the parameters of an identity; neither: the pod's own."""
    if secret is None:
        return None, {}
    fields = _texts(secret)
    if fields and target.google is not None:
        return None, {"vertex_credentials": fields}
    if "bearerToken" in fields:
        return fields["bearerToken"], {}
    if "accessKeyId" in fields and "secretAccessKey" in fields:
        return None, keys_of(fields["accessKeyId"], fields["secretAccessKey"], fields.get("sessionToken"))
    raise BundleError(f"entry {target.secret} of the secret part is not an identity in a cloud")


def _texts(secret: str) -> dict[str, str]:
    """Return the fields of an identity; empty if one is not text, or one that LiteLLM might take for a reference."""
    try:
        fields = json.loads(secret)
    except ValueError:
        return {}
    plain = isinstance(fields, dict) and all(
        isinstance(value, str) and not value.startswith(REFERENCES) for value in fields.values()
    )
    return fields if plain else {}


def _secret(entry: str, secrets: Mapping[str, bytes]) -> str:
    if entry not in secrets:
        raise BundleError(f"entry {entry} of the secret part is needed by a target and missing")
    try:
        value = secrets[entry].decode()
    except UnicodeDecodeError:
        raise BundleError(f"entry {entry} of the secret part is not text") from None
    if value.startswith(REFERENCES):
        # LiteLLM would take it for a reference and send what it refers to.
        raise BundleError(f"entry {entry} of the secret part is not a key")
    return value
