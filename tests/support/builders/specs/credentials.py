"""Specs of ClaudeCredentials: valid ones, and invalid ones with the field and the message."""

from typing import Any, Final

from tests.support.builders.specs.case import NOT_URL, SECRET, Case, Spec

from claude_gateway.names import Kind

_CREDENTIAL: Final = Kind.CLAUDE_CREDENTIAL


def credential(**api_key: Any) -> Spec:
    """A ClaudeCredential's spec, with these changes."""
    return {"apiKey": {"provider": "openai", "secretRef": SECRET, **api_key}}


def bedrock(**fields: Any) -> Spec:
    """A ClaudeCredential's spec for Bedrock, with these changes."""
    return {"bedrock": {"region": "us-east-1", **fields}}


def vertex(**fields: Any) -> Spec:
    """A ClaudeCredential's spec for Vertex AI, with these changes."""
    return {"vertex": {"project": "my-project", "location": "us-east5", **fields}}


def federated(**fields: Any) -> Spec:
    """A ClaudeCredential's spec for the pods' identity at Anthropic, with these changes."""
    given = {
        "organizationID": "01234567-89ab-4def-8123-456789abcdef",
        "federationRuleID": "fdrl_01AbC",
        "serviceAccountID": "svac_01AbC",
        **fields,
    }
    return {"workloadIdentity": {name: value for name, value in given.items() if value is not None}}


def subscription(**fields: Any) -> Spec:
    """A ClaudeCredential's spec for one person's subscription, with these changes."""
    written = {"owner": "alice@example.com", "method": "Login", "secretName": "alice-login"}
    return {"subscription": {**written, **fields}}


_NOT_REGION = "not an AWS region"


VALID: Final = (
    Case("one person's subscription", _CREDENTIAL, subscription()),
    Case(
        "a token and one program",
        _CREDENTIAL,
        subscription(method="SetupToken", caller={"name": "notebook", "secretName": "notebook"}),
    ),
    Case("a suspended credential", _CREDENTIAL, {**credential(), "suspend": True}),
    Case("Bedrock with the pods' identity", _CREDENTIAL, bedrock()),
    Case("Bedrock with a Secret", _CREDENTIAL, bedrock(secretRef={"name": "aws"}, baseURL="https://vpce.example")),
    Case("a region of the US government", _CREDENTIAL, bedrock(region="us-gov-west-1")),
    Case("a region of the European cloud", _CREDENTIAL, bedrock(region="eusc-de-east-1")),
    Case("Bedrock that names callers", _CREDENTIAL, bedrock(attribution=["Client", "Team", "User"])),
    Case("a role at AWS", _CREDENTIAL, bedrock(assumeRole={"arn": "arn:aws:iam::123456789012:role/claude"})),
    Case(
        "a role at AWS for each caller",
        _CREDENTIAL,
        bedrock(
            assumeRole={
                "arn": "arn:aws-us-gov:iam::123456789012:role/team/claude@1",
                "externalID": "a:b/c",
                "sessionTags": ["Client", "User"],
            }
        ),
    ),
    Case("Vertex AI that names clients", _CREDENTIAL, vertex(attribution=["Client"])),
    Case("Vertex AI with the pods' identity", _CREDENTIAL, vertex()),
    Case("Vertex AI with a Secret", _CREDENTIAL, vertex(secretRef={"name": "g", "key": "key.json"}, location="global")),
    Case("a project by its number", _CREDENTIAL, vertex(project="123456789012", location="eu")),
    Case("the pods' identity at Anthropic", _CREDENTIAL, federated()),
    Case("an identity of one workspace", _CREDENTIAL, federated(workspaceID="wrkspc_01", baseURL="https://a.example")),
    Case("an identity of the default workspace", _CREDENTIAL, federated(workspaceID="default")),
    Case("a project of a domain", _CREDENTIAL, vertex(project="example.com:my-project", location="me-central2")),
    Case("an API key", _CREDENTIAL, credential()),
    Case("an API key for an address", _CREDENTIAL, credential(provider="azure", baseURL="https://x.openai.azure.com")),
    Case("a key inside the Secret", _CREDENTIAL, credential(secretRef={"name": "a.b", "key": "API_KEY.txt"})),
    Case("a credential for one release", _CREDENTIAL, {**credential(), "gatewayRef": {"name": "cg"}}),
)

