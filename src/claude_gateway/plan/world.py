"""The World: everything that a decision rests on, as frozen values."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from claude_gateway.api.base import Metadata, Spec
from claude_gateway.api.claude_credential import ClaudeCredentialSpec
from claude_gateway.api.gateway_client import GatewayClientSpec
from claude_gateway.api.model_route import ModelRouteSpec
from claude_gateway.contract.policy import Egress
from claude_gateway.plan.problem import ObjectRef, Problem

SpecT = TypeVar("SpecT", bound=Spec)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the installation allows and how it reads.

    ``egress`` are addresses that route authors could not allow themselves. ``strict`` is for files: fields and kinds
    that nobody knows are Problems; otherwise (a live cluster, whose CRDs may be newer) they are ignored.
    """

    egress: Egress = Egress()
    strict: bool = True


@dataclass(frozen=True, slots=True)
class World:
    """What users wrote, parsed; ``problems`` are those of reading."""

    settings: Settings = Settings()
    problems: tuple[Problem, ...] = ()


def read(manifests: Iterable[object], settings: Settings) -> World:
    """Parse plain manifests, from files or from an API server, into a World; never raises."""
    return World(settings=settings)
