"""Specs that obey every rule of the API and specs that break one: one table for models and API servers."""

from dataclasses import dataclass
from typing import Any, Final

from claude_gateway.names import Kind

Spec = dict[str, Any]

TARGET: Final[Spec] = {"model": "openai/gpt-5", "credential": "openai"}
SECRET: Final[Spec] = {"name": "openai"}


@dataclass(frozen=True, slots=True)
class Case:
    """A spec and, where it is refused, the field and a part of the message that says so."""

    name: str
    kind: Kind
    spec: Spec
    field: str = ""
    message: str = ""


def route(target: Spec | None = None, **spec: Any) -> Spec:
    """A ModelRoute's spec with one target, with these changes."""
    return {"models": ["smart"], "targets": [{**TARGET, **(target or {})}], **spec}


def keyless(base_url: object, **target: Any) -> Spec:
    """A ModelRoute's spec with one target that needs no key."""
    return {"models": ["smart"], "targets": [{"model": "hosted_vllm/llama", "baseURL": base_url, **target}]}


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


def forwarding(**target: Any) -> Spec:
    """A ModelRoute's spec with one target that gets the client's own login."""
    return {"models": ["smart"], "targets": [{"model": "anthropic/*", "forwardClientToken": True, **target}]}


def listing(*namespaces: str) -> Spec:
    """The namespaces that something is allowed to."""
    return {"from": "Namespaces", "namespaces": list(namespaces)}


def only(*clients: str) -> Spec:
    """The only clients that something is allowed to."""
    return {"from": "Clients", "clients": list(clients)}


def client(**spec: Any) -> Spec:
    """A GatewayClient's spec, with these changes."""
    return {"keys": [{"secretRef": {"name": "alice"}}], **spec}


def ruled(*matches: Spec, name: str | None = None, **rule: Any) -> Spec:
    """A ModelRoute's spec with one rule for each match; ``name`` is that of all of them."""
    rules = [
        {"name": name or f"rule-{number}", "match": match, "targets": [TARGET], **rule}
        for number, match in enumerate(matches)
    ]
    return route(rules=rules)


def issuer(**fields: Any) -> Spec:
    """An entry of ``jwt`` with public keys, with these changes."""
    return {"issuer": "https://login.example.com", "audiences": ["claude-gateway"], **fields}


def budget(**fields: Any) -> Spec:
    """A Budget's spec, with these changes."""
    return {"amount": "250.00", "clients": ["*"], **fields}


def _ending(text: str) -> Spec:
    return {"secretRef": {"name": "alice"}, "expiresAt": text}


HASH: Final = f"sha256:{'0' * 64}"
_END_IN_ZONE: Final = "2027-01-31T00:00:00+05:30"
_ONE_PLACE: Final = "set one of `secretRef`, `hash` and `hashesFrom`"
_NO_TIME: Final = "not a time; write date, time and time zone"
_NEEDS_ISSUER: Final = "set `issuer` and `audiences`, or `secretRef` for HS256"
_NO_TEXT: Final = "not plain text; write printable ASCII without spaces at the ends"
_NO_TEXT_VALUE: Final = f"{_NO_TEXT}; numbers in quotes"
_NO_AMOUNT: Final = "not an amount in US dollars; write dollars and at most nine decimals, in quotes"
_NO_CLIENT: Final = "neither the name of a GatewayClient nor `*`; write `name`"
_ROUTE, _CREDENTIAL, _CLIENT = Kind.MODEL_ROUTE, Kind.CLAUDE_CREDENTIAL, Kind.GATEWAY_CLIENT
_BUDGET: Final = Kind.BUDGET

_URIS: Final = (
    "spiffe://example.org/ns/team-a/sa/ci",
    "spiffe://example.org/ns/team-a/*",
    "spiffe://example.org/*",
    "spiffe://example.org",
    "https://example.com:8443/a?b=c#d",
    "urn:example:device:7",
    f"a:{'x' * 254}",
)
_NOT_URIS: Final = (
    "example.org/x",
    "Spiffe://x",
    "spiffe://example.org*",
    "spiffe://*",
    "spiffe:///*",
    "spiffe://a*/b",
    "spiffe://x/*/b",
    "spiffe://x/**",
    "spiffe://x/a*",
    "*:x",
    "a:b c",
    "a:ü",
)
_NOT_NAMES: Final = (
    ("uri", "not a URI; write it as certificates have it", _NOT_URIS),
    ("uri", "", ("a:", f"a:{'x' * 255}")),
    ("email", "not an e-mail address; write one address", ("alice", "a@b@c", "a b@c", "a@b_c", "a@-b")),
    ("email", "", ("@b", "a@", f"{'a' * 253}@b")),
    ("dns", "not a DNS name; write one name without `*`", ("*.example.com", "a b", "-a", "a.")),
    ("dns", "", ("", "a." * 127)),
    ("commonName", "not plain text; write", (" a", "a\n", "Jörg")),
    ("commonName", "", ("", "x" * 65)),
    ("fingerprint", "not the hash of a key; write", ("0" * 71, HASH.upper())),
)
_ONE_NAME: Final = "the certificates are not named in exactly one way; set one of"

