"""``gateway.json``: what the gateway may do, with whom and where to."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Contract(BaseModel):
    """A frozen value in camelCase JSON; a reader ignores fields that a newer writer added."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="ignore"
    )


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
    """Model settings used where the client sent none of its own."""

    temperature: float | None = None
    top_p: float | None = None
    reasoning_effort: str | None = None


class Timeouts(Contract):
    """How long to wait for a target, in seconds."""

    first_token: float = 120.0
    idle: float = 300.0
    total: float = 1800.0


class Aws(Contract):
    """Where a Bedrock target is; its secret is JSON with ``accessKeyId``, ``secretAccessKey`` and, where there is one,
    ``sessionToken``, or with ``bearerToken`` alone. No secret: the pod's own identity.
    """

    region: str


class Google(Contract):
    """Where a Vertex target is; its secret is a service account's key file. No secret: the pod's own identity."""

    project: str
    location: str


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
    those that the table of models does not list for this model.
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

    @property
    def entries(self) -> tuple[str, ...]:
        """The entries of the secret part that it needs."""
        return tuple(entry for entry in (self.secret, self.login) if entry is not None)


class Thinking(StrEnum):
    """Whether a request asks the model to think. ``ENABLED`` is any way to ask for it, ``ADAPTIVE`` one of these."""

    ENABLED = "Enabled"
    ADAPTIVE = "Adaptive"
    DISABLED = "Disabled"


class RequestClass(StrEnum):
    """What a request of Claude Code is for, in Claude Code's own words."""

    MAIN = "Main"
    SUBAGENT = "Subagent"
    WORKFLOW = "Workflow"
    COMPACTION = "Compaction"
    AUXILIARY = "Auxiliary"
    SIDE_REPLY = "SideReply"


