"""Conditions of the rules of a ModelRoute: which requests a rule is for."""

import re
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from claude_gateway.api.base import DNS_SUBDOMAIN, NAMESPACE, FormatName, Spec, json_name
from claude_gateway.api.rule import Items, Rule, cel_string, matches

AGENT_TYPE: Final = r"^[A-Za-z0-9*][A-Za-z0-9*._:/@+ -]*$"
SERVER_TOOL: Final = r"^[A-Za-z0-9*][A-Za-z0-9*._-]*$"
HEADER_NAME: Final = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
HEADER_VALUE: Final = r"^[!-~]([ -~]*[!-~])?$"
CREDENTIAL_HEADER: Final = (
    r"^(.*-)?(api-?key|apikey|keys?|auth|authorization|authentication|bearer|tokens?|accesstoken|idtoken|secrets?|"
    r"password|passwd|credentials?|cookies?|signature|assertion|jwt|login|session-key)(-.*)?$"
)
CLIENT: Final = rf"^({NAMESPACE[1:-1]}/)?{DNS_SUBDOMAIN[1:]}"

_CREDENTIAL: Final = re.compile(CREDENTIAL_HEADER)

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
RequestClassName = Literal["Main", "Subagent", "Workflow", "Compaction", "Auxiliary", "SideReply"]
AgentType = Annotated[
    str,
    Field(min_length=1, max_length=64),
    matches(
        AGENT_TYPE,
        wrong="not an agent type",
        fix="write a type as Claude Code names it, and `*` for any run of characters, such as `Explore`",
    ),
]
ServerTool = Annotated[
    str,
    Field(min_length=1, max_length=64),
    matches(
        SERVER_TOOL,
        wrong="not a type of tool",
        fix="write the `type` of a tool, and `*` for any run of characters, such as `web_search_*`",
    ),
]
ClientName = Annotated[
    str,
    Field(min_length=1, max_length=317),
    matches(
        CLIENT,
        wrong="not the name of a GatewayClient",
        fix="write the name of a GatewayClient of this namespace, or `namespace/name` for one of another namespace",
    ),
]
HeaderName = Annotated[
    str,
    Field(min_length=1, max_length=64),
    matches(
        HEADER_NAME,
        wrong="not a header name in lower case",
        fix="use lower-case letters, digits and `-`, such as `x-team`",
    ),
    Rule(
        cel=f"!self.matches({cel_string(CREDENTIAL_HEADER)})",
        holds=lambda name: _CREDENTIAL.fullmatch(name) is None,
        wrong="a header of this name carries a credential, and a rule must not hold a secret",
        fix="match the client by `clients` instead, or a header that clients set for this, such as `x-team`",
    ),
]
HeaderValue = Annotated[
    str,
    Field(min_length=1, max_length=256),
    matches(
        HEADER_VALUE,
        wrong="not a header value that a request can have",
        fix="write the exact value in printable ASCII, without a space at its beginning or end",
    ),
]


class HeaderMatch(Spec):
    """A header with one exact value."""

    name: HeaderName = Field(description="Name of the header, in lower case. Headers with credentials cannot be used.")
    value: HeaderValue = Field(description="The whole value, compared exactly.")