VALID: Final = (
    Case("the shortest budget", _BUDGET, {"amount": "5"}),
    Case("the largest budget", _BUDGET, budget(amount="9000000.000000", period="Hour")),
    Case("a budget of a millionth", _BUDGET, budget(amount="0.000001", perMember="0.000001")),
    Case("clients of a budget", _BUDGET, budget(clients=["ci", "a.b", "team-a/ci", "team-a/*", "*"])),
    Case("teams and groups", _BUDGET, budget(teams=["blue", "R & D"], groups=["cn=eng,dc=example"])),
    Case("a cheaper model", _BUDGET, budget(action="Route", routeTo="claude-haiku-5-5")),
    Case("a pool with a parent", _BUDGET, {"amount": "10", "parent": "everyone", "action": "Warn"}),
    Case("the shortest route", _ROUTE, route()),
    Case("a pattern", _ROUTE, route(models=["*haiku*", "us.anthropic.claude-*", "claude-sonnet-5-5[1m]"])),
    Case("32 models", _ROUTE, route(models=[f"m{i}" for i in range(32)])),
    Case("16 targets", _ROUTE, route(targets=[TARGET] * 16)),
    Case("pass-through", _ROUTE, route({"model": "anthropic/*"})),
    Case("a model with slashes", _ROUTE, route({"model": "cloudflare/@cf/meta/llama-3:8b"})),
    Case("a keyless target", _ROUTE, keyless("http://vllm.models.svc:8000/v1")),
    Case("an IPv6 address", _ROUTE, keyless("http://[fd00::1]:8000/v1/")),
    Case("the last port", _ROUTE, keyless("https://vllm_1:65535")),
    Case("all prices", _ROUTE, route({"prices": {"input": "0", "output": "12.000001", "cacheWrite1h": "999999"}})),
    Case("all parameters", _ROUTE, route({"parameters": {"temperature": 2, "topP": 0.5, "reasoningEffort": "low"}})),
    Case("Anthropic at its hottest", _ROUTE, route({"model": "anthropic/x", "parameters": {"temperature": 1}})),
    Case("no parameters at all", _ROUTE, route({"model": "anthropic/x", "parameters": {}})),
    Case(
        "what a model takes",
        _ROUTE,
        route({"contextWindow": 100_000_000, "supports": {"images": False, "tools": True}}),
    ),
    Case("a client's own login", _ROUTE, forwarding()),
    Case("only some clients", _ROUTE, route(allowedClients=only("alice", "alice.laptop"))),
    Case("one person's subscription", _CREDENTIAL, subscription()),
    Case(
        "a token and one program",
        _CREDENTIAL,
        subscription(method="SetupToken", caller={"name": "notebook", "secretName": "notebook"}),
    ),
    Case("a client of one person", _CLIENT, client(owner="alice@example.com")),
    Case("a brake with its defaults", _CLIENT, client(brake={})),
    Case(
        "a brake of one's own",
        _CLIENT,
        client(
            brake={
                "perSession": {"dollars": "0.5", "requests": 0, "minutes": 30},
                "perAgent": {"dollars": "0", "repeatedToolCalls": 10, "growingTurns": 1_000_000},
                "hardPercent": 100,
                "released": ["0b8f1c2e-0000-4000-8000-000000000000"],
            }
        ),
    ),
    Case("a client of a user name", _CLIENT, client(owner="A.L-ice_1+x")),
    Case("a client's own login to a server", _ROUTE, forwarding(baseURL="https://relay.example")),
    Case("no client's own login", _ROUTE, route({"forwardClientToken": False})),
    Case("a rule", _ROUTE, ruled({"thinking": "Enabled"})),
    Case("16 rules", _ROUTE, ruled(*[{"images": True}] * 16, targets=[TARGET] * 8)),
    Case("a rule for a false condition", _ROUTE, ruled({"tools": False})),
    Case("a budget of any size", _ROUTE, ruled({"thinking": "Enabled", "thinkingBudgetAtLeast": 1})),
    Case("every effort", _ROUTE, ruled({"effort": ["none", "minimal", "low", "medium", "high", "xhigh", "max"]})),
    Case("tools of the upstream", _ROUTE, ruled({"serverTools": ["web_search_*", "*"], "tools": True})),
    Case("two headers", _ROUTE, ruled({"headers": [{"name": n, "value": "a b"} for n in ("x-team", "x-keyboard")]})),
    Case("clients of two namespaces", _ROUTE, ruled({"clients": ["ci", "alice.laptop", "team-b/ci"]})),
    Case("agents", _ROUTE, ruled({"agentTypes": ["*", "Explore", "general-*"], "subagent": True})),
    Case("names as they are sent", _ROUTE, route({"model": "openai/*", "verbatim": True})),
    Case("a name that is not as sent", _ROUTE, route({"verbatim": False})),
    Case(
        "a mirror",
        _ROUTE,
        route(mirror={"target": keyless("https://candidate.example/v1")["targets"][0], "percent": 0.5}),
    ),
    Case("one format", _ROUTE, route({"formats": ["Responses"]})),
    Case("a judge and estimates", _ROUTE, route(safeguardsModel="claude-haiku-5-5", tokenCounts="Estimate")),
    Case("a suspended route", _ROUTE, route(suspend=True)),
    Case("a route that is not suspended", _ROUTE, route(suspend=False)),
    Case("a suspended credential", _CREDENTIAL, {**credential(), "suspend": True}),
    Case("a suspended client", _CLIENT, client(suspend=True)),
    Case("answers are kept", _ROUTE, route(cache={"ttl": "24h"})),
    Case("small answers are kept", _ROUTE, route(cache={"ttl": "1ms", "maxBytes": 1024})),
    Case("limits of a route", _ROUTE, route(limits={"requestsPerMinute": 1, "inputTokensPerMinute": 10**9})),
    Case("limits of a target", _ROUTE, route({"limits": {"outputTokensPerMinute": 1, "concurrent": 10**7}})),
    Case("limits of a client", _CLIENT, client(limits={"concurrent": 1}, priority="Batch")),
    Case("agents stay together", _ROUTE, route(affinity="Agent")),
    Case("nothing stays together", _ROUTE, route(affinity="None")),
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
    Case("nulls count as absent", _ROUTE, route({"baseURL": None, "weight": None}, displayName=None, timeouts=None)),
    Case("only a short total", _ROUTE, route(timeouts={"total": "1m"})),
    Case("first token as long as total", _ROUTE, route(timeouts={"firstToken": "90s", "total": "1m30s"})),
    Case("the longest timeouts", _ROUTE, route(timeouts={"idle": "24h", "total": "23h60m"})),
    Case("an API key", _CREDENTIAL, credential()),
    Case("an API key for an address", _CREDENTIAL, credential(provider="azure", baseURL="https://x.openai.azure.com")),
    Case("a key inside the Secret", _CREDENTIAL, credential(secretRef={"name": "a.b", "key": "API_KEY.txt"})),
    Case("a client", _CLIENT, client()),
    Case("clients of its own namespace", _ROUTE, route(allowedClients={"from": "Same"})),
    Case("clients of every namespace", _ROUTE, route(allowedClients={"from": "All"}, allowedRoutes={"from": "All"})),
    Case("clients of some namespaces", _ROUTE, route(allowedClients=listing("team-a", "b"))),
    Case("routes of 64 namespaces", _ROUTE, route(allowedRoutes=listing(*(f"t{i:0>62}" for i in range(64))))),
    Case("a route for one release", _ROUTE, route(gatewayRef={"name": "cg-claude-gateway"})),
    Case("a credential for one release", _CREDENTIAL, {**credential(), "gatewayRef": {"name": "cg"}}),
    Case("a hash of a key", _CLIENT, client(keys=[{"hash": HASH, "user": "bob", "expiresAt": "2027-01-31T00:00:00Z"}])),
    Case("a list of hashes", _CLIENT, client(keys=[{"hashesFrom": {"name": "people", "key": "keys.txt"}}])),
    Case("a key of a team", _CLIENT, client(keys=[{"secretRef": SECRET, "team": "red", "expiresAt": _END_IN_ZONE}])),
    Case("ServiceAccounts", _CLIENT, {"serviceAccounts": [{"name": "ci"}, {"namespace": "team-a", "name": "ci"}]}),
    Case("an issuer", _CLIENT, {"jwt": [issuer()]}),
    Case(
        "an issuer with claims",
        _CLIENT,
        {"jwt": [issuer(jwksURL="https://x.example/keys", claims={"https://x/groups": ["a b", "c"]}, userClaim="upn")]},
    ),
    Case("old tokens", _CLIENT, {"jwt": [{"secretRef": SECRET}, {"secretRef": SECRET, "issuer": "https://old"}]}),
    Case("certificates by URI", _CLIENT, {"certificates": [{"uri": uri} for uri in _URIS]}),
    Case(
        "certificates by other names",
        _CLIENT,
        {
            "certificates": [
                {"email": "Alice.O'Hara+x@mail.Example.com"},
                {"dns": "_build.Example.com"},
                {"commonName": "Alice B. (ops)"},
                {"fingerprint": HASH},
                {"uri": None, "dns": "a"},
            ]
        },
    ),
    Case("64 certificates", _CLIENT, {"certificates": [{"commonName": "x" * 64}] * 64}),
    Case("a client for one release", _CLIENT, client(gatewayRef={"name": "cg"})),
    Case("a client with all", _CLIENT, client(keys=[{"secretRef": SECRET}] * 16, models=["*", "claude-*"])),
)

