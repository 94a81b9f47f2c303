"""The startup message of ``serve``: commands that work with the routes that are served."""

from pathlib import Path

import yaml

from claude_gateway.cli.files.manifests import Document
from claude_gateway.cli.serving import present
from claude_gateway.cli.serving.present import Served
from claude_gateway.contract.client import Client
from claude_gateway.contract.policy import Policy
from claude_gateway.contract.route import Match, Route, RouteRule
from claude_gateway.contract.target import Format, Target

OWN = Target(id="default/own/0", provider="anthropic", model="*", formats=(Format.MESSAGES,), forward_client_token=True)
PAID = Target(id="default/paid/0", provider="anthropic", model="*", formats=(Format.MESSAGES,))


def shown(*routes: Route, env_file: Path | None = None, documents: tuple[Document, ...] = ()) -> str:
    policy = Policy(namespace="default", routes=routes, clients=(Client(name="default/me", models=("*",)),))
    return present.lines(
        Served(
            url="http://127.0.0.1:4000",
            tls_url=None,
            metrics="http://127.0.0.1:9090",
            revision="0123456789abcdef",
            policy=policy,
            documents=documents,
            sources=(Path("gateway"),),
            scripted_url=None,
            env_file=env_file,
        )
    )


def test_routes_for_own_logins_are_tried_with_the_own_login() -> None:
    text = shown(Route(name="default/own", models=("claude-*",), targets=(OWN,)))
    assert "x-gateway-key: $ANTHROPIC_AUTH_TOKEN" in text
    assert "curl" not in text


def test_a_sample_is_a_route_that_a_gateway_key_alone_may_use() -> None:
    own = Route(name="default/own", models=("claude-mine",), targets=(OWN,))
    text = shown(own, Route(name="default/paid", models=("claude-paid",), targets=(PAID,)))
    assert '"model": "claude-paid"' in text
    assert '"model": "claude-mine"' not in text


def test_a_key_is_looked_for_where_serve_found_it() -> None:
    paid = Route(name="default/paid", models=("claude-paid",), targets=(PAID,))
    assert "run -f gateway -- claude" in shown(paid)
    text = shown(paid, env_file=Path("my keys.env"))
    assert "env -f gateway --env-file 'my keys.env')" in text
    assert "run -f gateway --env-file 'my keys.env' -- claude" in text


def test_a_client_with_a_key_is_tried() -> None:
    def client(name: str, **spec: object) -> Document:
        manifest = {"kind": "GatewayClient", "metadata": {"name": name}, "spec": spec}
        return Document(Path("gateway/clients.yaml"), manifest, yaml.MappingNode("", []))

    tokens, keys = client("tokens", jwt=[{}]), client("keys", keys=[{}])
    assert "env -f gateway --client default/keys)" in shown(documents=(tokens, keys))
    assert "env --key-file TOKEN_FILE --url http://127.0.0.1:4000)" in shown(documents=(tokens, tokens))


def test_rules_are_shown_below_their_route() -> None:
    pictures = RouteRule(name="pictures", match=Match(images=True), targets=(OWN.model_copy(update={"model": "seer"}),))
    route = Route(name="default/paid", models=("claude-paid",), targets=(PAID,), rules=(pictures,))
    lines = shown(route).splitlines()
    at = next(number for number, line in enumerate(lines) if "default/paid" in line)
    assert lines[at].endswith("claude-paid → anthropic/* without a key")
    assert lines[at + 1].endswith("  rule pictures → anthropic/seer without a key")
