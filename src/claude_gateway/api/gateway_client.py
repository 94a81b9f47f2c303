"""GatewayClient: who may call the gateway, and which model names they may use."""

from typing import Annotated

from pydantic import Field

from claude_gateway.api.base import GATEWAY_REF, GatewayRef, ModelPattern, Owner, SecretKeyRef, Spec
from claude_gateway.api.rule import Items


class ClientKey(Spec):
    """A key that identifies the client."""

    secret_ref: SecretKeyRef = Field(
        description="Where the key is stored. At least 16 characters; `claude-gateway key new` makes one."
    )


class GatewayClientSpec(Spec):
    """Who may call the gateway, and which model names they may use."""

    keys: Annotated[tuple[ClientKey, ...], Items("key", most=16)] = Field(
        description="Keys that identify the client. Two at the same time allow rotation without downtime."
    )
    models: Annotated[tuple[ModelPattern, ...], Items("model", most=64, unique=True)] = Field(
        default=("*",),
        description="Model names that the client may use; `*` matches any run of characters. Default: `*`, all models.",
    )
    owner: Owner | None = Field(
        default=None,
        description=(
            "The one person who uses the client, such as `alice@example.com`. Needed only for that person's own "
            "`subscription`: nobody else's clients may use it. Default: none."
        ),
    )
    gateway_ref: GatewayRef | None = Field(default=None, description=GATEWAY_REF)
