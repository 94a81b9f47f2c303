"""ClaudeCredential: what may be spent, and where it may be sent."""

from pydantic import Field

from claude_gateway.api.base import SecretKeyRef, Spec


class ApiKey(Spec):
    """A provider's API key, tied to the one address it may go to."""

    provider: str = Field(
        min_length=2,
        max_length=64,
        pattern=r"^[a-z0-9_-]+$",
        description=(
            "Provider that the key is for, as in a target's `provider/model`: `anthropic`, `openai`, `gemini`, ... "
            "Only targets of this provider may use it."
        ),
    )
    secret_ref: SecretKeyRef = Field(description="Where the key is.")
    base_url: str | None = Field(
        default=None,
        max_length=2048,
        pattern=r"^https?://[^\s?#@]+$",
        description=(
            "The one address that the key is sent to. Default: the provider's own. Needed for providers that have "
            "no address of their own, such as `hosted_vllm` and `azure`."
        ),
    )


class ClaudeCredentialSpec(Spec):
    """Something that may be spent, together with where it may be sent."""

    api_key: ApiKey = Field(description="A provider's API key.")
