"""Random policies and requests, for tests that compare what is explained with what happens."""

import json
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.support.builders.bundles import route, target

from claude_gateway.contract.client import Client
from claude_gateway.contract.route import Match, Route, RouteRule
from claude_gateway.contract.target import Format, Target, Wire
from claude_gateway_proxy.operations import OPERATIONS

CLIENTS = (Client(name="ns/dev"), Client(name="ns/few", models=("claude-*",)), Client(name="other/guest"))
NAMES = ("claude-opus-5-5", "claude-haiku-5-5", "gpt-5", "gpt-5-codex", "claude-*", "*", "*haiku*")
_MATCHES: tuple[dict[str, Any], ...] = (
    {"thinking": "Enabled"},
    {"thinking": "Disabled", "images": True},
    {"thinking_budget_at_least": 3000},
    {"input_tokens_at_least": 200},
    {"images": True},
    {"tools": True},
    {"server_tools": ("web_search*",)},
    {"formats": ("Chat",)},
    {"headers": (("x-team", "blue"),)},
    {"clients": ("ns/dev",)},
    {"effort": ("high", "max")},
    {"request_classes": ("Compaction", "Auxiliary")},
    {"subagent": True},
    {"agent_types": ("Explore",)},
)


@dataclass(frozen=True)
class Request:
    """One request as a client sends it."""

    client: str
    format: Format
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def path(self) -> str:
        return f"/v1{OPERATIONS[self.format].path}"


def routes(
    random: Random, *, url: str = "http://127.0.0.1:9", wires: tuple[Wire, ...] = (Wire.ANTHROPIC, Wire.OPENAI)
) -> tuple[Route, ...]:
    """Return routes with disjoint names, each with targets, most with rules; the upstreams are at ``url``."""
    names = random.sample(NAMES, random.randint(1, 4))
    return tuple(_route(random, name, number, url=url, wires=wires) for number, name in enumerate(names))


def request(random: Random, *, formats: tuple[Format, ...] = tuple(Format)) -> Request:
    """Return a request; its model is often one that some route serves."""
    format = random.choice(formats)
    content: list[dict[str, Any]] = [{"type": "text", "text": "word " * random.choice((1, 40, 400))}]
    if random.random() < 0.2:
        source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
        content.append({"type": "image", "source": source})
    body: dict[str, Any] = {
        "model": random.choice((*NAMES[:4], "claude-other", "nobody")),
        "max_tokens": 10,
        "messages": [{"role": "user", "content": content}],
    }
    if random.random() < 0.4:
        kind = random.choice(("enabled", "disabled", "adaptive"))
        body["thinking"] = {
            "type": kind,
            **({"budget_tokens": random.choice((1024, 4096))} if kind == "enabled" else {}),
        }
    if random.random() < 0.3:
        body["tools"] = [random.choice(({"type": "web_search_20250305", "name": "web_search"}, {"name": "t"}))]
    if random.random() < 0.2:
        body["output_config"] = {"effort": random.choice(("low", "high"))}
    headers = [
        (name, value)
        for name, value in (
            ("x-team", random.choice(("blue", "red"))),
            ("x-claude-code-request-class", random.choice(("main", "compaction", "subagent"))),
            ("x-claude-code-agent-type", "Explore"),
            ("x-claude-code-agent-id", "agent-1"),
        )
        if random.random() < 0.3
    ]
    client = random.choice(CLIENTS).name
    return Request(client, format, tuple(headers), json.dumps(body).encode())


def _route(random: Random, name: str, number: int, *, url: str, wires: tuple[Wire, ...]) -> Route:
    full = f"{random.choice(('ns', 'ns', 'other'))}/route-{number}"
    rules = tuple(
        RouteRule(
            name=f"rule-{index}",
            match=Match.model_validate(match),
            targets=_targets(random, f"{full}/rule-{index}.", url=url, wires=wires),
        )
        for index, match in enumerate(random.sample(_MATCHES, random.randint(0, 4)))
    )
    return route(name, name=full, targets=_targets(random, f"{full}/", url=url, wires=wires), rules=rules)


def _targets(random: Random, beginning: str, *, url: str, wires: tuple[Wire, ...]) -> tuple[Target, ...]:
    found = []
    for index in range(random.randint(1, 4)):
        wire = random.choice(wires)
        made = target(
            wire=wire,
            base_url=url if wire is Wire.ANTHROPIC else f"{url}/v1",
            model=random.choice(("*", "upstream-model")),
            weight=random.choice((1, 1, 3, 20)),
            priority=random.choice((0, 0, 1, 5)),
            forward_client_token=wire is Wire.ANTHROPIC and random.random() < 0.1,
        )
        found.append(made.model_copy(update={"id": f"{beginning}{index}.00000000"}))
    return tuple(found)
