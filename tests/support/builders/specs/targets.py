"""Specs of ModelRoutes: their targets."""

from typing import Any, Final

from tests.support.builders.specs.case import NOT_URL, TARGET, Case, Spec, route

from claude_gateway.names import Kind

_ROUTE: Final = Kind.MODEL_ROUTE


def keyless(base_url: object, **target: Any) -> Spec:
    """A ModelRoute's spec with one target that needs no key."""
    return {"models": ["smart"], "targets": [{"model": "hosted_vllm/llama", "baseURL": base_url, **target}]}


def forwarding(**target: Any) -> Spec:
    """A ModelRoute's spec with one target that gets the client's own login."""
    return {"models": ["smart"], "targets": [{"model": "anthropic/*", "forwardClientToken": True, **target}]}


_NOT_MODEL = "write it as LiteLLM does, such as `openai/gpt-5`"


VALID: Final = (
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
    Case("a client's own login to a server", _ROUTE, forwarding(baseURL="https://relay.example")),
    Case("no client's own login", _ROUTE, route({"forwardClientToken": False})),
    Case("names as they are sent", _ROUTE, route({"model": "openai/*", "verbatim": True})),
    Case("a name that is not as sent", _ROUTE, route({"verbatim": False})),
    Case(
        "a mirror",
        _ROUTE,
        route(mirror={"target": keyless("https://candidate.example/v1")["targets"][0], "percent": 0.5}),
    ),
    Case("one format", _ROUTE, route({"formats": ["Responses"]})),
    Case("limits of a target", _ROUTE, route({"limits": {"outputTokensPerMinute": 1, "concurrent": 10**7}})),
    Case("nulls count as absent", _ROUTE, route({"baseURL": None, "weight": None}, displayName=None, timeouts=None)),
)

INVALID: Final = (
    Case(
        "both credential and address",
        _ROUTE,
        route({"baseURL": "http://h"}),
        "targets[0]",
        "both `credential` and `baseURL`",
    ),
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
    Case("a user", _ROUTE, keyless("http://me:secret@host/"), "targets[0].baseURL", NOT_URL),
    Case("a query", _ROUTE, keyless("http://host/?a=b"), "targets[0].baseURL", NOT_URL),
    Case("a fragment", _ROUTE, keyless("http://host/#a"), "targets[0].baseURL", NOT_URL),
    Case("another scheme", _ROUTE, keyless("file:///etc/passwd"), "targets[0].baseURL", NOT_URL),
    Case("no scheme", _ROUTE, keyless("vllm:8000/v1"), "targets[0].baseURL", NOT_URL),
    Case("no host", _ROUTE, keyless("http:///v1"), "targets[0].baseURL", NOT_URL),
    Case("a space", _ROUTE, keyless("http://host /v1"), "targets[0].baseURL", NOT_URL),
    Case("a backslash", _ROUTE, keyless("http://host\\@evil/"), "targets[0].baseURL", NOT_URL),
    Case("port zero", _ROUTE, keyless("http://host:0/"), "targets[0].baseURL", NOT_URL),
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
    Case("no targets", _ROUTE, route(targets=[]), "targets"),
    Case("17 targets", _ROUTE, route(targets=[TARGET] * 17), "targets"),
    Case("a target that is text", _ROUTE, route(targets=["openai/gpt-5"]), "targets[0]"),
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
    Case("a target's limits without one", _ROUTE, route({"limits": {}}), "targets[0].limits", "no limit is set"),
)
