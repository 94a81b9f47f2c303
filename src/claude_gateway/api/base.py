"""What the objects have in common: the frozen camelCase model, references, object metadata, durations."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

DNS_SUBDOMAIN: Final = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
DURATION: Final = r"^([0-9]{1,5}(ms|s|m|h)){1,3}$"
_DURATION_PART: Final = re.compile(r"([0-9]+)(ms|s|m|h)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
ModelPattern = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9*][A-Za-z0-9*._:/@+\[\]-]*$")]
Duration = Annotated[str, Field(min_length=2, max_length=24, pattern=DURATION)]


class Spec(BaseModel):
    """A frozen part of an object in camelCase; fields that it does not know are errors.

    A reader of a live cluster, where the CRD may be newer, drops them before (``plan.world``).
    """

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="forbid"
    )


class SecretKeyRef(Spec):
    """One key of a Secret in the object's own namespace."""

    name: ObjectName = Field(
        description=(
            "Name of the Secret, in this object's namespace. Its owner must have labelled it "
            '`claudegateway.io/credential: "true"`; no other Secret is ever used.'
        )
    )
    key: str = Field(
        default="key",
        min_length=1,
        max_length=253,
        pattern=r"^[-._a-zA-Z0-9]+$",
        description="Key inside the Secret. Default: `key`.",
    )


class Metadata(BaseModel):
    """The part of an object's metadata that decisions rest on."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, validate_by_name=True, extra="ignore")

    name: ObjectName
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    creation_timestamp: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    labels: dict[str, str] = {}


def seconds(duration: str) -> float:
    """Give a duration such as ``1m30s`` in seconds."""
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(duration))