_NOT_MODEL = "write it as LiteLLM does, such as `openai/gpt-5`"
_NOT_URL = "write `http://` or `https://`, a host, and optionally a port and a path"
_NOT_DURATION = "write whole numbers with `ms`, `s`, `m` or `h`"
_NO_LENGTH = "write a duration above zero and at most `24h`"
_NOT_REGION = "not an AWS region"

INVALID: Final = (
    Case("a budget without amount", _BUDGET, {"clients": ["*"]}, "amount"),
    Case("an amount that is a number", _BUDGET, budget(amount=250), "amount"),
    Case("an amount with a currency", _BUDGET, budget(amount="$250"), "amount", _NO_AMOUNT),
    Case("a negative amount", _BUDGET, budget(amount="-1"), "amount", _NO_AMOUNT),
    Case("an amount in powers", _BUDGET, budget(amount="1e3"), "amount", _NO_AMOUNT),
    Case("ten decimals", _BUDGET, budget(amount="0.0000000001"), "amount", _NO_AMOUNT),
    Case("an amount of nothing", _BUDGET, budget(amount="0.00"), "amount", "write an amount above zero"),
    Case("too much money", _BUDGET, budget(amount="9000000.01"), "amount", "at most 9000000 dollars"),
    Case("an unknown period", _BUDGET, budget(period="Year"), "period"),
    Case("an unknown action", _BUDGET, budget(action="Ignore"), "action"),
    Case("a parent of another namespace", _BUDGET, budget(parent="other/everyone"), "parent"),
    Case("clients by half a pattern", _BUDGET, budget(clients=["ci-*"]), "clients", _NO_CLIENT),
    Case("every namespace", _BUDGET, budget(clients=["*/ci"]), "clients", _NO_CLIENT),
    Case("no client of a budget", _BUDGET, budget(clients=[]), "clients"),
    Case("a team twice", _BUDGET, budget(teams=["a", "a"]), "teams"),
    Case("257 groups", _BUDGET, budget(groups=[f"g{i}" for i in range(257)]), "groups"),
    Case("more for one than for all", _BUDGET, budget(perMember="250.01"), "", "`perMember` is more than `amount`"),
    Case("nothing to route to", _BUDGET, budget(action="Route"), "", "`action: Route` and `routeTo` belong together"),
    Case("a route for nothing", _BUDGET, budget(routeTo="claude-haiku-5-5"), "", "set both, or neither"),
    Case("a pattern to route to", _BUDGET, budget(action="Route", routeTo="claude-*"), "routeTo"),
    Case("a contact of two lines", _BUDGET, budget(contact="ask\nme"), "contact", "not a text of one line"),
    Case("too long a contact", _BUDGET, budget(contact="x" * 201), "contact"),
    Case(
        "both credential and address",
        _ROUTE,
        route({"baseURL": "http://h"}),
        "targets[0]",
        "both `credential` and `baseURL`",
    ),
    Case("no condition", _ROUTE, ruled({}), "rules[0].match", "set at least one"),
    Case("only a null condition", _ROUTE, ruled({"images": None}), "rules[0].match", "set at least one"),
    Case("no rules", _ROUTE, route(rules=[]), "rules"),
    Case("17 rules", _ROUTE, ruled(*[{"images": True}] * 17), "rules"),
    Case("two rules of one name", _ROUTE, ruled(*[{"images": True}] * 2, name="a"), "", "name each rule differently"),
    Case("a rule's name with a dot", _ROUTE, ruled({"images": True}, name="a.b"), "rules[0].name", "not a name"),
    Case("a rule without targets", _ROUTE, ruled({"images": True}, targets=[]), "rules[0].targets"),
    Case("9 targets of a rule", _ROUTE, ruled({"images": True}, targets=[TARGET] * 9), "rules[0].targets"),
    Case(
        "a bad target of a rule", _ROUTE, ruled({"tools": True}, targets=[{"model": "x"}]), "rules[0].targets[0].model"
    ),
    Case("thinking as a switch", _ROUTE, ruled({"thinking": True}), "rules[0].match.thinking"),
    Case("no budget", _ROUTE, ruled({"thinkingBudgetAtLeast": 0}), "rules[0].match.thinkingBudgetAtLeast"),
    Case(
        "a budget without thinking",
        _ROUTE,
        ruled({"thinking": "Adaptive", "thinkingBudgetAtLeast": 1}),
        "rules[0].match",
        "never holds together",
    ),
    Case(
        "tools of the upstream and none",
        _ROUTE,
        ruled({"tools": False, "serverTools": ["*"]}),
        "rules[0].match",
        "never holds together",
    ),
    Case("an effort that nobody asks for", _ROUTE, ruled({"effort": ["huge"]}), "rules[0].match.effort[0]"),
    Case("an effort twice", _ROUTE, ruled({"effort": ["low", "low"]}), "rules[0].match.effort"),
    Case("a class that is none", _ROUTE, ruled({"requestClasses": ["main"]}), "rules[0].match.requestClasses[0]"),
    Case("no agent type", _ROUTE, ruled({"agentTypes": ["?"]}), "rules[0].match.agentTypes[0]", "not an agent type"),
    Case("no type of tool", _ROUTE, ruled({"serverTools": ["a b"]}), "rules[0].match.serverTools[0]", "not a type"),
    Case("no client's name", _ROUTE, ruled({"clients": ["a/b/c"]}), "rules[0].match.clients[0]", "not the name"),
    Case(
        "a header in capitals",
        _ROUTE,
        ruled({"headers": [{"name": "X-Team", "value": "red"}]}),
        "rules[0].match.headers[0].name",
        "in lower case",
    ),
    *(
        Case(
            f"the credential in {name}",
            _ROUTE,
            ruled({"headers": [{"name": name, "value": "x"}]}),
            "rules[0].match.headers[0].name",
            "carries a credential",
        )
        for name in ("authorization", "x-api-key", "x-gateway-key", "cookie", "x-amz-security-token", "api-key")
    ),
    Case(
        "a header value in two lines",
        _ROUTE,
        ruled({"headers": [{"name": "x-team", "value": "a\nb"}]}),
        "rules[0].match.headers[0].value",
        "not a header value",
    ),
    Case(
        "a header twice",
        _ROUTE,
        ruled({"headers": [{"name": "x-team", "value": value} for value in ("red", "blue")]}),
        "rules[0].match",
        "names a header twice",
    ),
    Case("no source", _ROUTE, route(allowedClients={}), "allowedClients.from"),
    Case("an unknown source", _ROUTE, route(allowedClients={"from": "Selector"}), "allowedClients.from"),
    Case("no list", _ROUTE, route(allowedClients={"from": "Namespaces"}), "allowedClients", "`namespaces` is not set"),
    Case(
        "a list for all",
        _ROUTE,
        route(allowedRoutes={"from": "All", "namespaces": ["a"]}),
        "allowedRoutes",
        "`from` is not `Namespaces`",
    ),
    Case("an empty list", _ROUTE, route(allowedClients=listing()), "allowedClients.namespaces"),
    Case("a star", _ROUTE, route(allowedClients=listing("*")), "allowedClients.namespaces[0]", "not a namespace"),
    Case("one twice", _ROUTE, route(allowedRoutes=listing("a", "a")), "allowedRoutes.namespaces"),
    Case("neither", _ROUTE, route(targets=[{"model": "openai/x"}]), "targets[0]", "the name of a ClaudeCredential"),
    Case("no provider", _ROUTE, route({"model": "gpt-5"}), "targets[0].model", _NOT_MODEL),
    Case("a price as a number", _ROUTE, route({"prices": {"input": 1, "output": "1"}}), "targets[0].prices.input"),
    Case("a price with a sign", _ROUTE, route({"prices": {"input": "$1", "output": "1"}}), "targets[0].prices.input"),
    Case("a price below zero", _ROUTE, route({"prices": {"input": "-1", "output": "1"}}), "targets[0].prices.input"),
    Case("half a price list", _ROUTE, route({"prices": {"input": "1"}}), "targets[0].prices"),
    Case(
        "a price that is too exact",
        _ROUTE,
        route({"prices": {"input": "0.1234567", "output": "1"}}),
        "targets[0].prices.input",
    ),
    Case("part of a wildcard", _ROUTE, route({"model": "anthropic/claude-*"}), "targets[0].model", _NOT_MODEL),
    Case("a wildcard and more", _ROUTE, route({"model": "anthropic/*-x"}), "targets[0].model", _NOT_MODEL),
    Case("a wildcard provider", _ROUTE, route({"model": "*/gpt-5"}), "targets[0].model", _NOT_MODEL),
    Case("an environment variable", _ROUTE, route({"model": "os.environ/KEY"}), "targets[0].model", _NOT_MODEL),
    Case("a line break", _ROUTE, route({"model": "openai/x\n"}), "targets[0].model", _NOT_MODEL),
    Case("a user", _ROUTE, keyless("http://me:secret@host/"), "targets[0].baseURL", _NOT_URL),
    Case("a query", _ROUTE, keyless("http://host/?a=b"), "targets[0].baseURL", _NOT_URL),
    Case("a fragment", _ROUTE, keyless("http://host/#a"), "targets[0].baseURL", _NOT_URL),
    Case("another scheme", _ROUTE, keyless("file:///etc/passwd"), "targets[0].baseURL", _NOT_URL),
    Case("no scheme", _ROUTE, keyless("vllm:8000/v1"), "targets[0].baseURL", _NOT_URL),
    Case("no host", _ROUTE, keyless("http:///v1"), "targets[0].baseURL", _NOT_URL),
    Case("a space", _ROUTE, keyless("http://host /v1"), "targets[0].baseURL", _NOT_URL),
    Case("a backslash", _ROUTE, keyless("http://host\\@evil/"), "targets[0].baseURL", _NOT_URL),
    Case("port zero", _ROUTE, keyless("http://host:0/"), "targets[0].baseURL", _NOT_URL),
    Case("no such port", _ROUTE, keyless("http://host:65536"), "targets[0].baseURL", "port from 1 to 65535"),
    Case("no such IPv6 address", _ROUTE, keyless("http://[1::2::3]"), "targets[0].baseURL", "address in brackets"),
    Case("IPv4 as IPv6", _ROUTE, keyless("http://[::ffff:127.0.0.1]"), "targets[0].baseURL", "address in brackets"),
    Case("too hot", _ROUTE, route({"parameters": {"temperature": 2.5}}), "targets[0].parameters.temperature"),
    Case(
        "too hot for Anthropic",
        _ROUTE,
        route({"model": "anthropic/x", "parameters": {"temperature": 1.5}}),
        "targets[0]",
        "set `parameters.temperature` to a number from 0 to 1",
    ),
    Case("a word for a number", _ROUTE, route({"weight": "heavy"}), "targets[0].weight"),
    Case("a number as text", _ROUTE, route({"weight": "2"}), "targets[0].weight"),
    Case("no weight", _ROUTE, route({"weight": 0}), "targets[0].weight"),
    Case("negative priority", _ROUTE, route({"priority": -1}), "targets[0].priority"),
    Case("no output", _ROUTE, route({"maxOutputTokens": 0}), "targets[0].maxOutputTokens"),
    Case("no window", _ROUTE, route({"contextWindow": 0}), "targets[0].contextWindow"),
    Case("a window in words", _ROUTE, route({"contextWindow": "200k"}), "targets[0].contextWindow"),
    Case("an ability in words", _ROUTE, route({"supports": {"images": "no"}}), "targets[0].supports.images"),
    Case("another effort", _ROUTE, route({"parameters": {"reasoningEffort": "huge"}}), "targets[0].parameters"),
    Case("no such credential name", _ROUTE, route({"credential": "Team Key"}), "targets[0].credential"),
    Case("no models", _ROUTE, route(models=[]), "models"),
    Case("33 models", _ROUTE, route(models=[f"m{i}" for i in range(33)]), "models"),
    Case("a model twice", _ROUTE, route(models=["smart", "other", "smart"]), "models"),
    Case("an empty name", _ROUTE, route(models=[""]), "models[0]"),
    Case("a name with a space", _ROUTE, route(models=["my model"]), "models[0]", "not a model name"),
    Case("a null among names", _ROUTE, route(models=["smart", None]), "models[1]"),
    Case("no targets", _ROUTE, route(targets=[]), "targets"),
    Case("17 targets", _ROUTE, route(targets=[TARGET] * 17), "targets"),
    Case("a target that is text", _ROUTE, route(targets=["openai/gpt-5"]), "targets[0]"),
    Case("an empty display name", _ROUTE, route(displayName=""), "displayName"),
    Case("a bare number", _ROUTE, route(timeouts={"idle": "90"}), "timeouts.idle", _NOT_DURATION),
    Case("days", _ROUTE, route(timeouts={"total": "1d"}), "timeouts.total", _NOT_DURATION),
    Case("a fraction", _ROUTE, route(timeouts={"firstToken": "1.5s"}), "timeouts.firstToken", _NOT_DURATION),
    Case("no time", _ROUTE, route(timeouts={"idle": "0s"}), "timeouts.idle", _NO_LENGTH),
    Case("more than a day", _ROUTE, route(timeouts={"total": "24h1ms"}), "timeouts.total", _NO_LENGTH),
    Case(
        "first token after all",
        _ROUTE,
        route(timeouts={"firstToken": "2m", "total": "1m59s"}),
        "timeouts",
        "lower `firstToken` or raise `total`",
    ),
    Case(
        "first token after the default total",
        _ROUTE,
        route(timeouts={"firstToken": "31m"}),
        "timeouts",
        "lower `firstToken` or raise `total`",
    ),
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
    Case(
        "dollars with a sign",
        _CLIENT,
        client(brake={"perSession": {"dollars": "$5"}}),
        "brake.perSession.dollars",
        "not an amount in dollars",
    ),
    Case("dollars as a number", _CLIENT, client(brake={"perAgent": {"dollars": 5}}), "brake.perAgent.dollars"),
    Case(
        "fewer than no requests", _CLIENT, client(brake={"perSession": {"requests": -1}}), "brake.perSession.requests"
    ),
    Case("a hard stop before the soft one", _CLIENT, client(brake={"hardPercent": 50}), "brake.hardPercent"),
    Case(
        "a session that is a text",
        _CLIENT,
        client(brake={"released": ["all of them"]}),
        "brake.released[0]",
        "not the id of a session",
    ),
    Case("a client of two", _CLIENT, client(owner="alice@example.com bob@example.com"), "owner", "one person"),
    Case(
        "clients that nobody lists",
        _ROUTE,
        route(allowedClients={"from": "Clients"}),
        "allowedClients",
        "list the GatewayClients in `clients`",
    ),
    Case("no clients at all", _ROUTE, route(allowedClients=only()), "allowedClients.clients"),
    Case(
        "clients of namespaces",
        _ROUTE,
        route(allowedClients={"from": "All", "clients": ["alice"]}),
        "allowedClients",
        "set `from` to `Clients`, or remove `clients`",
    ),
    Case("clients for routes", _ROUTE, route(allowedRoutes={"from": "Clients"}), "allowedRoutes.from"),
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
    Case(
        "a login and a credential",
        _ROUTE,
        route({"forwardClientToken": True}),
        "targets[0]",
        "set either `credential` or `forwardClientToken`, not both",
    ),
    Case(
        "a login for another provider",
        _ROUTE,
        {"models": ["m"], "targets": [{"model": "openai/x", "forwardClientToken": True}]},
        "targets[0]",
        "the model is not `anthropic/...`",
    ),
    Case(
        "a name as it is sent for a model of its own",
        _ROUTE,
        route({"model": "openai/gpt-5", "verbatim": True}),
        "targets[0]",
        "write the model as `provider/*`",
    ),
    Case(
        "a mirror with the client's own login",
        _ROUTE,
        route(mirror={"target": forwarding()["targets"][0], "percent": 5}),
        "mirror",
        "set `credential` to the name of a ClaudeCredential instead of `forwardClientToken`",
    ),
    Case(
        "a mirror of nothing",
        _ROUTE,
        route(mirror={"target": keyless("https://candidate.example/v1")["targets"][0], "percent": 0}),
        "mirror.percent",
    ),
    Case(
        "a mirror of too much",
        _ROUTE,
        route(mirror={"target": keyless("https://candidate.example/v1")["targets"][0], "percent": 101}),
        "mirror.percent",
    ),
    Case(
        "a mirror without a share",
        _ROUTE,
        route(mirror={"target": keyless("https://candidate.example/v1")["targets"][0]}),
        "mirror.percent",
    ),
    Case("a format that nobody knows", _ROUTE, route({"formats": ["Gopher"]}), "targets[0].formats[0]"),
    Case("no format", _ROUTE, route({"formats": []}), "targets[0].formats"),
    Case("a format twice", _ROUTE, route({"formats": ["Chat", "Chat"]}), "targets[0].formats"),
    Case("many judges", _ROUTE, route(safeguardsModel="claude-*"), "safeguardsModel", "not a single model name"),
    Case("limits without one", _ROUTE, route(limits={}), "limits", "set at least one of `requestsPerMinute`"),
    Case("a target's limits without one", _ROUTE, route({"limits": {}}), "targets[0].limits", "no limit is set"),
    Case("a limit of nothing", _ROUTE, route(limits={"concurrent": 0}), "limits.concurrent"),
    Case("a limit that is text", _CLIENT, client(limits={"concurrent": "8"}), "limits.concurrent"),
    Case("too many tokens", _CLIENT, client(limits={"inputTokensPerMinute": 10**9 + 1}), "limits.inputTokensPerMinute"),
    Case("a priority of another kind", _CLIENT, client(priority="Urgent"), "priority"),
    Case("affinity of another kind", _ROUTE, route(affinity="Cookie"), "affinity"),
    Case("affinity in small letters", _ROUTE, route(affinity="none"), "affinity"),
    Case("counts of another kind", _ROUTE, route(tokenCounts="Guess"), "tokenCounts"),
    Case("answers are kept for ever", _ROUTE, route(cache={}), "cache.ttl"),
    Case("answers are kept for days", _ROUTE, route(cache={"ttl": "25h"}), "cache.ttl", "out of range"),
    Case("answers of any size are kept", _ROUTE, route(cache={"ttl": "1h", "maxBytes": 2**30}), "cache.maxBytes"),
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
    Case("a route suspended in words", _ROUTE, route(suspend="true"), "suspend"),
    Case("a credential suspended by a number", _CREDENTIAL, {**credential(), "suspend": 1}, "suspend"),
    Case("a client suspended until a time", _CLIENT, client(suspend="2027-01-31T00:00:00Z"), "suspend"),
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
    Case("an address with a user", _CREDENTIAL, credential(baseURL="https://a@b"), "apiKey.baseURL", _NOT_URL),
    Case("a release without a name", _ROUTE, route(gatewayRef={}), "gatewayRef.name"),
    Case("a release in capitals", _CREDENTIAL, {**credential(), "gatewayRef": {"name": "CG"}}, "gatewayRef.name"),
    Case("a release that is text", _CLIENT, client(gatewayRef="cg"), "gatewayRef"),
    Case("no keys", _CLIENT, client(keys=[]), "keys"),
    Case("no proof", _CLIENT, {"models": ["*"]}, "", "list at least one of `keys`, `serviceAccounts`, `jwt` and"),
    Case("two places of a key", _CLIENT, client(keys=[{"secretRef": SECRET, "hash": HASH}]), "keys[0]", _ONE_PLACE),
    Case("no place of a key", _CLIENT, client(keys=[{"user": "bob"}]), "keys[0]", _ONE_PLACE),
    Case(
        "a list with an end",
        _CLIENT,
        client(keys=[{"hashesFrom": SECRET, "expiresAt": "2027-01-31T00:00:00Z"}]),
        "keys[0]",
        "a list of hashes has its own people and ends; remove",
    ),
    Case("a bare hash", _CLIENT, client(keys=[{"hash": "0" * 71}]), "keys[0].hash", "not the hash of a key; write"),
    Case(
        "an end that is a date", _CLIENT, client(keys=[_ending("2027-01-31 00:00:00Z")]), "keys[0].expiresAt", _NO_TIME
    ),
    Case(
        "an end without a zone", _CLIENT, client(keys=[_ending("2027-01-31T00:00:00.0")]), "keys[0].expiresAt", _NO_TIME
    ),
    Case(
        "an end long ago",
        _CLIENT,
        client(keys=[_ending("1999-01-31T00:00:00Z")]),
        "keys[0].expiresAt",
        "no calendar has this time; write",
    ),
    Case("no certificates", _CLIENT, {"certificates": []}, "certificates"),
    Case("65 certificates", _CLIENT, {"certificates": [{"dns": "a"}] * 65}, "certificates"),
    Case("certificates of nobody", _CLIENT, {"certificates": [{}]}, "certificates[0]", _ONE_NAME),
    Case("two names at once", _CLIENT, {"certificates": [{"dns": "a", "uri": "a:b"}]}, "certificates[0]", _ONE_NAME),
    *(
        Case(f"{text!r:.20} as {field}", _CLIENT, {"certificates": [{field: text}]}, f"certificates[0].{field}", wrong)
        for field, wrong, texts in _NOT_NAMES
        for text in texts
    ),
    Case(
        "an owner with certificates",
        _CLIENT,
        client(owner="alice@example.com", certificates=[{"dns": "a"}]),
        "",
        "a client of one person identifies itself with that person's keys only",
    ),
    Case("no ServiceAccounts", _CLIENT, {"serviceAccounts": []}, "serviceAccounts"),
    Case(
        "a namespace that is none",
        _CLIENT,
        {"serviceAccounts": [{"name": "a", "namespace": "A"}]},
        "serviceAccounts[0].namespace",
    ),
    Case("an issuer without audience", _CLIENT, {"jwt": [{"issuer": "https://x"}]}, "jwt[0]", _NEEDS_ISSUER),
    Case("an audience without issuer", _CLIENT, {"jwt": [{"audiences": ["x"]}]}, "jwt[0]", _NEEDS_ISSUER),
    Case(
        "two kinds of keys",
        _CLIENT,
        {"jwt": [issuer(secretRef=SECRET, jwksURL="https://x")]},
        "jwt[0]",
        "not with both; remove `secretRef` or `jwksURL`",
    ),
    Case(
        "a claim with a long name",
        _CLIENT,
        {"jwt": [issuer(claims={"x" * 129: ["a"]})]},
        "jwt[0]",
        "the name of a claim is empty or too long; write",
    ),
    Case("a claim without values", _CLIENT, {"jwt": [issuer(claims={"x": []})]}, "jwt[0].claims"),
    Case("17 claims", _CLIENT, {"jwt": [issuer(claims={f"c{i}": ["a"] for i in range(17)})]}, "jwt[0].claims"),
    Case("a value with a break", _CLIENT, {"jwt": [issuer(claims={"x": ["a\n"]})]}, "jwt[0].claims", _NO_TEXT_VALUE),
    Case("an audience with a break", _CLIENT, {"jwt": [issuer(audiences=["a\n"])]}, "jwt[0].audiences", _NO_TEXT),
    Case(
        "a claim with a space",
        _CLIENT,
        {"jwt": [issuer(userClaim="a b")]},
        "jwt[0].userClaim",
        "not the name of a claim",
    ),
    Case(
        "one person and many",
        _CLIENT,
        client(owner="alice@example.com", jwt=[issuer()]),
        "",
        "a client of one person identifies itself with that person's keys only; remove",
    ),
    Case("17 keys", _CLIENT, client(keys=[{"secretRef": SECRET}] * 17), "keys"),
    Case("no models for a client", _CLIENT, client(models=[]), "models"),
    Case("the same model twice", _CLIENT, client(models=["a", "a"]), "models"),
    Case("65 models for a client", _CLIENT, client(models=[f"m{i}" for i in range(65)]), "models"),
)
