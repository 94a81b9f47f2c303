"""The credentials that somebody can sign in to: which person, by which method, into which Secret."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel

from claude_gateway.contract.login import CREDENTIALS_KEY, TOKEN_KEY


class Method(StrEnum):
    """How a login is made."""

    LOGIN = "Login"
    """``claude auth login``: a token that is refreshed, with the subscription's profile."""
    SETUP_TOKEN = "SetupToken"  # noqa: S105 - a method, not a secret
    """``claude setup-token``: a token for inference alone that is valid for a year and is never refreshed."""

    @property
    def key(self) -> str:
        """The entry of the Secret that holds such a login."""
        return CREDENTIALS_KEY if self is Method.LOGIN else TOKEN_KEY


class Credential(BaseModel):
    """A ClaudeCredential with a subscription, as far as signing in needs it."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)

    namespace: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
    owner: Annotated[str, Field(max_length=256)]
    method: Method
    secret_name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]

    @property
    def ref(self) -> "Ref":
        """The credential's name in its namespace."""
        return Ref(self.namespace, self.name)


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """Namespace and name of a credential."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


LIST = TypeAdapter(tuple[Credential, ...])
"""Reads and writes the list of credentials that ``serve`` keeps in a file."""
