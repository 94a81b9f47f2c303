"""GatewayClient: who may call, and what they may name."""

from typing import Annotated

from pydantic import Field

from claude_gateway.api.base import GATEWAY_REF, GatewayRef, ModelPattern, SecretKeyRef, Spec
from claude_gateway.api.rule import Items


class ClientKey(Spec):
    """A key that identifies the client."""

    secret_ref: SecretKeyRef = Field(
        description="Where the key is. `claude-gateway key new` makes one; at least 16 characters."
    )


class GatewayClientSpec(Spec):
    """Who may call, and what they may name."""

    keys: Annotated[tuple[ClientKey, ...], Items("key", most=16)] = Field(
        description="Keys that the client may use. Two at once let one be rotated with no gap."
    )
    models: Annotated[tuple[ModelPattern, ...], Items("model", most=64, unique=True)] = Field(
        default=("*",),
        description="Model names that the client may use; `*` matches any run of characters. Default: `*`, all.",
    )
    gateway_ref: GatewayRef | None = Field(default=None, description=GATEWAY_REF)
