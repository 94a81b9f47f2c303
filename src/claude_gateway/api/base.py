"""What all kinds share: the frozen camelCase base model, references, object metadata and field types."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import IPv6Address
from typing import Annotated, Any, ClassVar, Final, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue

from claude_gateway.api.rule import Rule, cel_string, matches

DNS_SUBDOMAIN: Final = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
DURATION: Final = r"^([0-9]{1,5}(ms|s|m|h)){1,3}$"
PROVIDER: Final = r"^[a-z0-9_-]+$"
NAMESPACE: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
MODEL_PATTERN: Final = r"^[A-Za-z0-9*][A-Za-z0-9*._:/@+\[\]-]*$"
MODEL_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._:/@+\[\]-]*$"
BASE_URL: Final = (
    r"^https?://([A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9_])?|\[[0-9A-Fa-f]*:[0-9A-Fa-f:.]+\])"
    r"(:[1-9][0-9]{0,4})?(/[-A-Za-z0-9._~/:+=]*)?$"
)
OWNER: Final = r"^[A-Za-z0-9]([-A-Za-z0-9._+@]*[A-Za-z0-9])?$"
LONGEST_DURATION: Final = "24h"

_DURATION_PART: Final = re.compile(r"([0-9]+)(ms|s|m|h)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_ACRONYMS: Final = {"url": "URL", "uri": "URI", "id": "ID"}


def seconds(duration: str) -> float:
    """Return a duration such as ``1m30s`` in seconds."""
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(duration))


def _is_address(url: str) -> bool:
    """Return whether a text that matches ``BASE_URL`` has a possible host and port."""
    try:
        host, bracket, after = urlsplit(url).netloc.rpartition("]")
        # CEL's isIP rejects IPv4-mapped IPv6 addresses, so they are rejected here too.
        exists = not bracket or IPv6Address(host.removeprefix("[")).ipv4_mapped is None
    except ValueError:
        return False
    return exists and int(after.rpartition(":")[2] if ":" in after else 1) <= 65535


FormatName = Literal["Messages", "CountTokens", "Chat", "Completions", "Responses", "Embeddings"]
ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
Namespace = Annotated[
    str,
    Field(min_length=1, max_length=63),
    matches(
        NAMESPACE,
        wrong="not a namespace",
        fix="write the name of a namespace, such as `team-a`; `from: All` is every namespace",
    ),
]
Owner = Annotated[
    str,
    Field(min_length=1, max_length=254),
    matches(
        OWNER,
        wrong="not the name of one person",
        fix="write one person's e-mail address or user name, such as `alice@example.com`",
    ),
]
ProviderName = Annotated[
    str,
    Field(min_length=2, max_length=64),
    matches(
        PROVIDER,
        wrong="not a provider name",
        fix="write the part of `provider/model` before the slash, such as `anthropic`, `openai` or `hosted_vllm`",
    ),
]
ModelPattern = Annotated[
    str,
    Field(min_length=1, max_length=253),
    matches(
        MODEL_PATTERN,
        wrong="not a model name",
        fix="use letters, digits and `._:/@+[]-`, and `*` for any run of characters, such as `claude-sonnet-*`",
    ),
]
ModelName = Annotated[
    str,
    Field(min_length=1, max_length=253),
    matches(
        MODEL_NAME,
        wrong="not a single model name",
        fix="write one name that clients send, without `*`, such as `claude-haiku-5-5`",
    ),
]
Duration = Annotated[
    str,
    Field(min_length=2, max_length=24),
    matches(
        DURATION,
        wrong="not a duration",
        fix="write whole numbers with `ms`, `s`, `m` or `h`, such as `90s` or `1h30m`",
    ),
    Rule(
        cel=f"!self.matches({cel_string(DURATION)}) || "
        f"(duration(self) > duration('0s') && duration(self) <= duration('{LONGEST_DURATION}'))",
        holds=lambda text: 0 < seconds(text) <= seconds(LONGEST_DURATION),
        wrong="the duration is out of range",
        fix=f"write a duration above zero and at most `{LONGEST_DURATION}`",
    ),
]


def is_duration(field: FieldInfo) -> bool:
    """Return whether a field is a ``Duration``."""
    return all(part in field.metadata for part in get_args(Duration)[2:])


BaseUrl = Annotated[
    str,
    Field(min_length=8, max_length=2048),
    matches(
        BASE_URL,
        wrong="not a base URL",
        fix="write `http://` or `https://`, a host, and optionally a port and a path, without user, query or fragment, "
        "such as `https://vllm.example:8000/v1`",
    ),
    Rule(
        # The estimated cost of `isIP(url(self).getHostname())` is above an API server's limit.
        cel=f"!self.matches({cel_string(BASE_URL)}) || (isURL(self) && "
        "(url(self).getPort() == '' || int(url(self).getPort()) <= 65535) && "
        "(!self.contains('[') || isIP(self.substring(self.indexOf('[') + 1, self.indexOf(']')))))",
        holds=_is_address,
        wrong="the base URL has an invalid host or port",
        fix="correct the address in brackets, or write a port from 1 to 65535",
    ),
]


def json_name(field: str) -> str:
    """Return a field's name as users write it: camelCase, acronyms in capitals (``base_url`` → ``baseURL``)."""
    first, *others = field.split("_")
    return first + "".join(_ACRONYMS.get(part, part.capitalize()) for part in others)


def _declare_rules(schema: JsonSchemaValue, model: "type[Spec]") -> None:
    for rule in model.rules:
        rule.declare(schema)


class Spec(BaseModel):
    """A frozen part of an object, written in camelCase; unknown fields are errors.

    In a live cluster the CRD may be newer than this code, so ``plan.world`` drops unknown fields before validation. A
    null field counts as absent, as it does for an API server. ``rules`` are the rules that involve several fields.
    """

    model_config = ConfigDict(
        frozen=True,
        alias_generator=json_name,
        extra="forbid",
        json_schema_extra=_declare_rules,
    )
    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: field for name, field in value.items() if field is not None}

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        for rule in self.rules:
            rule.check(self)
        return self


class SecretRef(Spec):
    """A Secret in the object's own namespace."""

    name: ObjectName = Field(
        description=(
            "Name of the Secret, in this object's namespace. The Secret must be labelled "
            '`claudegateway.io/credential: "true"`; unlabelled Secrets are never used.'
        )
    )


class SecretKeyRef(SecretRef):
    """One key of a Secret in the object's own namespace."""

    key: str = Field(
        default="key",
        min_length=1,
        max_length=253,
        pattern=r"^[-._a-zA-Z0-9]+$",
        description="Key inside the Secret. Default: `key`.",
    )


class GatewayRef(Spec):
    """One release of Claude Gateway."""

    name: ObjectName = Field(description="Full name of the release, such as `cg-claude-gateway`.")


GATEWAY_REF: Final = (
    "The release that uses this object, where several watch the namespace; the others ignore it. "
    "Default: every release that watches the namespace."
)


class Metadata(BaseModel):
    """The part of an object's metadata that decisions depend on."""

    model_config = ConfigDict(frozen=True, alias_generator=json_name, validate_by_name=True, extra="ignore")

    name: ObjectName
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    creation_timestamp: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    labels: dict[str, str] = {}
