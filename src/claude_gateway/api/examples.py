"""Example manifests of each kind, from the simplest to the fullest."""

from typing import Any, Final

from claude_gateway.names import API_VERSION, Kind


def _example(kind: Kind, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": str(kind), "metadata": {"name": name}, "spec": spec}


ROUTES: Final = (
    _example(
        Kind.MODEL_ROUTE,
        "claude",
        {"models": ["claude-*"], "targets": [{"model": "anthropic/*", "credential": "anthropic"}]},
    ),
    _example(
        Kind.MODEL_ROUTE,
        "smart",
        {
            "models": ["smart", "claude-opus-*"],
            "displayName": "Smart",
            "targets": [
                {
                    "model": "openai/gpt-5",
                    "credential": "openai",
                    "maxOutputTokens": 16384,
                    "weight": 9,
                    "parameters": {"reasoningEffort": "high"},
                },
                {"model": "gemini/gemini-2.5-pro", "credential": "gemini"},
                {"model": "openai/o3-deep-research", "credential": "openai", "formats": ["Responses"]},
                {"model": "anthropic/claude-opus-5-5", "forwardClientToken": True},
                {"model": "openai/*", "credential": "proxy", "verbatim": True},
                {
                    "model": "hosted_vllm/llama-3",
                    "baseURL": "http://vllm.models.svc:8000/v1",
                    "via": "LiteLLM",
                    "contextWindow": 131072,
                    "supports": {"images": False, "documents": False, "tools": True, "thinking": False},
                    "priority": 1,
                    "limits": {"inputTokensPerMinute": 200000, "concurrent": 8},
                    "prices": {
                        "input": "0.20",
                        "output": "0.80",
                        "cacheRead": "0.02",
                        "cacheWrite": "0.25",
                        "cacheWrite1h": "0.40",
                        "reasoning": "0.80",
                        "searches": "10",
                    },
                    "parameters": {"temperature": 0.2, "topP": 0.9},
                },
            ],
            "rules": [
                {
                    "name": "thinker",
                    "match": {"thinking": "Enabled", "thinkingBudgetAtLeast": 8000, "effort": ["xhigh", "max"]},
                    "targets": [{"model": "openai/o3-pro", "credential": "openai"}],
                },
                {
                    "name": "chores",
                    "match": {
                        "formats": ["Messages"],
                        "requestClasses": ["Compaction", "Auxiliary"],
                        "agentTypes": ["Explore", "general-*"],
                        "subagent": True,
                    },
                    "targets": [{"model": "openai/gpt-5-mini", "credential": "openai"}],
                },
                {
                    "name": "large",
                    "match": {
                        "inputTokensAtLeast": 200000,
                        "images": True,
                        "documents": False,
                        "tools": True,
                        "serverTools": ["web_search_*"],
                        "headers": [{"name": "x-team", "value": "red"}],
                        "clients": ["ci", "team-a/nightly"],
                    },
                    "targets": [{"model": "gemini/gemini-2.5-pro", "credential": "gemini"}],
                },
            ],
            "affinity": "Agent",
            "mirror": {"target": {"model": "anthropic/claude-opus-5-5", "credential": "anthropic"}, "percent": 5},
            "cache": {"ttl": "1h", "maxBytes": 65536},
            "timeouts": {"firstToken": "60s", "idle": "2m", "total": "30m"},
            "safeguardsModel": "claude-haiku-5-5",
            "tokenCounts": "Estimate",
            "limits": {"requestsPerMinute": 600, "outputTokensPerMinute": 400000},
            "allowedClients": {"from": "Namespaces", "namespaces": ["team-a", "team-b"]},
            "allowedRoutes": {"from": "All"},
            "suspend": False,
            "gatewayRef": {"name": "cg-claude-gateway"},
        },
    ),
    _example(
        Kind.MODEL_ROUTE,
        "my-claude",
        {
            "models": ["sonnet", "opus"],
            "targets": [{"model": "claude-code/*", "credential": "alice"}],
            "allowedClients": {"from": "Clients", "clients": ["alice"]},
        },
    ),
)

CREDENTIALS: Final = (
    _example(
        Kind.CLAUDE_CREDENTIAL,
        "anthropic",
        {"apiKey": {"provider": "anthropic", "secretRef": {"name": "anthropic"}}},
    ),
    _example(
        Kind.CLAUDE_CREDENTIAL,
        "vllm",
        {
            "apiKey": {
                "provider": "hosted_vllm",
                "secretRef": {"name": "vllm", "key": "token"},
                "baseURL": "https://vllm.example/v1",
            },
            "suspend": False,
            "gatewayRef": {"name": "cg-claude-gateway"},
        },
    ),
    _example(
        Kind.CLAUDE_CREDENTIAL,
        "bedrock",
        {
            "bedrock": {
                "region": "us-east-1",
                "secretRef": {"name": "aws"},
                "baseURL": "https://vpce-0a1b2c3d-bedrock-runtime.us-east-1.vpce.amazonaws.com",
                "attribution": ["Client", "Team"],
                "assumeRole": {
                    "arn": "arn:aws:iam::123456789012:role/claude",
                    "externalID": "claude-gateway",
                    "sessionTags": ["Client", "Team"],
                },
            },
        },
    ),
    _example(
        Kind.CLAUDE_CREDENTIAL,
        "vertex",
        {
            "vertex": {
                "project": "my-project-123",
                "location": "us-east5",
                "secretRef": {"name": "google", "key": "key.json"},
                "baseURL": "https://us-east5-aiplatform.googleapis.com",
                "attribution": ["Client"],
            },
        },
    ),
    _example(
        Kind.CLAUDE_CREDENTIAL,
        "keyless",
        {
            "workloadIdentity": {
                "organizationID": "01234567-89ab-4def-8123-456789abcdef",
                "federationRuleID": "fdrl_01AbCdEf",
                "serviceAccountID": "svac_01AbCdEf",
                "workspaceID": "wrkspc_01AbCdEf",
                "baseURL": "https://api.anthropic.com",
            },
        },
    ),
    _example(
        Kind.CLAUDE_CREDENTIAL,
        "alice",
        {
            "subscription": {
                "owner": "alice@example.com",
                "method": "Login",
                "secretName": "alice-login",
                "caller": {"name": "notebook", "secretName": "alice-notebook"},
            },
        },
    ),
)

CLIENTS: Final = (
    _example(Kind.GATEWAY_CLIENT, "alice", {"keys": [{"secretRef": {"name": "alice"}}]}),
    _example(
        Kind.GATEWAY_CLIENT,
        "ci",
        {
            "keys": [{"secretRef": {"name": "ci", "key": "old"}}, {"secretRef": {"name": "ci", "key": "new"}}],
            "models": ["claude-*", "smart"],
            "owner": "alice@example.com",
            "limits": {
                "requestsPerMinute": 60,
                "inputTokensPerMinute": 2000000,
                "outputTokensPerMinute": 400000,
                "concurrent": 4,
            },
            "priority": "Batch",
            "claudeSettings": '{"env": {"CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1"}}',
            "suspend": False,
            "brake": {
                "perSession": {"dollars": "50.00", "requests": 1000, "minutes": 480},
                "perAgent": {"dollars": "10.00", "repeatedToolCalls": 15, "growingTurns": 100},
                "hardPercent": 150,
                "released": ["0b8f1c2e-5d1a-4c53-9f0e-2f6a1f6f2f10"],
            },
            "gatewayRef": {"name": "cg-claude-gateway"},
        },
    ),
    _example(
        Kind.GATEWAY_CLIENT,
        "platform",
        {
            "keys": [
                {"hashesFrom": {"name": "platform-keys"}},
                {
                    "hash": f"sha256:{'0123456789abcdef' * 4}",
                    "user": "bob@example.com",
                    "team": "platform",
                    "expiresAt": "2027-01-31T00:00:00Z",
                },
            ],
            "serviceAccounts": [{"name": "runner", "namespace": "ci"}],
            "jwt": [
                {
                    "issuer": "https://login.example.com/tenant",
                    "jwksURL": "https://login.example.com/tenant/keys",
                    "audiences": ["claude-gateway"],
                    "claims": {"team": ["platform", "sre"]},
                    "userClaim": "email",
                    "teamClaim": "department",
                    "groupsClaim": "roles",
                },
                {"secretRef": {"name": "old-tokens"}},
            ],
            "certificates": [
                {"uri": "spiffe://example.org/ns/ci/*"},
                {"email": "bob@example.com"},
                {"dns": "build.example.com"},
                {"commonName": "bob"},
                {"fingerprint": f"sha256:{'fedcba9876543210' * 4}"},
            ],
        },
    ),
)

BUDGETS: Final = (
    _example(Kind.BUDGET, "everyone", {"amount": "5000", "clients": ["*"]}),
    _example(
        Kind.BUDGET,
        "blue",
        {
            "amount": "250.00",
            "period": "Week",
            "parent": "everyone",
            "clients": ["ci", "team-a/nightly"],
            "teams": ["blue"],
            "groups": ["contractors"],
            "perMember": "40.00",
            "action": "Route",
            "routeTo": "claude-haiku-5-5",
            "contact": "ask for more at https://go.example.com/claude",
            "gatewayRef": {"name": "cg-claude-gateway"},
        },
    ),
)
