"""The kinds of objects that users write: names, the columns of ``kubectl get``, and examples."""

from dataclasses import dataclass
from typing import Any, Final

from claude_gateway.api import examples
from claude_gateway.api.base import Spec
from claude_gateway.api.budget import BudgetSpec
from claude_gateway.api.claude_credential import ClaudeCredentialSpec
from claude_gateway.api.gateway_client import GatewayClientSpec
from claude_gateway.api.model_route import ModelRouteSpec
from claude_gateway.names import ConditionType, Kind


@dataclass(frozen=True, slots=True)
class Column:
    """A column of ``kubectl get``; ``wide`` columns appear only with ``-o wide``."""

    name: str
    path: str
    description: str
    type: str = "string"
    wide: bool = False


@dataclass(frozen=True, slots=True)
class ObjectKind:
    """One kind: its names, its spec, and example manifests from the simplest to the fullest."""

    kind: Kind
    plural: str
    short_name: str
    spec: type[Spec]
    description: str
    columns: tuple[Column, ...]
    examples: tuple[dict[str, Any], ...]


def _condition(kind: ConditionType, part: str) -> str:
    return f'.status.conditions[?(@.type=="{kind}")].{part}'


_STATUS: Final = (
    Column("Ready", _condition(ConditionType.READY, "status"), "Whether the whole object is live on every ready pod."),
    Column("Reason", _condition(ConditionType.READY, "reason"), "Why it is ready or not."),
    Column("Accepted", _condition(ConditionType.ACCEPTED, "status"), "Whether the spec is valid."),
    Column(
        "Refs",
        _condition(ConditionType.RESOLVED_REFS, "status"),
        "Whether everything that the spec refers to exists and can be used.",
    ),
    Column(
        "Programmed",
        _condition(ConditionType.PROGRAMMED, "status"),
        "Whether the object is live on every ready proxy pod.",
    ),
    Column("Message", _condition(ConditionType.READY, "message"), "Details of `Ready`.", wide=True),
    Column("Warnings", _condition(ConditionType.WARNINGS, "message"), "What works, but not as intended.", wide=True),
    Column("Observed", ".status.observedGeneration", "The generation that was looked at.", type="integer", wide=True),
)
_AGE: Final = Column("Age", ".metadata.creationTimestamp", "Time since the object was created.", type="date")


KINDS: Final = (
    ObjectKind(
        kind=Kind.MODEL_ROUTE,
        plural="modelroutes",
        short_name="mr",
        spec=ModelRouteSpec,
        description="Model names that clients send, and the targets that serve them.",
        columns=(
            Column("Models", ".spec.models", "Model names that clients send."),
            Column("First-Target", ".spec.targets[0].model", "The model of the first target."),
            *_STATUS,
            _AGE,
        ),
        examples=examples.ROUTES,
    ),
    ObjectKind(
        kind=Kind.CLAUDE_CREDENTIAL,
        plural="claudecredentials",
        short_name="ccred",
        spec=ClaudeCredentialSpec,
        description="A key or cloud identity that pays for requests, together with the one address it may be sent to.",
        columns=(
            Column(
                "For",
                ".spec['apiKey','bedrock','vertex','workloadIdentity','subscription']"
                "['provider','region','project','federationRuleID','owner']",
                "Provider of the API key, region at Bedrock, project at Vertex AI, federation rule at Anthropic, or "
                "owner of the subscription.",
            ),
            Column(
                "Secret",
                ".spec.*.secretRef.name",
                "Secret that it uses; empty: the identity of the pods, or a login.",
            ),
            Column("Login", ".spec.subscription.secretName", "Secret that holds the login.", wide=True),
            Column("Location", ".spec.vertex.location", "Location at Vertex AI.", wide=True),
            Column("Base-URL", ".spec.*.baseURL", "The address it is sent to, if not the provider's own.", wide=True),
            *_STATUS,
            _AGE,
        ),
        examples=examples.CREDENTIALS,
    ),
    ObjectKind(
        kind=Kind.GATEWAY_CLIENT,
        plural="gatewayclients",
        short_name="gwc",
        spec=GatewayClientSpec,
        description="A client that may call the gateway, and the model names that it may use.",
        columns=(
            Column("Models", ".spec.models", "Names that it may use; empty: all."),
            *_STATUS,
            Column("Last-Used", ".status.lastUsed", "When it last called.", type="date", wide=True),
            _AGE,
        ),
        examples=examples.CLIENTS,
    ),
    ObjectKind(
        kind=Kind.BUDGET,
        plural="budgets",
        short_name="bud",
        spec=BudgetSpec,
        description="How much money may be spent in a period, by whom, and what happens then.",
        columns=(
            Column("Amount", ".spec.amount", "The most that may be spent in one period, in US dollars."),
            Column("Period", ".spec.period", "How long the amount lasts; empty: a month."),
            Column("Spent", ".status.budget.spent", "What was spent in this period, in US dollars."),
            Column("Used", ".status.budget.usedPercent", "How much of the amount that is, in percent.", type="integer"),
            Column("Resets", ".status.budget.resetsAt", "When the next period begins."),
            Column("Parent", ".spec.parent", "The Budget that pays, too.", wide=True),
            *_STATUS,
            _AGE,
        ),
        examples=examples.BUDGETS,
    ),
)
"""In the order of the documentation: routes first."""