class Match(Contract):
    """Conditions on a request, all of which must hold; of a list, one entry must. What is None or empty holds always.

    ``thinking_budget_at_least`` and ``input_tokens_at_least`` are in tokens, the latter by the gateway's estimate.
    ``server_tools`` and ``agent_types`` are patterns like a route's models. ``headers`` are pairs of a lower-case name
    and the exact value. ``clients`` are full names.
    """

    thinking: Thinking | None = None
    thinking_budget_at_least: int | None = None
    effort: tuple[str, ...] = ()
    input_tokens_at_least: int | None = None
    images: bool | None = None
    documents: bool | None = None
    tools: bool | None = None
    server_tools: tuple[str, ...] = ()
    formats: tuple[Format, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    clients: tuple[str, ...] = ()
    request_classes: tuple[RequestClass, ...] = ()
    agent_types: tuple[str, ...] = ()
    subagent: bool | None = None


class RouteRule(Contract):
    """The targets of the requests that match."""

    name: str
    match: Match
    targets: tuple[Target, ...] = ()


class Affinity(StrEnum):
    """Which requests stay at one of several targets of the same priority."""

    SESSION = "Session"
    AGENT = "Agent"
    CLIENT = "Client"
    NONE = "None"


class Mirror(Contract):
    """A candidate that gets a copy of ``percent`` of the conversations."""

    target: Target
    percent: float


class Route(Contract):
    """Model names (``*`` matches any run of characters) and the targets behind them.

    ``models`` holds only the names that this route won. ``name`` is ``<namespace>/<name>``. ``alias`` is one more
    name for clients that list only names of a certain kind, such as Claude Code: ``claude-`` and the first of
    ``models`` without ``*``; who may use that one may use the alias, and nobody else. ``safeguards_model`` is the
    name of the model that judges tool calls for targets that cannot. ``estimate_tokens`` allows to answer a count of
    tokens by an estimate, where a target cannot count. ``affinity`` says what stays at one target.
    ``rules`` are in order: the first one that matches a request has its targets, and ``targets`` are for all others.

    ``clients_from`` are the namespaces whose clients may use the route, besides its own and the release's. Where
    ``only_clients`` is set, only the clients with these full names may use it, and nobody else.
    ``routes_from`` are the namespaces whose routes may take names that this route's names cover. ``*`` is every
    namespace.
    """

    name: str
    models: tuple[str, ...]
    display_name: str | None = None
    alias: str | None = None
    targets: tuple[Target, ...]
    rules: tuple[RouteRule, ...] = ()
    mirror: Mirror | None = None
    timeouts: Timeouts = Timeouts()
    safeguards_model: str | None = None
    estimate_tokens: bool = False
    affinity: Affinity = Affinity.SESSION
    clients_from: tuple[str, ...] = ()
    only_clients: tuple[str, ...] | None = None
    routes_from: tuple[str, ...] = ()

    @property
    def all_targets(self) -> tuple[Target, ...]:
        """Every target that a request of the route can reach: its own, those of the rules, and that of the mirror."""
        more = () if self.mirror is None else (self.mirror.target,)
        return (*self.targets, *(target for rule in self.rules for target in rule.targets), *more)


class TokenRule(Contract):
    """Signed tokens (JWT) that identify a client: who signs them, and what they must say.

    ``issuer`` is their ``iss``. Its keys are at ``jwks_url``, or where the issuer's discovery document says. ``secret``
    is the entry of the secret part with the secret of HS256, for tokens that are signed with no other keys; then
    ``issuer`` may be None, which is not checked, and ``audiences`` may be empty: such tokens must not have any.
    ``claims`` maps each claim that is required to the values of which it must have one. ``user``, ``team`` and
    ``groups`` name the claims that say who the caller is.
    """

    issuer: str | None = None
    jwks_url: str | None = None
    secret: str | None = None
    audiences: tuple[str, ...] = ()
    claims: dict[str, tuple[str, ...]] = {}
    user: str = "sub"
    team: str = "team"
    groups: str = "groups"


class ClusterIssuer(Contract):
    """Who signs the tokens of ServiceAccounts: ``keys`` are the cluster's public keys, a JSON Web Key Set.

    ``audience`` is what a token must be for, so that no token for another release or service is of use here.
    """

    issuer: str
    audience: str
    keys: str


class Client(Contract):
    """Who may call, and which model names it may use (patterns like a route's).

    ``tokens`` are the signed tokens that identify it, beside its keys, ``service_accounts`` the ServiceAccounts, as
    ``<namespace>/<name>``. ``settings`` are those of Claude Code for its people, as canonical JSON; empty without any.
    """

    name: str
    models: tuple[str, ...] = ("*",)
    settings: str = ""
    tokens: tuple[TokenRule, ...] = ()
    service_accounts: tuple[str, ...] = ()

    @property
    def entries(self) -> tuple[str, ...]:
        """The entries of the secret part that it needs."""
        return tuple(rule.secret for rule in self.tokens if rule.secret is not None)


class Egress(Contract):
    """Addresses that are refused by default and were allowed by the installation, not by route authors.

    ``hosts`` holds exact host names or IP addresses; ``loopback`` allows the whole loopback range. ``private`` allows
    the addresses of private networks, where models run; it is False where only public documents are fetched.
    """

    loopback: bool = False
    hosts: tuple[str, ...] = ()
    private: bool = Field(default=True, exclude=True)


class Policy(Contract):
    """All of ``gateway.json``.

    ``routes`` are in order of age, the oldest first: across namespaces an older route's names come before a younger
    one's. ``namespace`` is the release's own; its clients may use every route.
    ``client_keys`` names the entry of the secret part with the table of ``contract.client_keys``; none: nobody has a
    key. ``cluster`` is None where the keys of the cluster are not known or not needed.
    """

    namespace: str = ""
    routes: tuple[Route, ...] = ()
    clients: tuple[Client, ...] = ()
    client_keys: str | None = None
    cluster: ClusterIssuer | None = None
    egress: Egress = Egress()