class RouteMatch(Spec):
    """Conditions on a request. All that are set must hold; of a list, one entry must."""

    thinking: Literal["Enabled", "Adaptive", "Disabled"] | None = Field(
        default=None,
        description=(
            "What the field `thinking` of Messages says. `Enabled`: think in any way, with a budget or adaptively. "
            "`Adaptive`: the model decides how much. `Disabled`: not at all, or it says nothing about it. "
            "Claude Code has current models think adaptively in nearly every request; use `effort` for these."
        ),
    )
    thinking_budget_at_least: int | None = Field(
        default=None,
        strict=True,
        ge=1,
        le=10_000_000,
        description="The request enables thinking with a budget of at least this many tokens. Adaptive has no budget.",
    )
    effort: Annotated[tuple[Effort, ...], Items("effort", most=7, unique=True)] | None = Field(
        default=None,
        description=(
            "The effort that the request asks for: `output_config.effort`, `reasoning.effort` or `reasoning_effort`."
        ),
    )
    input_tokens_at_least: int | None = Field(
        default=None,
        strict=True,
        ge=1,
        le=100_000_000,
        description=(
            "The request has at least this many input tokens by the gateway's estimate, which is rather too high: "
            "1.3 times as a rule, up to twice."
        ),
    )
    images: bool | None = Field(
        default=None, strict=True, description="Whether the conversation has images, also in results of tools."
    )
    documents: bool | None = Field(
        default=None, strict=True, description="Whether the conversation has documents or files, such as PDFs."
    )
    tools: bool | None = Field(default=None, strict=True, description="Whether the request defines tools of any kind.")
    server_tools: Annotated[tuple[ServerTool, ...], Items("tool", most=8, unique=True)] | None = Field(
        default=None,
        description=(
            "Types of tools that the upstream runs by itself, such as `web_search_*`; one of them must be defined. "
            "`*` matches any run of characters."
        ),
    )
    formats: Annotated[tuple[FormatName, ...], Items("format", most=6, unique=True)] | None = Field(
        default=None, description="API formats, such as `Messages` or `Chat`."
    )
    headers: Annotated[tuple[HeaderMatch, ...], Items("header", most=8)] | None = Field(
        default=None,
        description="Headers that the request has, all of them. Clients can send any: a header grants nothing.",
    )
    clients: Annotated[tuple[ClientName, ...], Items("client", most=64, unique=True)] | None = Field(
        default=None,
        description=(
            "GatewayClients of this namespace, by name, or of others as `namespace/name`. A client that may not use "
            "the route never gets here."
        ),
    )
    request_classes: Annotated[tuple[RequestClassName, ...], Items("class name", most=6, unique=True)] | None = Field(
        default=None,
        description=(
            "What Claude Code makes the request for: `Main`, `Subagent`, `Workflow`, `Compaction`, `Auxiliary` "
            "(titles, web searches, token counts) or `SideReply`. Claude Code says so with "
            "`CLAUDE_CODE_GATEWAY_HINT_HEADERS=1`; without it, only `Subagent`, `Compaction` and, of `Auxiliary`, "
            "titles and web searches are found."
        ),
    )
    agent_types: Annotated[tuple[AgentType, ...], Items("agent type", most=8, unique=True)] | None = Field(
        default=None,
        description=(
            "Types of Claude Code's subagents, such as `Explore` or `general-purpose`; `custom` is every agent that a "
            "user defined. `*` matches any run of characters. Needs `CLAUDE_CODE_GATEWAY_HINT_HEADERS=1`."
        ),
    )
    subagent: bool | None = Field(
        default=None,
        strict=True,
        description="Whether a subagent of Claude Code makes the request, whatever it makes it for.",
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.thinkingBudgetAtLeast) || !has(self.thinking) || self.thinking == 'Enabled'",
            holds=lambda self: (
                self.thinking_budget_at_least is None or self.thinking is None or self.thinking == "Enabled"
            ),
            wrong="`thinkingBudgetAtLeast` never holds together with `thinking: Adaptive` or `Disabled`",
            fix="remove one of the two conditions",
        ),
        Rule(
            cel="!has(self.serverTools) || !has(self.tools) || self.tools",
            holds=lambda self: self.server_tools is None or self.tools is not False,
            wrong="`serverTools` never holds together with `tools: false`",
            fix="remove one of the two conditions",
        ),
        Rule(
            cel="!has(self.headers) || self.headers.all(one, self.headers.exists_one(other, other.name == one.name))",
            holds=lambda self: len({one.name for one in self.headers or ()}) == len(self.headers or ()),
            wrong="`headers` names a header twice, and no request has two values of it",
            fix="name each header once, and write another rule for another value",
        ),
    )


# After the class, because the fields are to be known: a match without any condition would be the route's default.
_CONDITIONS: Final = tuple(RouteMatch.model_fields)
RouteMatch.rules = (
    Rule(
        cel=" || ".join(f"has(self.{json_name(field)})" for field in _CONDITIONS),
        holds=lambda self: any(getattr(self, field) is not None for field in _CONDITIONS),
        wrong="`match` has no condition",
        fix="set at least one; requests that no rule matches get the `targets` of the route",
    ),
    *RouteMatch.rules,
)
