"""ClaudeCredential: a key or cloud identity, and the one address it may be sent to."""

from typing import Annotated, Final, Literal

from pydantic import Field

from claude_gateway.api.base import (
    GATEWAY_REF,
    BaseUrl,
    GatewayRef,
    ObjectName,
    Owner,
    ProviderName,
    SecretKeyRef,
    SecretRef,
    Spec,
)
from claude_gateway.api.rule import Items, Rule, matches

AWS_REGION: Final = r"^[a-z]{2,4}(-[a-z]{2,12}){1,3}-[0-9]{1,2}$"
GOOGLE_PROJECT: Final = r"^([a-z0-9][-a-z0-9.]{0,61}[a-z0-9]:)?[a-z0-9][-a-z0-9]{1,61}[a-z0-9]$"
GOOGLE_LOCATION: Final = r"^[a-z]{2,16}(-[a-z]{2,16}[0-9]{1,2})?$"
ORGANIZATION: Final = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
FEDERATION_RULE: Final = r"^fdrl_[A-Za-z0-9]{1,64}$"
SERVICE_ACCOUNT: Final = r"^svac_[A-Za-z0-9]{1,64}$"
WORKSPACE: Final = r"^(default|wrkspc_[A-Za-z0-9]{1,64})$"

# Each becomes part of a host name or path, so only the characters of real values are allowed.
AwsRegion = Annotated[
    str,
    Field(min_length=6, max_length=32),
    matches(AWS_REGION, wrong="not an AWS region", fix="write it as AWS does, such as `us-east-1` or `eu-central-1`"),
]
GoogleProject = Annotated[
    str,
    Field(min_length=3, max_length=128),
    matches(
        GOOGLE_PROJECT,
        wrong="not a Google Cloud project ID",
        fix="write the project's ID or number, such as `my-project-123`, not its display name",
    ),
]
GoogleLocation = Annotated[
    str,
    Field(min_length=2, max_length=36),
    matches(
        GOOGLE_LOCATION,
        wrong="not a Vertex AI location",
        fix="write it as Google does, such as `global`, `eu` or `us-east5`",
    ),
]

Organization = Annotated[
    str,
    Field(min_length=36, max_length=36),
    matches(
        ORGANIZATION,
        wrong="not the ID of an Anthropic organization",
        fix="copy the UUID from the organization's settings in the Claude Console",
    ),
]
FederationRule = Annotated[
    str,
    Field(min_length=6, max_length=69),
    matches(
        FEDERATION_RULE,
        wrong="not the ID of a federation rule",
        fix="copy the ID that begins with `fdrl_` from the Claude Console",
    ),
]
ServiceAccount = Annotated[
    str,
    Field(min_length=6, max_length=69),
    matches(
        SERVICE_ACCOUNT,
        wrong="not the ID of a service account at Anthropic",
        fix="copy the ID that begins with `svac_` from the Claude Console, not the name of a Kubernetes ServiceAccount",
    ),
]
Workspace = Annotated[
    str,
    Field(min_length=7, max_length=71),
    matches(
        WORKSPACE,
        wrong="not a workspace",
        fix="copy the ID that begins with `wrkspc_` from the Claude Console, or write `default`",
    ),
]


RoleArn = Annotated[
    str,
    Field(min_length=32, max_length=600),
    matches(
        r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$",
        wrong="not the ARN of a role",
        fix="write it as AWS does, such as `arn:aws:iam::123456789012:role/claude`",
    ),
]
ExternalId = Annotated[
    str,
    Field(min_length=2, max_length=1224),
    matches(
        r"^[A-Za-z0-9_+=,.@:/-]+$",
        wrong="not an external ID",
        fix="use letters, digits and `_+=,.@:/-` only",
    ),
]
Callers = Annotated[tuple[Literal["Client", "Team", "User"], ...], Items("part", most=3, unique=True)]
"""What a cloud learns about the caller of a request."""