INVALID: Final = (
    Case(
        "nothing to spend",
        _CREDENTIAL,
        {},
        "",
        "set exactly one of `apiKey`, `bedrock`, `vertex`, `workloadIdentity` and `subscription`",
    ),
    Case(
        "two kinds at once",
        _CREDENTIAL,
        {**credential(), **bedrock()},
        "",
        "set exactly one of `apiKey`, `bedrock`, `vertex`, `workloadIdentity` and `subscription`",
    ),
    Case("no organization", _CREDENTIAL, federated(organizationID=None), "workloadIdentity.organizationID"),
    Case("no federation rule", _CREDENTIAL, federated(federationRuleID=None), "workloadIdentity.federationRuleID"),
    Case("no service account", _CREDENTIAL, federated(serviceAccountID=None), "workloadIdentity.serviceAccountID"),
    Case(
        "an organization by its name",
        _CREDENTIAL,
        federated(organizationID="the-name-of-an-organization-of-ours!"),
        "workloadIdentity.organizationID",
        "not the ID of an Anthropic organization",
    ),
    Case(
        "a rule by its name",
        _CREDENTIAL,
        federated(federationRuleID="my-rule"),
        "workloadIdentity.federationRuleID",
        "not the ID of a federation rule",
    ),
    Case(
        "a ServiceAccount of Kubernetes",
        _CREDENTIAL,
        federated(serviceAccountID="system:serviceaccount:ai:x"),
        "workloadIdentity.serviceAccountID",
        "not the ID of a service account at Anthropic",
    ),
    Case(
        "a workspace by its name",
        _CREDENTIAL,
        federated(workspaceID="production"),
        "workloadIdentity.workspaceID",
        "not a workspace",
    ),
    Case("an API key and a federation", _CREDENTIAL, {**credential(), **federated()}, "", "needs exactly one kind"),
    Case(
        "a login next to a key",
        _CREDENTIAL,
        {**credential(), **subscription()},
        "",
        "set exactly one of `apiKey`, `bedrock`, `vertex`, `workloadIdentity` and `subscription`",
    ),
    Case("a login of nobody", _CREDENTIAL, subscription(owner=""), "subscription.owner"),
    Case(
        "a login of two",
        _CREDENTIAL,
        subscription(owner="alice@example.com, bob@example.com"),
        "subscription.owner",
        "not the name of one person",
    ),
    Case("a login of everybody", _CREDENTIAL, subscription(owner="*"), "subscription.owner", "one person"),
    Case("another way to sign in", _CREDENTIAL, subscription(method="Password"), "subscription.method"),
    Case("a login without a Secret", _CREDENTIAL, subscription(secretName=None), "subscription.secretName"),
    Case("a caller without a Secret", _CREDENTIAL, subscription(caller={"name": "x"}), "subscription.caller"),
    Case("no region", _CREDENTIAL, {"bedrock": {}}, "bedrock.region"),
    Case("a region that is a host", _CREDENTIAL, bedrock(region="evil.example"), "bedrock.region", _NOT_REGION),
    Case("a region with a path", _CREDENTIAL, bedrock(region="us-east-1/x"), "bedrock.region", _NOT_REGION),
    Case("a region and a line break", _CREDENTIAL, bedrock(region="us-east-1\n"), "bedrock.region", _NOT_REGION),
    Case("a zone for a region", _CREDENTIAL, bedrock(region="us-east-1a"), "bedrock.region", _NOT_REGION),
    Case("no project", _CREDENTIAL, {"vertex": {"location": "global"}}, "vertex.project"),
    Case("no location", _CREDENTIAL, {"vertex": {"project": "my-project"}}, "vertex.location"),
    Case(
        "a project with a path", _CREDENTIAL, vertex(project="../x"), "vertex.project", "not a Google Cloud project ID"
    ),
    Case(
        "a project's display name",
        _CREDENTIAL,
        vertex(project="My Project"),
        "vertex.project",
        "not a Google Cloud project ID",
    ),
    Case(
        "a location with a dot", _CREDENTIAL, vertex(location="evil.com"), "vertex.location", "not a Vertex AI location"
    ),
    Case("a location with a path", _CREDENTIAL, vertex(location="x/y"), "vertex.location", "not a Vertex AI location"),
    Case(
        "a zone for a location",
        _CREDENTIAL,
        vertex(location="us-east5-a"),
        "vertex.location",
        "not a Vertex AI location",
    ),
    Case("callers named by their group", _CREDENTIAL, bedrock(attribution=["Group"]), "bedrock.attribution[0]"),
    Case(
        "a user at AWS instead of a role",
        _CREDENTIAL,
        bedrock(assumeRole={"arn": "arn:aws:iam::123456789012:user/claude"}),
        "bedrock.assumeRole.arn",
        "not the ARN of a role; write it as AWS does, such as `arn:aws:iam::123456789012:role/claude`",
    ),
    Case(
        "an external ID with a space",
        _CREDENTIAL,
        bedrock(assumeRole={"arn": "arn:aws:iam::123456789012:role/claude", "externalID": "a b"}),
        "bedrock.assumeRole.externalID",
        "not an external ID; use letters, digits and `_+=,.@:/-` only",
    ),
    Case("callers named by nothing", _CREDENTIAL, vertex(attribution=[]), "vertex.attribution"),
    Case("callers named twice", _CREDENTIAL, vertex(attribution=["Team", "Team"]), "vertex.attribution"),
    Case("a credential suspended by a number", _CREDENTIAL, {**credential(), "suspend": 1}, "suspend"),
    Case("no Secret", _CREDENTIAL, {"apiKey": {"provider": "openai"}}, "apiKey.secretRef"),
    Case(
        "a provider in capitals", _CREDENTIAL, credential(provider="OpenAI"), "apiKey.provider", "such as `anthropic`"
    ),
    Case(
        "a provider with a model",
        _CREDENTIAL,
        credential(provider="openai/gpt-5"),
        "apiKey.provider",
        "before the slash",
    ),
    Case("a key of many words", _CREDENTIAL, credential(secretRef={"name": "a", "key": "a b"}), "apiKey.secretRef.key"),
    Case("a Secret in capitals", _CREDENTIAL, credential(secretRef={"name": "A"}), "apiKey.secretRef.name"),
    Case("an address with a user", _CREDENTIAL, credential(baseURL="https://a@b"), "apiKey.baseURL", NOT_URL),
    Case("a release in capitals", _CREDENTIAL, {**credential(), "gatewayRef": {"name": "CG"}}, "gatewayRef.name"),
)
