"""A target: one upstream that can answer, how it is called, and what its model can do."""

from decimal import Decimal
from enum import StrEnum

from claude_gateway.contract.base import Contract
from claude_gateway.contract.limits import Limits
from claude_gateway.contract.prices import Prices, Rates


class Wire(StrEnum):
    """How requests and answers look on their way: paths, credentials, framing and errors.

    Anthropic, Bedrock and Vertex carry the same Messages in different frames, and can be changed into each other.
    """

    ANTHROPIC = "Anthropic"
    BEDROCK = "Bedrock"
    VERTEX = "Vertex"
    OPENAI = "OpenAI"


CLAUDE_WIRES = frozenset({Wire.ANTHROPIC, Wire.BEDROCK, Wire.VERTEX})
"""Wires whose formats are Messages and CountTokens."""


class Format(StrEnum):
    """The format of one request, named by the endpoint that takes it."""

    MESSAGES = "Messages"
    COUNT_TOKENS = "CountTokens"
    CHAT = "Chat"
    COMPLETIONS = "Completions"
    RESPONSES = "Responses"
    EMBEDDINGS = "Embeddings"


class Ability(StrEnum):
    """What a request may ask of a model that not every model can do."""

    IMAGES = "Images"
    DOCUMENTS = "Documents"
    TOOLS = "Tools"
    THINKING = "Thinking"


class Parameters(Contract):
    """Model settings used if the client sends none of its own."""

    temperature: float | None = None
    top_p: float | None = None
    reasoning_effort: str | None = None


class Attribution(StrEnum):
    """What a cloud learns about the caller of a request."""

    CLIENT = "Client"
    TEAM = "Team"
    USER = "User"


class Role(Contract):
    """A role at AWS that is assumed for each caller; ``session_tags`` is what AWS learns about them."""

    arn: str
    external_id: str | None = None
    session_tags: tuple[Attribution, ...] = ()


class Aws(Contract):
    """Where a Bedrock target is; its secret is JSON with ``accessKeyId``, ``secretAccessKey`` and, where there is one,
    ``sessionToken``, or with ``bearerToken`` alone. No secret: the pod's own identity. ``attribution`` is what AWS
    learns about each caller with a request. ``role`` is assumed with that identity, and then calls the models.
    """

    region: str
    attribution: tuple[Attribution, ...] = ()
    role: Role | None = None


class Google(Contract):
    """Where a Vertex target is; its secret is a service account's key file. No secret: the pod's own identity.

    ``attribution`` is what Google learns about each caller.
    """

    project: str
    location: str
    attribution: tuple[Attribution, ...] = ()


class Federation(Contract):
    """Who the pods are at Anthropic, which they prove by the token of their ServiceAccount instead of a key.

    The fields are those of Anthropic's token exchange: ``POST /v1/oauth/token`` at the target's address. Source: WIF
    reference of the Claude Platform docs.
    """

    organization_id: str
    federation_rule_id: str
    service_account_id: str
    workspace_id: str | None = None


class ToolSchema(StrEnum):
    """The part of JSON Schema that a provider accepts for the parameters of a tool."""

    OPENAI = "OpenAI"
    GEMINI = "Gemini"
    MOONSHOT = "Moonshot"


class ChatCapabilities(Contract):
    """What a provider's Chat Completions, as LiteLLM calls them, accept beyond what all of them do.

    ``tool_schema`` is for tools' parameters; ``signatures``: signatures of thoughts next to calls; ``reasoning``: the
    reasoning of earlier turns; ``files``: documents that are not text; ``top_k``: that parameter; ``empty_tools``:
    tools whose schema has no properties; ``named_choice``: one named tool as the choice; ``short_ids``: ids of calls
    must be short; ``budget``: how many tokens to think for; ``details``: reasoning of earlier turns as OpenRouter has
    it; ``reasoned_calls``: every call of the history must have its reasoning; ``switch``: thinking can be turned off;
    ``results_last``: only the assistant may speak after results of tools.
    """

    tool_schema: ToolSchema = ToolSchema.OPENAI
    signatures: bool = False
    reasoning: bool = False
    files: bool = True
    top_k: bool = False
    empty_tools: bool = True
    named_choice: bool = True
    short_ids: bool = False
    budget: bool = False
    details: bool = False
    reasoned_calls: bool = False
    switch: bool = False
    results_last: bool = False


