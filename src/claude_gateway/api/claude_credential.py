"""ClaudeCredential: what may be spent, and where it may be sent."""

from pydantic import Field

from claude_gateway.api.base import GATEWAY_REF, BaseUrl, GatewayRef, ProviderName, SecretKeyRef, Spec
from claude_gateway.api.rule import Rule


class ApiKey(Spec):
    """A provider's API key, tied to the one address it may go to."""

    provider: ProviderName = Field(
        description=(
            "Provider that the key is for, as in a target's `provider/model`: `anthropic`, `openai`, `gemini`, ... "
            "Only targets of this provider may use it."
        ),
    )
    secret_ref: SecretKeyRef = Field(description="Where the key is.")
    base_url: BaseUrl | None = Field(
        default=None,
        description=(
            "The one address that the key is sent to. Default: the provider's own. Needed for providers that have "
            "no address of their own, such as `hosted_vllm` and `azure`."
        ),
    )


class ClaudeCredentialSpec(Spec):
    """Something that may be spent, together with where it may be sent."""

    rules = (
        Rule(
            cel="[has(self.apiKey)].exists_one(given, given)",
            holds=lambda self: [self.api_key is not None].count(True) == 1,
            wrong="not exactly one kind of credential",
            fix="set `apiKey`",
        ),
    )

    api_key: ApiKey = Field(description="A provider's API key.")
    gateway_ref: GatewayRef | None = Field(default=None, description=GATEWAY_REF)
