"""Clients' own logins: to Anthropic, and elsewhere only where the installation allows."""

from typing import Any

import pytest
from tests.support.builders.objects import plan, route

from claude_gateway.contract.policy import Egress
from claude_gateway.contract.target import Format, Wire
from claude_gateway.names import Reason


def forwarding(**fields: Any) -> dict[str, Any]:
    return {"model": "anthropic/*", "forwardClientToken": True, **fields}


def test_a_login_goes_to_anthropic() -> None:
    found = plan(route(targets=[forwarding()]))
    assert found.problems == ()
    (only,) = found.policy.routes[0].targets
    assert only.forward_client_token
    assert (only.wire, only.formats) == (Wire.ANTHROPIC, (Format.MESSAGES, Format.COUNT_TOKENS))
    assert (only.base_url, only.secret) == ("https://api.anthropic.com", None)


def test_a_login_stays_where_it_is_unless_a_target_says_otherwise() -> None:
    keyless = plan(route(targets=[forwarding(forwardClientToken=False, baseURL="https://mine.example")]))
    assert not keyless.policy.routes[0].targets[0].forward_client_token


@pytest.mark.parametrize(
    ("base_url", "forward_to", "loopback"),
    [
        ("https://api.anthropic.com/", ("api.anthropic.com",), False),
        ("https://API.anthropic.com", ("api.anthropic.com",), False),
        ("https://relay.example/anthropic", ("api.anthropic.com", "Relay.Example."), False),
        ("http://127.0.0.1:8000", ("127.0.0.1",), True),
        ("http://[::1]:8000", ("[::1]",), True),
    ],
)
def test_a_login_goes_where_the_installation_allows(base_url: str, forward_to: tuple[str, ...], loopback: bool) -> None:
    manifest = route(targets=[forwarding(baseURL=base_url)])
    found = plan(manifest, forward_to=forward_to, egress=Egress(loopback=loopback))
    assert found.problems == ()


@pytest.mark.parametrize(
    ("base_url", "forward_to", "loopback"),
    [
        (None, (), False),
        ("https://evil.example", ("api.anthropic.com",), False),
        ("https://api.anthropic.com.evil.example", ("api.anthropic.com",), False),
        ("https://xapi.anthropic.com", ("api.anthropic.com",), False),
        ("http://api.anthropic.com", ("api.anthropic.com",), False),
        ("http://127.0.0.1:8000", ("api.anthropic.com",), True),
        ("http://127.0.0.1:8000", ("127.0.0.1",), False),
        ("http://169.254.169.254", ("169.254.169.254",), False),
    ],
)
def test_a_login_goes_nowhere_else(base_url: str | None, forward_to: tuple[str, ...], loopback: bool) -> None:
    manifest = route(targets=[forwarding(**({"baseURL": base_url} if base_url else {}))])
    found = plan(manifest, forward_to=forward_to, egress=Egress(loopback=loopback))
    assert found.policy.routes[0].targets == ()
    assert [(p.field, p.reason) for p in found.problems] == [("spec.targets[0].baseURL", Reason.ADDRESS_NOT_ALLOWED)]