class ApiKey(Spec):
    """A provider's API key, tied to the one address it may go to."""

    provider: ProviderName = Field(
        description=(
            "Provider that the key is for, as in a target's `provider/model`: `anthropic`, `openai`, `gemini`, ... "
            "Only targets of this provider may use it."
        ),
    )
    secret_ref: SecretKeyRef = Field(description="Where the key is stored.")
    base_url: BaseUrl | None = Field(
        default=None,
        description=(
            "The only address that the key is sent to. Default: the provider's own. Required for providers without a "
            "fixed address, such as `hosted_vllm` and `azure`."
        ),
    )


class AssumeRole(Spec):
    """A role at AWS that is assumed for each caller, so that AWS's own bill tells them apart."""

    arn: RoleArn = Field(description="The role: `arn:aws:iam::123456789012:role/claude`.")
    external_id: ExternalId | None = Field(
        default=None, description="The external ID that the role's trust policy asks for. Default: none."
    )
    session_tags: Callers | None = Field(
        default=None,
        description=(
            "What AWS learns about each caller, as tags `client`, `team` and `user` of a session of their own. The "
            "role's trust policy must allow `sts:TagSession`. Default: nothing."
        ),
    )


class Bedrock(Spec):
    """An identity at Amazon Bedrock, for targets `bedrock/...`, tied to one region."""

    region: AwsRegion = Field(description="AWS region that requests go to, such as `us-east-1`.")
    secret_ref: SecretRef | None = Field(
        default=None,
        description=(
            "Secret with `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary keys, `AWS_SESSION_TOKEN`, "
            "or with `AWS_BEARER_TOKEN_BEDROCK` (a Bedrock API key), which takes precedence. Default: the identity of "
            "the proxy pods (EKS Pod Identity, IRSA, the node), or on a laptop that of the AWS CLI."
        ),
    )
    base_url: BaseUrl | None = Field(
        default=None,
        description=(
            "The only address that requests go to, such as a VPC endpoint: `https://vpce-....amazonaws.com`. Default: "
            "the region's own address."
        ),
    )
    attribution: Callers | None = Field(
        default=None,
        description=(
            "What AWS learns about each caller of a Claude model, as request metadata in its model invocation logs. "
            "Default: nothing."
        ),
    )
    assume_role: AssumeRole | None = Field(
        default=None,
        description="A role that the identity assumes to call models. Not with a Bedrock API key. Default: none.",
    )


class Vertex(Spec):
    """An identity at Google Vertex AI, for targets `vertex_ai/...`, tied to one project and location."""

    project: GoogleProject = Field(description="ID or number of the Google Cloud project that is billed.")
    location: GoogleLocation = Field(description="Location that requests go to: `global`, `us-east5`, ...")
    secret_ref: SecretKeyRef | None = Field(
        default=None,
        description=(
            "Where the JSON key file of a Google service account is stored. Default: the identity of the proxy pods "
            "(Workload Identity, the node), or on a laptop the application default credentials."
        ),
    )
    base_url: BaseUrl | None = Field(
        default=None,
        description=(
            "The only address that requests go to, such as a Private Service Connect endpoint, without `/v1`. "
            "Default: the location's own address."
        ),
    )
    attribution: Callers | None = Field(
        default=None,
        description=(
            "What Google learns about each caller of a Claude model, as labels on the bill. Default: nothing."
        ),
    )


class WorkloadIdentity(Spec):
    """The identity of the proxy pods at Anthropic: workload identity federation, for targets `anthropic/...`.

    The pods exchange the token of their ServiceAccount for a short-lived one of Anthropic; no key is stored.
    """

    organization_id: Organization = Field(description="UUID of the Anthropic organization that is billed.")
    federation_rule_id: FederationRule = Field(
        description="ID of the federation rule that admits the proxy pods' ServiceAccount, such as `fdrl_...`."
    )
    service_account_id: ServiceAccount = Field(
        description="ID of the service account at Anthropic that the pods act as, such as `svac_...`."
    )
    workspace_id: Workspace | None = Field(
        default=None,
        description=(
            "ID of the workspace that requests belong to, such as `wrkspc_...`, or `default` for the organization's "
            "default workspace. Required if the rule is enabled for several. Default: the rule's only workspace."
        ),
    )
    base_url: BaseUrl | None = Field(
        default=None,
        description=(
            "The only address that the tokens are exchanged at and sent to. Default: Anthropic's own. Another one must "
            "use `https`, unless it is in the cluster's network."
        ),
    )


