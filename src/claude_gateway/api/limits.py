"""The limits of a client, a route or a target."""

from typing import Annotated, ClassVar, Final

from pydantic import Field

from claude_gateway.api.base import Spec
from claude_gateway.api.rule import Rule

MOST_REQUESTS: Final = 10_000_000
MOST_TOKENS: Final = 1_000_000_000

_Requests = Annotated[int, Field(strict=True, ge=1, le=MOST_REQUESTS)]
_Tokens = Annotated[int, Field(strict=True, ge=1, le=MOST_TOKENS)]


class Limits(Spec):
    """Requests and tokens per minute, and requests at one time."""

    requests_per_minute: _Requests | None = Field(
        default=None,
        description=(
            "Requests per minute. A minute's worth may come at once; after that, one is admitted whenever another "
            "is due. Default: no limit."
        ),
    )
    input_tokens_per_minute: _Tokens | None = Field(
        default=None,
        description=(
            "Input tokens per minute, without those that are read from a prompt cache. Estimated before a request is "
            "sent, corrected by what its upstream reports. Default: no limit."
        ),
    )
    output_tokens_per_minute: _Tokens | None = Field(
        default=None,
        description=(
            "Output tokens per minute. They are counted when an answer ends; requests wait until what was used too "
            "much is made up for. Default: no limit."
        ),
    )
    concurrent: _Requests | None = Field(
        default=None, description="Requests that are answered at one time. Default: no limit."
    )
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.requestsPerMinute) || has(self.inputTokensPerMinute) || has(self.outputTokensPerMinute) || "
            "has(self.concurrent)",
            holds=lambda limits: (
                (limits.requests_per_minute or limits.input_tokens_per_minute) is not None
                or (limits.output_tokens_per_minute or limits.concurrent) is not None
            ),
            wrong="no limit is set",
            fix="set at least one of `requestsPerMinute`, `inputTokensPerMinute`, `outputTokensPerMinute` and "
            "`concurrent`, or remove `limits`",
        ),
    )