class Counting(Contract):
    """How a provider counts tokens. LiteLLM has it count a request in ``format``, which is Messages or Chat.

    ``own_path`` is what LiteLLM appends to the base URL for this call alone, so a base URL that has it must lose it.
    ``path`` is where the codec lane asks, below the base URL; None: it cannot ask.
    """

    format: Format
    own_path: str | None = None
    path: str | None = None


class Translation(Contract):
    """How requests in other formats than a target's own reach it. The planner takes it from the provider's row.

    Requests in the formats of ``codec`` take the codec lane, at the target's own address, all others the LiteLLM lane.
    ``provider`` is LiteLLM's name of the provider, where that is not the target's own; ``base_url`` the address, where
    the target has none for the relay. ``messages`` is the format in which Messages are sent: Chat or Responses;
    ``responses_as_chat`` sends Responses as Chat. ``counting`` is None where nobody can count tokens. ``chat`` is None
    for a provider that takes exactly what all do.
    """

    codec: tuple[Format, ...] = ()
    provider: str | None = None
    base_url: str | None = None
    messages: Format = Format.CHAT
    responses_as_chat: bool = False
    counting: Counting | None = None
    chat: ChatCapabilities | None = None


class OwnPrices(Contract):
    """What a route says that its target's tokens cost, in dollars per million; ``searches`` per thousand.

    None: a cache costs what input costs, reasoning what output costs, and searches cost nothing.
    """

    input: Decimal
    output: Decimal
    cache_read: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    reasoning: Decimal | None = None
    searches: Decimal | None = None

    @property
    def prices(self) -> Prices:
        """The same as prices of a model."""
        rates = self.model_dump(exclude={"searches"})
        return Prices(usual=Rates(**rates), searches=self.searches or Decimal(0))


class Target(Contract):
    """One upstream that can answer a route's requests.

    ``id`` is named by content (``<namespace>/<route>/<index>.<hash8>``), so that the same id never means two
    things. A request whose format is in ``formats`` takes the relay lane in ``wire``; every other one is translated,
    as ``translation`` says. ``model`` is the upstream's own name without provider; ``"*"`` stands for
    the name that the client sent. ``base_url`` is without ``/v1`` for the Anthropic and Vertex wires and with whatever
    prefix the server has for the OpenAI wire (as the vendors' SDKs take it, but for Vertex); it is set wherever
    ``wire`` is. ``secret`` is the entry of the secret part that holds the API key or the cloud's identity. ``login``
    is the entry with the access token of a Claude Code login, for targets at the Claude Code backend: their ``secret``
    is the backend's key, and the login goes along in a header of its own. ``aws`` and ``google`` are set for targets of
    these clouds, ``federation`` for targets at Anthropic that are called without a key. ``credential`` names what the
    target spends, by content (``<namespace>/<credential>.<hash8>``): reports say under this name what upstreams say of
    it. ``forward_client_token`` sends the client's own credential on instead of one of ours; such a client has sent the
    gateway's key in a header of its own. ``verbatim``: a model ``"*"`` is the name exactly as the client sent it, and
    the answer keeps the name that the upstream gives it. ``telemetry_provider`` is OpenTelemetry's name of the
    provider, where that is not ``provider``.

    ``context_window``, the most input, and ``max_output_tokens`` are in tokens; ``long_context_window`` is the window
    for clients that ask for a longer one. ``certain_window``: the window is known to be the upstream's own, so that a
    longer request need not be sent. ``has`` and ``lacks`` are the abilities that the route speaks of; ``unlisted`` are
    those that the table of models does not list for this model. ``limits`` are those of the requests sent to it.
    ``prices`` are those that the route states, None for those of the table of models.
    """

    id: str
    provider: str
    model: str
    wire: Wire | None = None
    formats: tuple[Format, ...] = ()
    base_url: str | None = None
    secret: str | None = None
    login: str | None = None
    context_window: int | None = None
    long_context_window: int | None = None
    certain_window: bool = False
    max_output_tokens: int | None = None
    has: tuple[Ability, ...] = ()
    lacks: tuple[Ability, ...] = ()
    unlisted: tuple[Ability, ...] = ()
    prices: OwnPrices | None = None
    parameters: Parameters = Parameters()
    weight: int = 1
    priority: int = 0
    aws: Aws | None = None
    google: Google | None = None
    federation: Federation | None = None
    credential: str | None = None
    forward_client_token: bool = False
    verbatim: bool = False
    translation: Translation = Translation()
    telemetry_provider: str | None = None
    limits: Limits | None = None

    @property
    def entries(self) -> tuple[str, ...]:
        """The entries of the secret part that it needs."""
        return tuple(entry for entry in (self.secret, self.login) if entry is not None)