class Caller(Spec):
    """One program outside of the gateway that may ask the Claude Code backend directly."""

    name: ObjectName = Field(description="Name of the program, as the backend's log and metrics show it.")
    secret_name: ObjectName = Field(
        description=(
            "Secret in this namespace for the program's key, under `key`. The operator writes it once, where the "
            "installation lists the Secret; a Secret with a key of at least 32 characters may also exist already."
        )
    )


class Subscription(Spec):
    """One person's own Claude subscription, for targets `claude-code/...`: Claude Code answers, signed in as them."""

    owner: Owner = Field(
        description=(
            "The one person whose subscription it is, such as `alice@example.com`. Only GatewayClients with the same "
            "`owner` may use it."
        )
    )
    method: Literal["SetupToken", "Login"] = Field(
        description=(
            "`SetupToken`: a token of `claude setup-token`, valid for about a year, under the Secret's key `token`. "
            "`Login`: a login that is refreshed, under `.credentials.json`, written by the sign-in service alone."
        )
    )
    secret_name: ObjectName = Field(
        description=(
            'Secret in this namespace that holds the login, labelled `claudegateway.io/credential: "true"`. The '
            "sign-in service creates it. No other credential may use it."
        )
    )
    caller: Caller | None = Field(
        default=None, description="One program of the owner that may call the backend directly. Default: none."
    )

    @property
    def secret(self) -> SecretRef:
        """The Secret that holds the login."""
        return SecretRef(name=self.secret_name)


CredentialKind = ApiKey | Bedrock | Vertex | WorkloadIdentity | Subscription


class ClaudeCredentialSpec(Spec):
    """A key or cloud identity, together with the one address it may be sent to."""

    rules = (
        Rule(
            cel="[has(self.apiKey), has(self.bedrock), has(self.vertex), has(self.workloadIdentity), "
            "has(self.subscription)].exists_one(given, given)",
            holds=lambda self: len(self.kinds) == 1,
            wrong="a credential needs exactly one kind",
            fix="set exactly one of `apiKey`, `bedrock`, `vertex`, `workloadIdentity` and `subscription`",
        ),
    )

    api_key: ApiKey | None = Field(default=None, description="A provider's API key.")
    bedrock: Bedrock | None = Field(default=None, description="An identity at Amazon Bedrock.")
    vertex: Vertex | None = Field(default=None, description="An identity at Google Vertex AI.")
    workload_identity: WorkloadIdentity | None = Field(
        default=None, description="The proxy pods' own identity at Anthropic, without any key."
    )
    subscription: Subscription | None = Field(default=None, description="One person's own Claude subscription.")
    suspend: bool | None = Field(
        default=None,
        strict=True,
        description=(
            "Whether the credential is out of use: targets that name it are left out, and requests go to the other "
            "targets of their route. Answers that have begun go on to their end. Default: false."
        ),
    )
    gateway_ref: GatewayRef | None = Field(default=None, description=GATEWAY_REF)

    @property
    def kinds(self) -> tuple[CredentialKind, ...]:
        """The variants that are set: one, in a valid credential."""
        variants = (self.api_key, self.bedrock, self.vertex, self.workload_identity, self.subscription)
        return tuple(variant for variant in variants if variant is not None)

    @property
    def kind(self) -> CredentialKind:
        """The one variant that is set."""
        return self.kinds[0]

    @property
    def secret_names(self) -> tuple[str, ...]:
        """Names of the Secrets that it uses; empty for the identity of the pods."""
        kind = self.kind
        if isinstance(kind, Subscription):
            return (kind.secret_name, *(() if kind.caller is None else (kind.caller.secret_name,)))
        return () if isinstance(kind, WorkloadIdentity) or kind.secret_ref is None else (kind.secret_ref.name,)
